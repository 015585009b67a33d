//! Forward and backward passes of convolution on the CPU.
//!
//! An image is stored with channels last, so that windows are overlapping rows of a matrix that is
//! multiplied with the kernel in place (Anderson et al. 2017, "Low-memory GEMM-based convolution
//! algorithms for deep neural networks"). Each image is one task. Sums over images are added in the order
//! of the images, so that the number of threads does not change the result.

use std::ops::Range;

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::options::ConvolutionOptions;
use super::padded::Padded;
use super::product::{Matrix, multiply};

/// Windows per matrix product: enough for efficient calls, few enough for the sums to stay in the cache.
const WINDOWS: usize = 512;

/// Sizes of a convolution; pairs are rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) channels: usize,
    pub(super) input: [usize; 2],
    pub(super) filters: usize,
    pub(super) kernel: [usize; 2],
    pub(super) options: ConvolutionOptions,
}

impl Shape {
    /// Rows and columns of the output.
    pub(super) fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            (self.input[axis] + 2 * self.options.padding - self.kernel[axis]) / self.options.stride
                + 1
        })
    }

    fn input_len(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    fn output_len(&self) -> usize {
        let [rows, columns] = self.output();
        self.filters * rows * columns
    }

    fn padded_input(&self) -> Padded {
        let sides = self.input.map(|side| side + 2 * self.options.padding);
        Padded::new(self.channels, sides, self.options.stride)
    }

    fn put_input(&self, padded: &mut Padded, image: &[f32]) {
        let corner = [self.options.padding; 2];
        padded.put(|range| image[range].iter().copied(), self.input, corner);
    }

    /// Index of a weight in a kernel `[filters, channels, rows, columns]`.
    fn weight(&self, filter: usize, channel: usize, row: usize, column: usize) -> usize {
        let [rows, columns] = self.kernel;
        ((filter * self.channels + channel) * rows + row) * columns + column
    }
}

/// `[n, filters, …]` from `[n, channels, …]`, `[filters, channels, …]` and `[filters]`.
pub(super) fn forward(shape: &Shape, input: &[f32], kernel: &[f32], bias: &[f32]) -> Vec<f32> {
    let [rows, columns] = shape.output();
    let [kernel_rows, kernel_columns] = shape.kernel;
    let mut weights = Vec::with_capacity(kernel.len());
    for row in 0..kernel_rows {
        for column in 0..kernel_columns {
            for channel in 0..shape.channels {
                weights.extend(
                    (0..shape.filters)
                        .map(|filter| kernel[shape.weight(filter, channel, row, column)]),
                );
            }
        }
    }
    let images = input.len() / shape.input_len();
    let mut output = vec![0.0; images * shape.output_len()];
    output
        .par_chunks_exact_mut(shape.output_len())
        .zip(input.par_chunks_exact(shape.input_len()))
        .for_each_init(
            || (shape.padded_input(), Vec::new()),
            |(padded, sums), (output, image)| {
                shape.put_input(padded, image);
                let correlation = Correlation {
                    input: padded,
                    corner: [0, 0],
                    weights: &weights,
                    window: shape.kernel,
                    filters: shape.filters,
                    output: [rows, columns],
                };
                correlation.run(sums, |row, sums| {
                    for (filter, bias) in bias.iter().enumerate() {
                        let start = (filter * rows + row) * columns;
                        let sums = sums[filter..].iter().step_by(shape.filters);
                        for (value, sum) in output[start..][..columns].iter_mut().zip(sums) {
                            *value = shape.options.activate(sum + bias);
                        }
                    }
                });
            },
        );
    output
}

/// An output, `[n, filters, …]`, with its gradient.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutputGradient<'a> {
    pub(super) values: &'a [f32],
    pub(super) output: &'a [f32],
}

impl OutputGradient<'_> {
    /// The gradient of a range of one image's sums, before the activation.
    fn of_image(
        &self,
        number: usize,
        shape: &Shape,
        range: Range<usize>,
    ) -> impl Iterator<Item = f32> {
        let start = number * shape.output_len();
        let range = start + range.start..start + range.end;
        let pairs = self.values[range.clone()].iter().zip(&self.output[range]);
        let options = shape.options;
        pairs.map(move |(&gradient, &output)| options.gradient(gradient, output))
    }
}

