//! Conversion of a network to lower precision.

use half::f16;

use super::interpreter;
use super::nodes::{Graph, Node, Value};
use super::operation::Operation;

/// Levels of an 8-bit activation.
const LEVELS: usize = 256;
/// The largest symmetric weight: of seven bits, because the sums of two products of eight bits overflow on x86 processors without
/// VNNI (OpenVINO's documentation, "Saturation (overflow) Issue Workaround").
const LARGEST_WEIGHT: f32 = 63.0;

/// Converts weights to half precision. Runtimes expand them on loading, or use them directly on devices
/// that compute in half precision.
pub(crate) fn halve(graph: &Graph) -> Graph {
    rebuild(graph, |halved, node, inputs| match &node.operation {
        Operation::Weights(values) => {
            let values = values.iter().copied().map(f16::from_f32).collect();
            let stored = halved.half_weights(&format!("{}/half", node.name), &node.shape, values);
            halved.convert(&node.name, stored)
        }
        _ => halved.copy(node, inputs),
    })
}

/// The range of the values of each node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranges(Vec<Option<[f32; 2]>>);

impl Ranges {
    /// Measures the ranges on some inputs.
    pub(crate) fn of<'a>(graph: &Graph, inputs: impl Iterator<Item = &'a [f32]>) -> Self {
        let mut ranges = vec![None; graph.nodes().len()];
        for input in inputs {
            let values = interpreter::run(graph, input);
            for (range, values) in ranges.iter_mut().zip(&values) {
                let [low, high] = range.get_or_insert([0.0_f32; 2]);
                for &value in values {
                    *low = low.min(value as f32);
                    *high = high.max(value as f32);
                }
            }
        }
        Self(ranges)
    }
}

/// Converts convolutions to 8 bits: weights of seven bits symmetrically per filter, activations within the measured
/// ranges (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
/// Integer-Arithmetic-Only Inference"). The head is not changed.
pub(crate) fn quantise(graph: &Graph, ranges: &Ranges) -> Graph {
    let convolutions = graph.nodes().iter().filter(|node| is_convolution(node));
    let kernels: Vec<&str> = convolutions
        .map(|node| graph.node(node.inputs[1]).name.as_str())
        .collect();
    rebuild(graph, |quantised, node, inputs| match &node.operation {
        Operation::Convolution { stride, padding } => {
            let range = ranges.0[node.inputs[0].index()].unwrap_or([0.0, 1.0]);
            let name = format!("{}/levels", node.name);
            let image = quantised.fake_quantise(&name, inputs[0], range, LEVELS);
            quantised.convolution(&node.name, image, inputs[1], *stride, *padding)
        }
        Operation::Weights(values) if kernels.contains(&node.name.as_str()) => {
            quantise_filters(quantised, node, values)
        }
        _ => quantised.copy(node, inputs),
    })
}

fn is_convolution(node: &Node) -> bool {
    matches!(node.operation, Operation::Convolution { .. })
}

fn quantise_filters(graph: &mut Graph, kernel: &Node, values: &[f32]) -> Value {
    let Node { name, shape, .. } = kernel;
    let filters = || values.chunks(values.len() / shape[0]);
    let largest = |filter: &[f32]| filter.iter().fold(f32::MIN_POSITIVE, |a, b| a.max(b.abs()));
    let scales: Vec<f32> = filters().map(|f| largest(f) / LARGEST_WEIGHT).collect();
    let steps = filters().zip(&scales).flat_map(|(filter, scale)| {
        let step = move |weight: &f32| (weight / scale).round() as i8;
        filter.iter().map(step)
    });
    let stored = graph.byte_weights(&format!("{name}/steps"), shape, steps.collect());
    let expanded = graph.convert(&format!("{name}/expanded"), stored);
    let scales = graph.weights(&format!("{name}/scales"), &[shape[0], 1, 1, 1], scales);
    graph.multiply(name, expanded, scales)
}

