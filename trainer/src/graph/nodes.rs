//! A network as a graph, independent of file formats.

use half::f16;

use super::operation::Operation;
use super::shapes;

/// A network. Nodes are in topological order.
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
    /// Unique; also the name of its output.
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) inputs: Vec<Value>,
    /// Shape of its output.
    pub(crate) shape: Vec<usize>,
}

impl Graph {
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn node(&self, value: Value) -> &Node {
        &self.nodes[value.0]
    }

    /// Shapes of the network's inputs.
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

    /// Adds a node that computes an operation.
    ///
    /// # Errors
    /// A message, if the operation is not defined for the shapes of the inputs.
    pub(super) fn apply(
        &mut self,
        name: &str,
        operation: Operation,
        inputs: &[Value],
    ) -> Result<Value, String> {
        let shapes: Vec<&[usize]> = inputs
            .iter()
            .map(|input| self.node(*input).shape.as_slice())
            .collect();
        let mut operations = inputs.iter().map(|input| &self.node(*input).operation);
        let integers = operations.find_map(|operation| match operation {
            Operation::Integers(values) => Some(values.as_slice()),
            _ => None,
        });
        let shape = shapes::infer(&operation, &shapes, integers)
            .map_err(|problem| format!("{name}: {problem}"))?;
        Ok(self.push(name, operation, inputs, shape))
    }

    /// Like [`Graph::apply`], for networks of this crate, whose shapes are known to fit.
    ///
    /// # Panics
    /// If the shapes do not fit.
    fn apply_known(&mut self, name: &str, operation: Operation, inputs: &[Value]) -> Value {
        self.apply(name, operation, inputs)
            .unwrap_or_else(|problem| unreachable!("{problem}"))
    }

    pub(super) fn convert(&mut self, name: &str, input: Value) -> Value {
        self.apply_known(name, Operation::Convert, &[input])
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
        self.apply_known(name, Operation::FakeQuantise { levels }, &inputs)
    }

    /// Copies a node of another graph, with inputs of this graph.
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
        self.apply_known(name, operation, &[image, kernel])
    }

    pub(crate) fn max_pool(&mut self, name: &str, image: Value, window: usize) -> Value {
        self.apply_known(name, Operation::MaxPool { window }, &[image])
    }

    pub(crate) fn global_average_pool(&mut self, name: &str, image: Value) -> Value {
        self.apply_known(name, Operation::GlobalAveragePool, &[image])
    }

    /// The right-hand side is broadcast to the left.
    pub(crate) fn add(&mut self, name: &str, left: Value, right: Value) -> Value {
        self.apply_known(name, Operation::Add, &[left, right])
    }

    /// The right-hand side is broadcast to the left.
    pub(crate) fn multiply(&mut self, name: &str, left: Value, right: Value) -> Value {
        self.apply_known(name, Operation::Multiply, &[left, right])
    }

    pub(crate) fn mat_mul(&mut self, name: &str, left: Value, right: Value) -> Value {
        self.apply_known(name, Operation::MatMul, &[left, right])
    }

    pub(crate) fn relu(&mut self, name: &str, input: Value) -> Value {
        self.apply_known(name, Operation::Relu, &[input])
    }

    pub(crate) fn sigmoid(&mut self, name: &str, input: Value) -> Value {
        self.apply_known(name, Operation::Sigmoid, &[input])
    }

    /// Doubles rows and columns of images by repeating each value (nearest neighbour).
    pub(crate) fn double(&mut self, name: &str, image: Value) -> Value {
        let [images, channels, rows, columns] = self.node(image).shape[..] else {
            unreachable!("{name}: not an image");
        };
        let twice = self.integers(&format!("{name}/twice"), vec![1, 1, 1, 2]);
        // Each value becomes a row of its own, then each row of the image.
        let values = [images, channels * rows, columns, 1];
        let values = self.reshape(&format!("{name}/values"), image, &values);
        let wide = self.apply_known(&format!("{name}/wide"), Operation::Tile, &[values, twice]);
        let wide_rows = [images, channels, rows, 2 * columns];
        let wide_rows = self.reshape(&format!("{name}/rows"), wide, &wide_rows);
        let tall = self.apply_known(
            &format!("{name}/tall"),
            Operation::Tile,
            &[wide_rows, twice],
        );
        self.reshape(name, tall, &[images, channels, 2 * rows, 2 * columns])
    }

    pub(crate) fn reshape(&mut self, name: &str, input: Value, shape: &[usize]) -> Value {
        let extents = shape.iter().map(|&extent| extent as i64).collect();
        let target = self.integers(&format!("{name}/shape"), extents);
        self.apply_known(name, Operation::Reshape, &[input, target])
    }

    pub(crate) fn softmax(&mut self, name: &str, input: Value) -> Value {
        self.apply_known(name, Operation::Softmax, &[input])
    }

    /// Sum over axis 1.
    pub(crate) fn sum_channels(&mut self, name: &str, input: Value) -> Value {
        let axes = self.integers(&format!("{name}/axes"), vec![1]);
        self.apply_known(name, Operation::ReduceSum, &[input, axes])
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
