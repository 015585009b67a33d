//! Forward and backward passes of batch normalisation with a ReLU on the CPU.
//!
//! One pass over the batch measures sums, another one writes the result; nothing else is stored. Each
//! plane, the positions of one channel in one image, is one task. Sums of planes are added in the order of
//! the images, so that the number of threads does not change the result.

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

/// Added to variances, so that a constant channel does not divide by zero. `PyTorch`'s value; Ioffe and
/// Szegedy 2015 leave it open.
pub(crate) const EPSILON: f32 = 1e-5;
/// Sums that a processor can add at the same time.
const LANES: usize = 8;

/// Sizes of a batch, `[images, channels, plane]`; any number of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) channels: usize,
    /// Positions of an image.
    pub(super) plane: usize,
}

/// Mean and variance of each channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statistics<'a> {
    pub(super) mean: &'a [f32],
    pub(super) variance: &'a [f32],
}

/// What is learned, for each channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters<'a> {
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
}

/// The normalisation of a channel: subtracts the mean, then multiplies and adds.
#[derive(Debug, Clone, Copy)]
struct Normalisation {
    mean: f32,
    /// Reciprocal of the standard deviation.
    sharpness: f32,
    scale: f32,
    shift: f32,
}

impl Normalisation {
    fn of(channel: usize, statistics: Statistics, parameters: Parameters) -> Self {
        Self {
            mean: statistics.mean[channel],
            sharpness: (statistics.variance[channel] + EPSILON).sqrt().recip(),
            scale: parameters.scale[channel],
            shift: parameters.shift[channel],
        }
    }

    /// A value with mean 0 and variance 1.
    fn standard(self, value: f32) -> f32 {
        (value - self.mean) * self.sharpness
    }

    /// Applied before the ReLU.
    fn apply(self, value: f32) -> f32 {
        self.standard(value) * self.scale + self.shift
    }

    /// The gradient before the ReLU, of which the gradient after it is given.
    fn gradient(self, value: f32, gradient: f32) -> f32 {
        if self.apply(value) <= 0.0 {
            0.0
        } else {
            gradient
        }
    }
}

/// Mean and (biased) variance of each channel.
pub(super) fn statistics(shape: Shape, input: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let count = (input.len() / shape.channels) as f64;
    let planes = input.par_chunks_exact(shape.plane);
    let sums = planes.map(|plane| {
        sums(plane, plane, |value, _| {
            let value = f64::from(value);
            [value, value * value]
        })
    });
    let sums: Vec<[f64; 2]> = sums.collect();
    by_channel(shape, &sums)
        .into_iter()
        .map(|[sum, squares]| {
            let mean = sum / count;
            let variance = (squares / count - mean * mean).max(0.0);
            (mean as f32, variance as f32)
        })
        .unzip()
}

/// The normalised and rectified values.
pub(super) fn forward(
    shape: Shape,
    input: &[f32],
    statistics: Statistics,
    parameters: Parameters,
) -> Vec<f32> {
    let mut output = vec![0.0; input.len()];
    output
        .par_chunks_exact_mut(shape.plane)
        .zip(input.par_chunks_exact(shape.plane))
        .enumerate()
        .for_each(|(plane, (output, input))| {
            let channel = plane % shape.channels;
            let normalisation = Normalisation::of(channel, statistics, parameters);
            for (output, &input) in output.iter_mut().zip(input) {
                let value = normalisation.apply(input);
                // `max` would turn NaN into zero and hide a failed training.
                *output = if value <= 0.0 { 0.0 } else { value };
            }
        });
    output
}

/// Gradients of the input, the scale and the shift, from that of the output.
pub(super) fn backward(
    shape: Shape,
    input: &[f32],
    statistics: Statistics,
    parameters: Parameters,
    gradient: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let count = (input.len() / shape.channels) as f64;
    let normalisations: Vec<Normalisation> = (0..shape.channels)
        .map(|channel| Normalisation::of(channel, statistics, parameters))
        .collect();
    let pairs = input
        .par_chunks_exact(shape.plane)
        .zip(gradient.par_chunks_exact(shape.plane))
        .enumerate();
    let sums = pairs.clone().map(|(plane, (input, gradient))| {
        let normalisation = normalisations[plane % shape.channels];
        sums(input, gradient, |value, gradient| {
            let gradient = normalisation.gradient(value, gradient);
            let product = gradient * normalisation.standard(value);
            [gradient.into(), product.into()]
        })
    });
    let sums: Vec<[f64; 2]> = sums.collect();
    let sums = by_channel(shape, &sums);
    let mut values = vec![0.0; input.len()];
    values
        .par_chunks_exact_mut(shape.plane)
        .zip(pairs)
        .for_each(|(values, (plane, (input, gradient)))| {
            let channel = plane % shape.channels;
            let normalisation = normalisations[channel];
            // Mean and variance depend on every value of the channel (Ioffe and Szegedy 2015, section 3).
            let [of_mean, of_variance] = sums[channel].map(|sum| (sum / count) as f32);
            let factor = normalisation.scale * normalisation.sharpness;
            let pairs = input.iter().zip(gradient);
            for (into, (&value, &gradient)) in values.iter_mut().zip(pairs) {
                let gradient = normalisation.gradient(value, gradient);
                let common = of_mean + normalisation.standard(value) * of_variance;
                *into = factor * (gradient - common);
            }
        });
    let (shift, scale) = sums
        .into_iter()
        .map(|[gradient, product]| (gradient as f32, product as f32))
        .unzip();
    (values, scale, shift)
}

/// The sums of what is computed from pairs of values of a plane, in double precision.
fn sums(left: &[f32], right: &[f32], terms: impl Fn(f32, f32) -> [f64; 2]) -> [f64; 2] {
    let mut totals = [[0.0; LANES]; 2];
    let mut add = |lane: usize, left: f32, right: f32| {
        let [first, second] = terms(left, right);
        totals[0][lane] += first;
        totals[1][lane] += second;
    };
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks(), right.as_chunks());
    for (left, right) in left.iter().zip(right) {
        let (left, right): (&[f32; LANES], &[f32; LANES]) = (left, right);
        for lane in 0..LANES {
            add(lane, left[lane], right[lane]);
        }
    }
    for (lane, (&left, &right)) in left_rest.iter().zip(right_rest).enumerate() {
        add(lane, left, right);
    }
    totals.map(|lanes| lanes.iter().sum())
}

/// The sums of each channel over all images.
fn by_channel(shape: Shape, of_planes: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut totals = vec![[0.0; 2]; shape.channels];
    for image in of_planes.chunks_exact(shape.channels) {
        for (total, sums) in totals.iter_mut().zip(image) {
            total[0] += sums[0];
            total[1] += sums[1];
        }
    }
    totals
}
