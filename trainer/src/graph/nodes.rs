//! A network as a list of operations, in no file format yet.
//!
//! Only what OpenVINO's first operation set and ONNX have in common, so that runtimes of any age
//! read it.

use half::f16;

use super::shapes;

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

    /// Shapes of what the caller gives.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &[usize]> {
        let given = |node: &&Node| node.operation == Operation::Parameter;
        self.nodes
            .iter()
            .filter(given)
            .map(|node| node.shape.as_slice())
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

    pub(super) fn integers(&mut self, name: &str, values: Vec<i64>) -> Value {
        let shape = vec![values.len()];
        self.push(name, Operation::Integers(values), &[], shape)
    }

    /// A node that works on others.
    ///
    /// # Errors
    /// In words, if the operation has no meaning for them.
    pub(super) fn apply(
        &mut self,
        name: &str,
        operation: Operation,
        inputs: &[Value],
    ) -> Result<Value, String> {
        let shape = shapes::inferred(self, &operation, inputs)
            .map_err(|problem| format!("{name}: {problem}"))?;
        Ok(self.push(name, operation, inputs, shape))
    }

    /// The same in a network of this crate's own, whose shapes fit.
    ///
    /// # Panics
    /// If they do not.
    fn own(&mut self, name: &str, operation: Operation, inputs: &[Value]) -> Value {
        self.apply(name, operation, inputs)
            .unwrap_or_else(|problem| unreachable!("{problem}"))
    }

    pub(super) fn convert(&mut self, name: &str, input: Value) -> Value {
        self.own(name, Operation::Convert, &[input])
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
        let inputs = [input, low, high, low, high];
        self.own(name, Operation::FakeQuantise { levels }, &inputs)
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
        let operation = Operation::Convolution { stride, padding };
        self.own(name, operation, &[image, kernel])
    }

    pub(crate) fn max_pool(&mut self, name: &str, image: Value, window: usize) -> Value {
        self.own(name, Operation::MaxPool { window }, &[image])
    }

    pub(crate) fn global_average_pool(&mut self, name: &str, image: Value) -> Value {
        self.own(name, Operation::GlobalAveragePool, &[image])
    }

    /// The right-hand side is broadcast to the left.
    pub(crate) fn add(&mut self, name: &str, left: Value, right: Value) -> Value {
        self.own(name, Operation::Add, &[left, right])
    }

    /// The right-hand side is broadcast to the left.
    pub(crate) fn multiply(&mut self, name: &str, left: Value, right: Value) -> Value {
        self.own(name, Operation::Multiply, &[left, right])
    }

    pub(crate) fn mat_mul(&mut self, name: &str, left: Value, right: Value) -> Value {
        self.own(name, Operation::MatMul, &[left, right])
    }

    pub(crate) fn relu(&mut self, name: &str, input: Value) -> Value {
        self.own(name, Operation::Relu, &[input])
    }

    pub(crate) fn reshape(&mut self, name: &str, input: Value, shape: &[usize]) -> Value {
        let extents = shape.iter().map(|&extent| extent as i64).collect();
        let target = self.integers(&format!("{name}/shape"), extents);
        self.own(name, Operation::Reshape, &[input, target])
    }

    pub(crate) fn softmax(&mut self, name: &str, input: Value) -> Value {
        self.own(name, Operation::Softmax, &[input])
    }

    /// Sum over axis 1.
    pub(crate) fn sum_channels(&mut self, name: &str, input: Value) -> Value {
        let axes = self.integers(&format!("{name}/axes"), vec![1]);
        self.own(name, Operation::ReduceSum, &[input, axes])
    }

    /// Makes a value an output of the network, under the name of its node.
    pub(crate) fn result(&mut self, value: Value) {
        let Node { name, shape, .. } = self.node(value);
        let (name, shape) = (format!("{name}/result"), shape.clone());
        self.push(&name, Operation::Result, &[value], shape);
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