/// Gradient of the input, `[n, channels, …]`.
///
/// With a stride of s this takes s² correlations without stride, since only rows and columns of the
/// input that are s apart meet the same part of the kernel.
pub(super) fn input_gradient(shape: &Shape, kernel: &[f32], gradient: OutputGradient) -> Vec<f32> {
    let &Shape {
        channels,
        filters,
        input: [rows, columns],
        options: ConvolutionOptions { stride, .. },
        ..
    } = shape;
    let [row_phases, column_phases] = [0, 1].map(|axis| Phase::all(shape, axis));
    let phases: Vec<(&Phase, &Phase, Vec<f32>)> = row_phases
        .iter()
        .flat_map(|row| column_phases.iter().map(move |column| (row, column)))
        .map(|(row, column)| {
            let mut weights = Vec::new();
            for &tap_row in &row.taps {
                for &tap_column in &column.taps {
                    for filter in 0..filters {
                        weights.extend((0..channels).map(|channel| {
                            kernel[shape.weight(filter, channel, tap_row, tap_column)]
                        }));
                    }
                }
            }
            (row, column, weights)
        })
        .collect();
    let before = Phase::before(shape);
    let sides = [0, 1]
        .map(|axis| before[axis] + (shape.input[axis] - 1 + shape.options.padding) / stride + 1);
    let images = gradient.values.len() / shape.output_len();
    let mut values = vec![0.0; images * shape.input_len()];
    values
        .par_chunks_exact_mut(shape.input_len())
        .enumerate()
        .for_each_init(
            || (Padded::new(filters, sides, 1), Vec::new()),
            |(padded, sums), (number, values)| {
                padded.put(
                    |range| gradient.of_image(number, shape, range),
                    shape.output(),
                    before,
                );
                for (row, column, weights) in &phases {
                    let correlation = Correlation {
                        input: padded,
                        corner: [row.corner, column.corner],
                        weights,
                        window: [row.taps.len(), column.taps.len()],
                        filters: channels,
                        output: [row.count, column.count],
                    };
                    correlation.run(sums, |y, sums| {
                        let y = row.first + y * stride;
                        for channel in 0..channels {
                            let start = (channel * rows + y) * columns + column.first;
                            let places = values[start..].iter_mut().step_by(stride);
                            let sums = sums[channel..].iter().step_by(channels);
                            for (value, sum) in places.zip(sums) {
                                *value = *sum;
                            }
                        }
                    });
                }
            },
        );
    values
}

/// The rows, or the columns, of the input that are a stride apart.
#[derive(Debug)]
struct Phase {
    /// The first row.
    first: usize,
    count: usize,
    /// Rows of the kernel that meet them, in descending order.
    taps: Vec<usize>,
    /// First row of the padded gradient that depends on them.
    corner: usize,
}

impl Phase {
    /// Zeros before the gradient, so that the first row of the input has as many terms as the others.
    fn before(shape: &Shape) -> [usize; 2] {
        shape
            .kernel
            .map(|side| side.div_ceil(shape.options.stride) - 1)
    }

    /// The phases that the kernel meets.
    fn all(shape: &Shape, axis: usize) -> Vec<Self> {
        let ConvolutionOptions {
            stride, padding, ..
        } = shape.options;
        let (side, kernel) = (shape.input[axis], shape.kernel[axis]);
        (0..stride.min(side))
            .map(|first| {
                let taps: Vec<usize> = ((first + padding) % stride..kernel)
                    .step_by(stride)
                    .collect();
                Self {
                    first,
                    count: (side - first).div_ceil(stride),
                    corner: Self::before(shape)[axis] + (first + padding) / stride + 1 - taps.len(),
                    taps: taps.into_iter().rev().collect(),
                }
            })
            .filter(|phase| !phase.taps.is_empty())
            .collect()
    }
}

