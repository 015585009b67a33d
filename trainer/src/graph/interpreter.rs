//! Evaluates a graph in double precision: the reference for tests of exports, and the source of value
//! ranges.

use super::nodes::{Graph, Node};
use super::operation::Operation;

/// The values of every node for an input.
pub(crate) fn run(graph: &Graph, input: &[f32]) -> Vec<Vec<f64>> {
    let mut values: Vec<Vec<f64>> = Vec::new();
    for node in graph.nodes() {
        let of = |input: usize| values[node.inputs[input].index()].as_slice();
        let shape_of = |input: usize| graph.node(node.inputs[input]).shape.as_slice();
        let result = match &node.operation {
            Operation::Parameter => input.iter().copied().map(f64::from).collect(),
            Operation::Weights(weights) => weights.iter().copied().map(f64::from).collect(),
            Operation::HalfWeights(weights) => weights.iter().map(|value| value.to_f64()).collect(),
            Operation::ByteWeights(weights) => weights.iter().copied().map(f64::from).collect(),
            Operation::FakeQuantise { levels } => {
                let [low, high] = [of(1)[0], of(2)[0]];
                let steps = *levels as f64 - 1.0;
                let level = |value: f64| ((value - low) / (high - low) * steps).round_ties_even();
                let rounded =
                    |&value: &f64| level(value.clamp(low, high)) / steps * (high - low) + low;
                of(0).iter().map(rounded).collect()
            }
            Operation::Integers(integers) => integers.iter().map(|&value| value as f64).collect(),
            Operation::Convolution { stride, padding } => convolve(
                node,
                (of(0), shape_of(0)),
                (of(1), shape_of(1)),
                *stride,
                *padding,
            ),
            Operation::GlobalAveragePool => {
                let plane = shape_of(0)[2] * shape_of(0)[3];
                let mean = |plane: &[f64]| plane.iter().sum::<f64>() / plane.len() as f64;
                of(0).chunks(plane).map(mean).collect()
            }
            Operation::MaxPool { window } => pool(node, of(0), shape_of(0), *window),
            Operation::Add => broadcast(of(0), of(1), shape_of(0), shape_of(1), |a, b| a + b),
            Operation::Multiply => broadcast(of(0), of(1), shape_of(0), shape_of(1), |a, b| a * b),
            Operation::MatMul => {
                let (rows, inner, columns) = (shape_of(0)[0], shape_of(0)[1], shape_of(1)[1]);
                let dot = |row: usize, column: usize| {
                    (0..inner)
                        .map(|k| of(0)[row * inner + k] * of(1)[k * columns + column])
                        .sum()
                };
                (0..rows * columns)
                    .map(|at| dot(at / columns, at % columns))
                    .collect()
            }
            Operation::Relu => of(0).iter().map(|value| value.max(0.0)).collect(),
            Operation::Sigmoid => {
                let sigmoid = |value: &f64| 1.0 / (1.0 + (-value).exp());
                of(0).iter().map(sigmoid).collect()
            }
            Operation::Reshape | Operation::Result | Operation::Convert => of(0).to_vec(),
            Operation::Softmax => {
                let classes = shape_of(0)[1];
                let rows = of(0).chunks(classes).map(softmax);
                rows.collect::<Vec<Vec<f64>>>().concat()
            }
            Operation::Tile => tile(of(0), shape_of(0), &node.shape),
            Operation::ReduceSum => {
                let (channels, plane) = (shape_of(0)[1], shape_of(0)[2] * shape_of(0)[3]);
                let sum = |image: &[f64], at| image[at..].iter().step_by(plane).sum();
                let images = of(0).chunks(channels * plane);
                images
                    .flat_map(|image| (0..plane).map(move |at| sum(image, at)))
                    .collect()
            }
        };
        assert_eq!(
            result.len(),
            node.shape.iter().product::<usize>(),
            "{}",
            node.name
        );
        values.push(result);
    }
    values
}

/// The values of the node with this name.
#[cfg(test)]
pub(crate) fn output<'a>(graph: &Graph, values: &'a [Vec<f64>], name: &str) -> &'a [f64] {
    let position = graph.nodes().iter().position(|node| node.name == name);
    &values[position.expect(name)]
}

fn convolve(
    node: &Node,
    (image, image_shape): (&[f64], &[usize]),
    (kernel, kernel_shape): (&[f64], &[usize]),
    stride: usize,
    padding: usize,
) -> Vec<f64> {
    let [channels, rows, columns] = [1, 2, 3].map(|axis| image_shape[axis]);
    let mut result = Vec::new();
    for image in image.chunks(channels * rows * columns) {
        for filter in 0..node.shape[1] {
            for y in 0..node.shape[2] {
                for x in 0..node.shape[3] {
                    let mut sum = 0.0;
                    for channel in 0..channels {
                        for v in 0..kernel_shape[2] {
                            for u in 0..kernel_shape[3] {
                                let (Some(row), Some(column)) = (
                                    (y * stride + v).checked_sub(padding),
                                    (x * stride + u).checked_sub(padding),
                                ) else {
                                    continue;
                                };
                                if row < rows && column < columns {
                                    let tap = ((filter * channels + channel) * kernel_shape[2] + v)
                                        * kernel_shape[3]
                                        + u;
                                    let at = (channel * rows + row) * columns + column;
                                    sum += image[at] * kernel[tap];
                                }
                            }
                        }
                    }
                    result.push(sum);
                }
            }
        }
    }
    result
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let total: f64 = logits.iter().map(|value| value.exp()).sum();
    logits.iter().map(|value| value.exp() / total).collect()
}

/// Repeats a tensor along its axes, up to a larger shape.
fn tile(values: &[f64], from: &[usize], to: &[usize]) -> Vec<f64> {
    (0..to.iter().product())
        .map(|mut at: usize| {
            let (mut position, mut step) = (0, 1);
            for (&extent, &larger) in from.iter().zip(to).rev() {
                position += at % larger % extent * step;
                at /= larger;
                step *= extent;
            }
            values[position]
        })
        .collect()
}

fn pool(node: &Node, image: &[f64], image_shape: &[usize], window: usize) -> Vec<f64> {
    let mut result = Vec::new();
    // Of every image.
    for channel in 0..node.shape[0] * node.shape[1] {
        for y in 0..node.shape[2] {
            for x in 0..node.shape[3] {
                let cells = (0..window * window).map(|cell| {
                    let (row, column) = (y * window + cell / window, x * window + cell % window);
                    image[(channel * image_shape[2] + row) * image_shape[3] + column]
                });
                result.push(cells.fold(f64::NEG_INFINITY, f64::max));
            }
        }
    }
    result
}

/// The right-hand side has extent 1 wherever it does not match.
fn broadcast(
    left: &[f64],
    right: &[f64],
    left_shape: &[usize],
    right_shape: &[usize],
    operation: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    left.iter()
        .enumerate()
        .map(|(mut at, &value)| {
            let (mut position, mut stride) = (0, 1);
            for (&extent, &other) in left_shape.iter().zip(right_shape).rev() {
                position += (at % extent).min(other - 1) * stride;
                at /= extent;
                stride *= other;
            }
            operation(value, right[position])
        })
        .collect()
}
