//! How far a picture lies from those that a network was trained on.
//!
//! A network answers any picture, also one of a stain, a lamp or a thing that it never met. So what its
//! training pictures look like is kept as mean and covariance of a few figures of the network's
//! input, and a new picture is measured against them (Mahalanobis distance; Lee et al. 2018, "A simple
//! unified framework for detecting out-of-distribution samples"). The figures know light, colour and
//! how busy the picture is; they do not know cells.

use serde::{Deserialize, Serialize};

use crate::{InputContract, Layout, Tensor};

/// Figures of a descriptor.
pub const FEATURES: usize = 10;
/// Shares of the samples of a channel that lie below its figures.
const QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];
/// Added to the mean step before its logarithm is taken, so that a flat picture has one.
const SMALLEST_STEP: f32 = 1e-3;

/// What a network's input looks like: the 10th, 50th and 90th percentile of each channel in the tensor's
/// order and units, then the natural logarithm of the mean step between neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descriptor(pub [f32; FEATURES]);

impl Descriptor {
    /// Describes a tensor of the shape in `contract`.
    ///
    /// # Panics
    /// If it has fewer samples than that.
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
        let mut figures = [0.0; FEATURES];
        let (quantiles, step) = figures.split_at_mut(3 * QUANTILES.len());
        let mut steps = 0.0;
        for (number, quantiles) in quantiles.chunks_exact_mut(QUANTILES.len()).enumerate() {
            let mut samples = channel(number);
            steps += mean_step(&samples, width);
            for (figure, share) in quantiles.iter_mut().zip(QUANTILES) {
                let rank = (share * (samples.len() - 1) as f64).round() as usize;
                *figure = *samples.select_nth_unstable_by(rank, f32::total_cmp).1;
            }
        }
        step[0] = (steps / 3.0 + SMALLEST_STEP).ln();
        Self(figures)
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

/// Where the pictures of the training lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Mean descriptor.
    pub mean: [f32; FEATURES],
    /// Lower triangle of the Cholesky factor of the descriptors' covariance, row by row:
    /// [`FEATURES`] rows of 1, 2, 3 … values.
    pub factor: Vec<Vec<f32>>,
    /// A picture at a larger distance is none that the network was trained for.
    pub limit: f32,
}

impl Domain {
    /// Mahalanobis distance of a picture, 0 and more; NaN if the descriptor holds one.
    pub fn distance(&self, descriptor: &Descriptor) -> f32 {
        // Forward substitution: solves factor · z = descriptor − mean.
        let mut solved = [0.0_f32; FEATURES];
        for (row, factors) in self.factor.iter().enumerate().take(FEATURES) {
            let known: f32 = factors.iter().zip(&solved[..row]).map(|(f, z)| f * z).sum();
            let diagonal = factors.get(row).copied().unwrap_or(f32::NAN);
            solved[row] = (descriptor.0[row] - self.mean[row] - known) / diagonal;
        }
        solved.iter().map(|z| z * z).sum::<f32>().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChannelOrder, ResizeFilter};

    fn contract(layout: Layout) -> InputContract {
        InputContract {
            width: 3,
            height: 2,
            channels: ChannelOrder::Rgb,
            layout,
            resize: ResizeFilter::Area,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }

    #[test]
    fn both_layouts_give_the_same_figures() {
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
        let step = 2.0 / 3.0 * 13.0 / 7.0 + SMALLEST_STEP;
        let expected = [1.0, 3.0, 5.0, 7.0, 7.0, 7.0, 1.0, 3.0, 5.0, step.ln()];
        for (figure, expected) in descriptor.0.into_iter().zip(expected) {
            assert!(
                (figure - expected).abs() <= 1.0_f32.min(expected.abs() * 1e-5),
                "{descriptor:?}"
            );
        }
    }

    #[test]
    fn distance_counts_standard_deviations_along_correlated_figures() {
        // Covariance [[4, 2], [2, 2]] has the factor [[2], [1, 1]]; the other figures have unit variance.
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
            let mut figures = [1.0; FEATURES];
            figures[0] += first;
            figures[1] += second;
            domain.distance(&Descriptor(figures))
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