/// Gradients of the kernel, `[filters, channels, …]`, and of the bias, `[filters]`.
pub(super) fn parameter_gradients(
    shape: &Shape,
    input: &[f32],
    gradient: OutputGradient,
) -> (Vec<f32>, Vec<f32>) {
    let &Shape {
        channels, filters, ..
    } = shape;
    let [rows, columns] = shape.output();
    let [kernel_rows, kernel_columns] = shape.kernel;
    let depth = kernel_columns * channels;
    let images = input.par_chunks_exact(shape.input_len()).enumerate();
    // `[kernel_rows, kernel_columns, channels, filters]`, then the bias' `[filters]`.
    let sums: Vec<Vec<f32>> = images
        .map_init(
            || {
                let padded = shape.padded_input();
                // As wide as the rows of windows; the gradient right of the output stays zero, so that
                // the windows there contribute nothing.
                let sides = [rows, padded.windows_per_row()];
                (padded, Padded::new(filters, sides, 1))
            },
            |(padded, gradients), (number, image)| {
                shape.put_input(padded, image);
                gradients.put(
                    |range| gradient.of_image(number, shape, range),
                    [rows, columns],
                    [0, 0],
                );
                let windows = (rows - 1) * padded.windows_per_row() + columns;
                let by_filter = Matrix::new(gradients.from(0, 0), [filters, windows], [1, filters]);
                let mut sums = vec![0.0; (kernel_rows * depth + 1) * filters];
                let (weights, bias) = sums.split_at_mut(kernel_rows * depth * filters);
                for (row, weights) in weights.chunks_exact_mut(depth * filters).enumerate() {
                    let by_window = Matrix::new(
                        padded.from(row, 0),
                        [windows, depth],
                        [shape.options.stride * channels, 1],
                    );
                    multiply(by_filter, by_window, weights, false);
                }
                let ones = Matrix::new(&[1.0], [windows, 1], [0, 0]);
                multiply(by_filter, ones, bias, false);
                sums
            },
        )
        .collect();
    let sums = sums.into_iter().reduce(|mut total, image| {
        for (total, value) in total.iter_mut().zip(image) {
            *total += value;
        }
        total
    });
    let mut sums = sums.unwrap_or_else(|| vec![0.0; (kernel_rows * depth + 1) * filters]);
    let bias = sums.split_off(kernel_rows * depth * filters);
    let mut kernel = vec![0.0; sums.len()];
    let mut sums = sums.into_iter();
    for row in 0..kernel_rows {
        for column in 0..kernel_columns {
            for channel in 0..channels {
                for (filter, sum) in sums.by_ref().take(filters).enumerate() {
                    kernel[shape.weight(filter, channel, row, column)] = sum;
                }
            }
        }
    }
    (kernel, bias)
}

/// A correlation of one image with a kernel.
struct Correlation<'a> {
    input: &'a Padded,
    /// Row and column of the first window.
    corner: [usize; 2],
    /// `[window rows, window columns, channels, filters]`
    weights: &'a [f32],
    window: [usize; 2],
    filters: usize,
    output: [usize; 2],
}

impl Correlation<'_> {
    /// Calls `emit` with the number and the values, `[columns, filters]`, of each row of the output.
    fn run(&self, sums: &mut Vec<f32>, mut emit: impl FnMut(usize, &[f32])) {
        let [rows, columns] = self.output;
        let [row, column] = self.corner;
        let per_row = self.input.windows_per_row();
        let depth = self.window[1] * self.input.channels();
        let rows_at_once = (WINDOWS / per_row).max(1);
        for first in (0..rows).step_by(rows_at_once) {
            let count = rows_at_once.min(rows - first);
            // Includes windows that cross from one row to the next, whose results are ignored.
            let windows = (count - 1) * per_row + columns;
            sums.resize(windows * self.filters, 0.0);
            let weights = self.weights.chunks_exact(depth * self.filters);
            for (window_row, weights) in weights.enumerate() {
                let weights = Matrix::new(weights, [self.filters, depth], [1, self.filters]);
                let input = self
                    .input
                    .from(row + first * self.input.step() + window_row, column);
                let steps = [1, self.input.step() * self.input.channels()];
                let input = Matrix::new(input, [depth, windows], steps);
                multiply(weights, input, sums, window_row > 0);
            }
            for (row, sums) in sums.chunks(per_row * self.filters).enumerate() {
                emit(first + row, &sums[..columns * self.filters]);
            }
        }
    }
}
