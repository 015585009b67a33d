//! Distance of an image from the images that a network was trained on.
//!
//! A network gives an answer for any image, even for an unknown stain, lamp or object. Therefore the
//! manifest holds mean and covariance of a few features of the training images, and the distance of a
//! new image from them is measured (Mahalanobis distance; Lee et al. 2018, "A simple unified framework
//! for detecting out-of-distribution samples"). The features describe light, colour and texture; they
//! do not describe cells.

use serde::{Deserialize, Serialize};

use super::mahalanobis;
use crate::image::contract::{InputContract, Layout};
use crate::image::tensor::Tensor;
use crate::validation::FieldError;

/// Number of features of a descriptor.
pub const FEATURES: usize = 10;
/// Quantiles of each channel that are features.
const QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];
/// Added to the mean step so that a uniform image has a logarithm.
const MIN_STEP: f32 = 1e-3;

/// Features of a network's input: the 10th, 50th and 90th percentile of each channel in the tensor's
/// channel order and units, then the natural logarithm of the mean absolute difference between
/// neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descriptor(pub [f32; FEATURES]);

impl Descriptor {
    /// Computes the features of a tensor of the shape that `contract` defines.
    ///
    /// # Panics
    /// If the tensor has fewer elements than that shape.
    pub fn of(tensor: &Tensor, contract: &InputContract) -> Self {
        let (width, height) = (contract.width as usize, contract.height as usize);
        let plane = width * height;
        let channel = |channel: usize| match contract.layout {
            Layout::Nchw => tensor.data[channel * plane..][..plane].to_vec(),
            Layout::Nhwc => {
                let samples = tensor.data.iter().skip(channel);
                samples.step_by(3).copied().collect()
            }
        };
        let mut features = [0.0; FEATURES];
        let (quantiles, step) = features.split_at_mut(3 * QUANTILES.len());
        let mut steps = 0.0;
        for (number, quantiles) in quantiles.chunks_exact_mut(QUANTILES.len()).enumerate() {
            let mut samples = channel(number);
            steps += mean_step(&samples, width);
            for (feature, share) in quantiles.iter_mut().zip(QUANTILES) {
                let rank = (share * (samples.len() - 1) as f64).round() as usize;
                *feature = *samples.select_nth_unstable_by(rank, f32::total_cmp).1;
            }
        }
        step[0] = (steps / 3.0 + MIN_STEP).ln();
        Self(features)
    }
}

/// Mean absolute difference between neighbours in a row and in a column.
fn mean_step(samples: &[f32], width: usize) -> f32 {
    let across = samples
        .chunks_exact(width)
        .flat_map(|row| row.windows(2).map(|pair| (pair[1] - pair[0]).abs()));
    let below = samples.iter().skip(width);
    let down = samples.iter().zip(below).map(|(a, b)| (b - a).abs());
    let (sum, count) = across
        .chain(down)
        .fold((0.0_f64, 0_u32), |(sum, count), step| {
            (sum + f64::from(step), count + 1)
        });
    (sum / f64::from(count.max(1))) as f32
}

/// The distribution of the training images' descriptors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Mean of the descriptors of the training images, one value per feature.
    pub mean: [f32; FEATURES],
    /// Lower triangle of the Cholesky factor of the descriptors' covariance, row by row:
    /// [`FEATURES`] rows of 1, 2, 3 … values.
    pub factor: Vec<Vec<f32>>,
    /// Largest distance of an image that the network was trained for, above 0.
    pub limit: f32,
}

impl Domain {
    /// Mahalanobis distance of a descriptor from the training images, 0 or more; NaN if a feature is NaN.
    pub fn distance(&self, descriptor: &Descriptor) -> f32 {
        let features = descriptor.0.iter().zip(self.mean);
        let difference: Vec<f32> = features.map(|(feature, mean)| feature - mean).collect();
        mahalanobis::distance(&difference, &self.factor)
    }

    /// Refuses invalid values.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        let rows = self.factor.iter().map(Vec::len);
        if !rows.eq(1..=FEATURES) {
            return Err(FieldError::invalid(
                "domain.factor",
                format!("must be a lower triangle with {FEATURES} rows"),
            ));
        }
        let values = self.mean.iter().chain(self.factor.iter().flatten());
        if !values.chain([&self.limit]).all(|value| value.is_finite()) {
            return Err(FieldError::invalid("domain", "all values must be finite"));
        }
        let diagonal = self.factor.iter().filter_map(|row| row.last());
        if !diagonal.chain([&self.limit]).all(|value| *value > 0.0) {
            return Err(FieldError::invalid(
                "domain",
                "the limit and the diagonal of the factor must be above 0",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::contract::{ChannelOrder, Colour, ResizeFilter};

    fn contract(layout: Layout) -> InputContract {
        InputContract {
            width: 3,
            height: 2,
            channels: ChannelOrder::Rgb,
            layout,
            resize: ResizeFilter::Area,
            colour: Colour::Rgb,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }

    #[test]
    fn both_layouts_have_the_same_features() {
        let planes: Vec<f32> = [[0, 1, 2, 3, 4, 5], [7; 6], [5, 4, 3, 2, 1, 0]]
            .concat()
            .into_iter()
            .map(|sample| sample as f32)
            .collect();
        let pixels = (0..6).flat_map(|pixel| [0, 1, 2].map(|channel| channel * 6 + pixel));
        let interleaved = pixels.map(|index: usize| planes[index]).collect();
        let of = |data, layout| {
            let contract = contract(layout);
            let shape = contract.shape();
            Descriptor::of(&Tensor { shape, data }, &contract)
        };
        let descriptor = of(planes, Layout::Nchw);
        assert_eq!(descriptor, of(interleaved, Layout::Nhwc));
        // Rows differ by one from pixel to pixel and by three from each other: (4 · 1 + 3 · 3) / 7.
        let step = 2.0 / 3.0 * 13.0 / 7.0 + MIN_STEP;
        let expected = [1.0, 3.0, 5.0, 7.0, 7.0, 7.0, 1.0, 3.0, 5.0, step.ln()];
        for (feature, expected) in descriptor.0.into_iter().zip(expected) {
            assert!(
                (feature - expected).abs() <= 1.0_f32.min(expected.abs() * 1e-5),
                "{descriptor:?}"
            );
        }
    }

    #[test]
    fn distance_counts_standard_deviations_of_correlated_features() {
        // Covariance [[4, 2], [2, 2]] has the factor [[2], [1, 1]]; the other features have unit variance.
        let mut factor: Vec<Vec<f32>> = (0..FEATURES)
            .map(|row| {
                (0..=row)
                    .map(|column| f32::from(u8::from(row == column)))
                    .collect()
            })
            .collect();
        factor[0] = vec![2.0];
        factor[1] = vec![1.0, 1.0];
        let domain = Domain {
            mean: [1.0; FEATURES],
            factor,
            limit: 3.0,
        };
        let at = |first: f32, second: f32| {
            let mut features = [1.0; FEATURES];
            features[0] += first;
            features[1] += second;
            domain.distance(&Descriptor(features))
        };
        assert!(at(0.0, 0.0) < 1e-6);
        // By the inverse covariance [[0.5, -0.5], [-0.5, 1]]: d² = a²/2 − ab + b².
        for (a, b) in [(2.0_f32, 0.0), (0.0, 1.0), (2.0, 2.0), (-3.0, 1.0)] {
            let expected = (0.5 * a * a - a * b + b * b).sqrt();
            assert!((at(a, b) - expected).abs() < 1e-5, "{a}, {b}");
        }
        assert!(at(f32::NAN, 0.0).is_nan());
    }
}
