//! The cells that a network learned from, by which the appliance notices others.

use std::iter;

use smearscope_artifacts::Novelty;

use super::super::covariance::{cholesky, covariance};

/// Share of the cells of each class that lie within its limit.
const WITHIN: f64 = 0.99;
/// Fewest cells of a class whose own distances give its limit; of fewer, those of all classes do.
const MIN_CELLS: usize = 50;
/// Added to the variances: relative to their mean, and at least.
const FLOOR: [f64; 2] = [1e-3, 1e-8];

/// Features of a cell, and its class.
pub(crate) type Described = (usize, Vec<f32>);

/// Fits the distribution to training cells, and the limits to other cells, all of so many classes. `None` if a class
/// has no training cell, or there is no other cell.
pub(crate) fn fit_novelty(
    train: &[Described],
    others: &[Described],
    classes: usize,
) -> Option<Novelty> {
    let mean: Vec<Vec<f64>> = (0..classes)
        .map(|class| mean_of(train, class))
        .collect::<Option<_>>()?;
    let deviations: Vec<Vec<f64>> = train
        .iter()
        .map(|(class, features)| {
            let values = features.iter().zip(&mean[*class]);
            values
                .map(|(value, mean)| f64::from(*value) - mean)
                .collect()
        })
        .collect();
    let size = mean.first()?.len();
    let variance: f64 = deviations
        .iter()
        .flatten()
        .map(|value| value * value)
        .sum::<f64>()
        / (deviations.len() * size) as f64;
    let [relative, least] = FLOOR;
    let floor = (relative * variance).max(least);
    let mut novelty = Novelty {
        mean: mean
            .into_iter()
            .map(|mean| mean.into_iter().map(|value| value as f32).collect())
            .collect(),
        factor: cholesky(&covariance(&deviations, floor)),
        limit: Vec::new(),
    };
    let distances = |of: Option<usize>| -> Vec<f32> {
        others
            .iter()
            .filter(|(class, _)| of.is_none_or(|of| of == *class))
            .map(|(class, features)| novelty.distance(*class, features))
            .collect()
    };
    let usual = within(distances(None))?;
    let limit = (0..classes).map(|class| {
        let distances = distances(Some(class));
        if distances.len() < MIN_CELLS {
            usual
        } else {
            within(distances).unwrap_or(usual)
        }
    });
    novelty.limit = limit.collect();
    Some(novelty)
}

fn mean_of(described: &[Described], class: usize) -> Option<Vec<f64>> {
    let of_class = || described.iter().filter(move |(of, _)| *of == class);
    let size = of_class().next()?.1.len();
    let count = of_class().count() as f64;
    let sum = of_class().fold(vec![0.0; size], |sum: Vec<f64>, (_, features)| {
        iter::zip(sum, features)
            .map(|(sum, value)| sum + f64::from(*value))
            .collect()
    });
    Some(sum.into_iter().map(|sum| sum / count).collect())
}

/// The distance within which [`WITHIN`] of all lie.
fn within(mut distances: Vec<f32>) -> Option<f32> {
    let last = distances.len().checked_sub(1)?;
    distances.sort_unstable_by(f32::total_cmp);
    Some(distances[(WITHIN * last as f64).round() as usize].max(f32::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    use super::*;

    /// Two classes of three features; two features go together.
    fn cells(rng: &mut impl Rng, count: usize) -> Vec<Described> {
        (0..count)
            .map(|number| {
                let class = number % 2;
                let mut normal = || -> f32 { rng.sample(StandardNormal) };
                let (common, own, other) = (normal(), normal(), normal());
                let middle = [0.0, 5.0][class];
                (
                    class,
                    vec![middle + common, middle + common + 0.1 * own, 2.0 * other],
                )
            })
            .collect()
    }

    #[test]
    fn limits_hold_99_percent_of_each_class() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let novelty = fit_novelty(&cells(&mut rng, 4000), &cells(&mut rng, 4000), 2).unwrap();
        let unseen = cells(&mut rng, 4000);
        let known = unseen
            .iter()
            .filter(|(class, features)| novelty.is_known(*class, features))
            .count();
        // Four standard deviations of a share of 0.99, twice: of the limit and of this count.
        assert!((3920..3992).contains(&known), "{known}");
        // 99 % of a χ distribution with three degrees of freedom: scipy.stats.chi(3).ppf(0.99) = 3.368.
        assert!(
            novelty.limit.iter().all(|limit| (limit - 3.37).abs() < 0.3),
            "{:?}",
            novelty.limit
        );
        // Against the correlation a cell is unlike all others.
        assert!(novelty.is_known(0, &[1.0, 1.0, 0.0]));
        assert!(!novelty.is_known(0, &[1.0, -1.0, 0.0]));
        assert!(!novelty.is_known(1, &[0.0, 0.0, 0.0]));
    }

    #[test]
    fn a_class_without_cells_gives_none() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let cells = cells(&mut rng, 100);
        assert!(fit_novelty(&cells, &cells, 3).is_none());
        assert!(fit_novelty(&cells, &[], 2).is_none());
        // Equal cells still give a distance.
        let equal = vec![(0, vec![1.0, 2.0]); 60];
        let novelty = fit_novelty(&equal, &equal, 1).unwrap();
        assert!(novelty.is_known(0, &[1.0, 2.0]) && !novelty.is_known(0, &[1.1, 2.0]));
    }
}