/// Builds a new graph by replacing each node.
fn rebuild(graph: &Graph, mut replace: impl FnMut(&mut Graph, &Node, &[Value]) -> Value) -> Graph {
    let mut rebuilt = Graph::default();
    let mut place: Vec<Value> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let inputs: Vec<Value> = node
            .inputs
            .iter()
            .map(|input| place[input.index()])
            .collect();
        place.push(replace(&mut rebuilt, node, &inputs));
    }
    rebuilt
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Exported, assert_runtimes_agree};
    use super::super::{ir, onnx};
    use super::*;
    use crate::networks::{Architecture, EVIDENCE, Network, PROBABILITY};

    /// A network and an input with varied values.
    fn example() -> (Graph, Vec<f32>) {
        let architecture = Architecture::COMPACT;
        let graph = Network::init(architecture, 3, &burn::tensor::Device::flex()).graph();
        let count = 3 * architecture.side().pow(2);
        let input =
            (0..count).map(|i| ((i * 37 % 101) as f32 / 50.0 - 1.0) * (1.0 + (i % 7) as f32 / 3.0));
        (graph, input.collect())
    }

    /// Both outputs, computed by the interpreter.
    fn outputs(graph: &Graph, input: &[f32]) -> Vec<f64> {
        let values = interpreter::run(graph, input);
        let output = |name| interpreter::output(graph, &values, name).to_vec();
        [output(PROBABILITY), output(EVIDENCE)].concat()
    }

    fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
        assert_eq!(a.len(), b.len());
        let pairs = a.iter().zip(b);
        pairs.fold(0.0, |most, (a, b)| most.max((a - b).abs()))
    }

    #[test]
    fn onnx_is_read_as_it_was_written() {
        let (graph, input) = example();
        let bytes = onnx::write(&graph, "example").unwrap();
        let read = onnx::read(&bytes).unwrap();
        assert_eq!(outputs(&read, &input), outputs(&graph, &input));
        for cut in [1, bytes.len() / 2, bytes.len() - 1] {
            assert!(onnx::read(&bytes[..cut]).is_err());
        }
        assert!(onnx::write(&halve(&graph), "half").is_err());
    }

    #[test]
    fn lower_precision_changes_little_and_saves_space() {
        let (graph, input) = example();
        let truth = outputs(&graph, &input);
        let size = |graph: &Graph| ir::write(graph, "example").unwrap().bin.len();
        let half = halve(&graph);
        // Eleven significant bits.
        assert!(largest_difference(&outputs(&half, &input), &truth) < 1e-3);
        assert!(size(&half) * 100 < size(&graph) * 52);
        let ranges = Ranges::of(&graph, std::iter::once(input.as_slice()));
        let bytes = quantise(&graph, &ranges);
        let difference = largest_difference(&outputs(&bytes, &input), &truth);
        // Seven or eight bits, through five layers.
        assert!(difference > 1e-6 && difference < 0.03, "{difference}");
        assert!(size(&bytes) * 100 < size(&graph) * 30);
    }

    /// With weights of eight bits, OpenVINO gave 0.77 in place of 0.48 for a sample of the shipped model on such a processor.
    #[test]
    fn two_products_fit_into_16_bits() {
        let (graph, input) = example();
        let ranges = Ranges::of(&graph, std::iter::once(input.as_slice()));
        let quantised = quantise(&graph, &ranges);
        let weights = quantised
            .nodes()
            .iter()
            .filter_map(|node| match &node.operation {
                Operation::ByteWeights(weights) => Some(weights),
                _ => None,
            });
        let largest = weights
            .flatten()
            .map(|weight| i32::from(weight.unsigned_abs()))
            .max();
        let largest = largest.unwrap();
        assert_eq!(largest, LARGEST_WEIGHT as i32);
        assert!(2 * (LEVELS as i32 - 1) * largest <= i32::from(i16::MAX));
    }

    #[test]
    fn other_runtimes_agree_with_the_interpreter() {
        let (graph, input) = example();
        let ranges = Ranges::of(&graph, std::iter::once(input.as_slice()));
        // Single against double precision; and in 8 bits a value between two levels may fall on the other
        // side.
        let graphs = [
            (graph.clone(), 1e-4),
            (halve(&graph), 1e-4),
            (quantise(&graph, &ranges), 0.02),
        ];
        let networks = graphs.each_ref().map(|(graph, tolerance)| Exported {
            graph,
            input: &input,
            outputs: &[PROBABILITY, EVIDENCE],
            tolerance: *tolerance,
        });
        assert_runtimes_agree(&networks);
    }
}
