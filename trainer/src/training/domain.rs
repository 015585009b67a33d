//! The distribution of the training images, by which the appliance refuses unlike ones.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::{Descriptor, Domain, FEATURES, InputContract, Preprocessor};

use super::covariance::{cholesky, covariance};
use crate::augment;
use crate::dataset::Sample;
use crate::error::TrainError;

/// More samples would not change the figures.
const MAX_SAMPLES: usize = 2000;
/// Augmented copies of each sample.
const COPIES: u64 = 2;
/// Share of the training images that lie within the limit.
const WITHIN: f64 = 0.99;

/// Variance of one level of 8 bits, about.
const MIN_VARIANCE: f64 = 1e-4;

type Figures = [f64; FEATURES];

/// Measures samples, both without and with augmentation.
pub(crate) fn measure_domain(
    samples: &[&Sample],
    contract: &InputContract,
    seed: u64,
) -> Result<Domain, TrainError> {
    let step = samples.len().div_ceil(MAX_SAMPLES).max(1);
    let chosen: Vec<(u64, &Sample)> = (0..).zip(samples.iter().copied().step_by(step)).collect();
    let described = chosen
        .par_iter()
        .map(|(number, sample)| {
            let mut preprocessor = Preprocessor::new(contract.clone())?;
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(*number);
            let plain = Descriptor::of(preprocessor.prepare(&sample.input)?, contract);
            let mut described = vec![plain];
            for _ in 0..COPIES {
                let picture = augment::jitter(&sample.picture, &mut rng);
                let tensor = preprocessor.prepare(&picture)?;
                described.push(Descriptor::of(tensor, contract));
            }
            Ok(described)
        })
        .collect::<Result<Vec<Vec<Descriptor>>, TrainError>>()?;
    Ok(fit(&described.concat()))
}

/// Fits mean, covariance and limit to at least one descriptor.
fn fit(descriptors: &[Descriptor]) -> Domain {
    let count = descriptors.len() as f64;
    let mean: Figures = std::array::from_fn(|figure| {
        let values = descriptors.iter().map(|d| f64::from(d.0[figure]));
        values.sum::<f64>() / count
    });
    let deviations: Vec<Vec<f64>> = descriptors
        .iter()
        .map(|descriptor| {
            let values = descriptor.0.iter().zip(mean);
            values
                .map(|(value, mean)| f64::from(*value) - mean)
                .collect()
        })
        .collect();
    let mut domain = Domain {
        mean: mean.map(|value| value as f32),
        factor: cholesky(&covariance(&deviations, MIN_VARIANCE)),
        limit: 0.0,
    };
    let mut distances: Vec<f32> = descriptors.iter().map(|d| domain.distance(d)).collect();
    distances.sort_unstable_by(f32::total_cmp);
    domain.limit = distances[(WITHIN * (distances.len() - 1) as f64).round() as usize];
    domain
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::networks::Architecture;

    #[test]
    fn distances_follow_the_covariance() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let descriptors: Vec<Descriptor> = (0..4000)
            .map(|_| {
                let common: f32 = rng.random_range(-1.0..1.0);
                Descriptor(std::array::from_fn(|_| {
                    common + rng.random_range(-1.0..1.0)
                }))
            })
            .collect();
        let domain = fit(&descriptors);
        // The mean of d² is the number of figures, whatever their distribution.
        let squares = descriptors.iter().map(|d| domain.distance(d).powi(2));
        let mean = squares.sum::<f32>() / descriptors.len() as f32;
        assert!((mean - FEATURES as f32).abs() < 0.1, "{mean}");
        let farther = |d: &&Descriptor| domain.distance(d) > domain.limit;
        assert_eq!(descriptors.iter().filter(farther).count(), 40);
        // Against the correlation is farther than along it.
        let along = domain.distance(&Descriptor([1.0; FEATURES]));
        let against = Descriptor(std::array::from_fn(|i| if i % 2 == 0 { 1.0 } else { -1.0 }));
        assert!(domain.distance(&against) > 2.0 * along);
    }

    #[test]
    fn few_or_equal_samples_give_a_domain() {
        let samples: Vec<Sample> = (0..3).map(|number| Sample::drawn(number, 16)).collect();
        let samples: Vec<&Sample> = samples.iter().collect();
        let contract = Architecture::tiny(16).input_contract();
        let domain = measure_domain(&samples, &contract, 1).unwrap();
        assert_eq!(domain, measure_domain(&samples, &contract, 1).unwrap());
        assert!(domain.limit > 0.0 && domain.limit.is_finite());
        let equal = fit(&[Descriptor([0.5; FEATURES]); 8]);
        assert!(equal.distance(&Descriptor([0.5; FEATURES])) < 1e-6);
        assert!(equal.distance(&Descriptor([0.6; FEATURES])) > 10.0);
    }
}
