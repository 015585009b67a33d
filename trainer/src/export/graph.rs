//! A network as a list of operations, in no file format yet.
//!
//! Only what OpenVINO's first operation set and ONNX have in common, so that runtimes of any age
//! read it.

use half::f16;

/// A network; every node follows the nodes that it reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
}

/// The output of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value(usize);

impl Value {
    /// Position of the node in [`Graph::nodes`].
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Unique; the name of its output too.
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) inputs: Vec<Value>,
    /// Shape of its output.
    pub(crate) shape: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    /// What the caller gives.
    Parameter,
    Weights(Vec<f32>),
    /// In half precision.
    HalfWeights(Vec<f16>),
    /// Multiples of a scale.
    ByteWeights(Vec<i8>),
    /// To single precision.
    Convert,
    /// Rounds to so many levels between two ends, whatever the precision. Inputs: tensor, low and
    /// high end, and both once more for the result.
    FakeQuantise {
        levels: usize,
    },
    /// Shape or axes of another operation.
    Integers(Vec<i64>),
    /// Two-dimensional, zero padding on all sides. Inputs: image, kernel.
    Convolution {
        stride: usize,
        padding: usize,
    },
    /// Square window, stride as large.
    MaxPool {
        window: usize,
    },
    /// Mean over all rows and columns; keeps the axes, with extent 1.
    GlobalAveragePool,
    /// With broadcasting.
    Add,
    /// With broadcasting.
    Multiply,
    MatMul,
    Relu,
    /// Inputs: tensor, shape.
    Reshape,
    /// Along the last axis.
    Softmax,
    /// Keeps the axis, with extent 1. Inputs: tensor, axes.
    ReduceSum,
    /// What the caller gets.
    Result,
}

impl Graph {
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn node(&self, value: Value) -> &Node {
        &self.nodes[value.0]
    }

    pub(crate) fn parameter(&mut self, name: &str, shape: &[usize]) -> Value {
        self.push(name, Operation::Parameter, &[], shape.to_vec())
    }

    pub(crate) fn weights(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Value {
        self.push(name, Operation::Weights(values), &[], shape.to_vec())
    }

    pub(super) fn half_weights(&mut self, name: &str, shape: &[usize], values: Vec<f16>) -> Value {
        self.push(name, Operation::HalfWeights(values), &[], shape.to_vec())
    }

    pub(super) fn byte_weights(&mut self, name: &str, shape: &[usize], values: Vec<i8>) -> Value {
        self.push(name, Operation::ByteWeights(values), &[], shape.to_vec())
    }

    pub(super) fn convert(&mut self, name: &str, input: Value) -> Value {
        let shape = self.node(input).shape.clone();
        self.push(name, Operation::Convert, &[input], shape)
    }

    pub(super) fn fake_quantise(
        &mut self,
        name: &str,
        input: Value,
        range: [f32; 2],
        levels: usize,
    ) -> Value {
        let [low, high] = [("low", range[0]), ("high", range[1])]
            .map(|(end, value)| self.weights(&format!("{name}/{end}"), &[1, 1, 1, 1], vec![value]));
        let shape = self.node(input).shape.clone();
        let inputs = [input, low, high, low, high];
        self.push(name, Operation::FakeQuantise { levels }, &inputs, shape)
    }

    /// A node of another graph, on inputs of this one.
    pub(super) fn copy(&mut self, node: &Node, inputs: &[Value]) -> Value {
        let Node {
            name,
            operation,
            shape,
            ..
        } = node;
        self.push(name, operation.clone(), inputs, shape.clone())
    }

    pub(crate) fn convolution(
        &mut self,
        name: &str,
        image: Value,
        kernel: Value,
        stride: usize,
        padding: usize,
    ) -> Value {
        let (image_shape, kernel_shape) = (&self.node(image).shape, &self.node(kernel).shape);
        let extent =
            |axis: usize| (image_shape[axis] + 2 * padding - kernel_shape[axis]) / stride + 1;
        let shape = vec![image_shape[0], kernel_shape[0], extent(2), extent(3)];
        self.push(
            name,
            Operation::Convolution { stride, padding },
            &[image, kernel],
            shape,
        )
    }

    pub(crate) fn max_pool(&mut self, name: &str, image: Value, window: usize) -> Value {
        let mut shape = self.node(image).shape.clone();
        shape[2] /= window;
        shape[3] /= window;
        self.push(name, Operation::MaxPool { window }, &[image], shape)
    }

    pub(crate) fn global_average_pool(&mut self, name: &str, image: Value) -> Value {
        let shape = &self.node(image).shape;
        let shape = vec![shape[0], shape[1], 1, 1];
        self.push(name, Operation::GlobalAveragePool, &[image], shape)
    }

    /// The right-hand side is broadcast to the left.
    pub(crate) fn add(&mut self, name: &str, left: Value, right: Value) -> Value {
        let shape = self.node(left).shape.clone();
        self.push(name, Operation::Add, &[left, right], shape)
    }

    /// The right-hand side is broadcast to the left.
    pub(crate) fn multiply(&mut self, name: &str, left: Value, right: Value) -> Value {
        let shape = self.node(left).shape.clone();
        self.push(name, Operation::Multiply, &[left, right], shape)
    }

    pub(crate) fn mat_mul(&mut self, name: &str, left: Value, right: Value) -> Value {
        let shape = vec![self.node(left).shape[0], self.node(right).shape[1]];
        self.push(name, Operation::MatMul, &[left, right], shape)
    }

    pub(crate) fn relu(&mut self, name: &str, input: Value) -> Value {
        let shape = self.node(input).shape.clone();
        self.push(name, Operation::Relu, &[input], shape)
    }

    pub(crate) fn reshape(&mut self, name: &str, input: Value, shape: &[usize]) -> Value {
        let target = self.integers(&format!("{name}/shape"), shape);
        self.push(name, Operation::Reshape, &[input, target], shape.to_vec())
    }

    pub(crate) fn softmax(&mut self, name: &str, input: Value) -> Value {
        let shape = self.node(input).shape.clone();
        self.push(name, Operation::Softmax, &[input], shape)
    }

    /// Sum over axis 1.
    pub(crate) fn sum_channels(&mut self, name: &str, input: Value) -> Value {
        let mut shape = self.node(input).shape.clone();
        shape[1] = 1;
        let axes = self.integers(&format!("{name}/axes"), &[1]);
        self.push(name, Operation::ReduceSum, &[input, axes], shape)
    }

    /// Makes a value an output of the network, under the name of its node.
    pub(crate) fn result(&mut self, value: Value) {
        let Node { name, shape, .. } = self.node(value);
        let (name, shape) = (format!("{name}/result"), shape.clone());
        self.push(&name, Operation::Result, &[value], shape);
    }

    fn integers(&mut self, name: &str, values: &[usize]) -> Value {
        let values: Vec<i64> = values.iter().map(|&value| value as i64).collect();
        let shape = vec![values.len()];
        self.push(name, Operation::Integers(values), &[], shape)
    }

    fn push(
        &mut self,
        name: &str,
        operation: Operation,
        inputs: &[Value],
        shape: Vec<usize>,
    ) -> Value {
        self.nodes.push(Node {
            name: name.into(),
            operation,
            inputs: inputs.to_vec(),
            shape,
        });
        Value(self.nodes.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_follow_the_operations() {
        let mut graph = Graph::default();
        let image = graph.parameter("image", &[1, 3, 8, 6]);
        let kernel = graph.weights("kernel", &[4, 3, 5, 5], vec![0.0; 300]);
        let same = graph.convolution("same", image, kernel, 1, 2);
        let valid = graph.convolution("valid", image, kernel, 1, 1);
        let strided = graph.convolution("strided", image, kernel, 2, 2);
        let pooled = graph.max_pool("pooled", same, 2);
        let sum = graph.sum_channels("sum", pooled);
        let mean = graph.global_average_pool("mean", pooled);
        let shapes =
            [same, valid, strided, pooled, sum, mean].map(|value| graph.node(value).shape.clone());
        assert_eq!(
            shapes,
            [
                [1, 4, 8, 6],
                [1, 4, 6, 4],
                [1, 4, 4, 3],
                [1, 4, 4, 3],
                [1, 1, 4, 3],
                [1, 4, 1, 1]
            ]
        );
    }
}
