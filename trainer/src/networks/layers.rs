//! Layers: weights, forward pass and export.

use burn::module::{Module, Param};
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};

use super::classifier::{CLASSES, NEGATIVE, POSITIVE, PROBABILITY};
use super::tensors::floats;
use crate::convolution::{Activation, ConvolutionOptions, conv2d};
use crate::graph::{Graph, Value};

/// A convolution with a square kernel, zero padding that keeps the size, and a ReLU.
#[derive(Module, Debug)]
pub(super) struct Convolution {
    /// `[filters, channels, side, side]`
    kernel: Param<Tensor<4>>,
    /// `[filters]`
    bias: Param<Tensor<1>>,
    /// Distance between windows, in rows and columns.
    #[module(skip)]
    stride: usize,
}

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filters {
    /// Input channels.
    pub(super) channels: usize,
    /// Number of filters: output channels.
    pub(super) count: usize,
    /// Rows and columns of the kernel, an odd number.
    pub(super) side: usize,
    pub(super) stride: usize,
}

impl Convolution {
    /// Weights uniform within ±`limit`, biases zero.
    pub(super) fn init(filters: Filters, limit: f32, rng: &mut impl Rng, device: &Device) -> Self {
        let Filters {
            channels,
            count,
            side,
            stride,
        } = filters;
        Self {
            kernel: uniform([count, channels, side, side], limit, rng, device),
            bias: Param::from_data(TensorData::new(vec![0.0_f32; count], [count]), device),
            stride,
        }
    }

    /// `[n, channels, rows, columns]` to `[n, filters, rows/stride, columns/stride]`, rounded up.
    pub(super) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let options = ConvolutionOptions {
            stride: self.stride,
            padding: self.padding(),
            activation: Some(Activation::Relu),
        };
        conv2d(input, self.kernel.val(), self.bias.val(), options)
    }

    fn padding(&self) -> usize {
        let [_, _, side, _] = self.kernel.dims();
        side / 2
    }

    /// Number of multiplications for an output of this many positions.
    #[cfg(test)]
    pub(super) fn multiplications(&self, positions: usize) -> usize {
        self.kernel.dims().iter().product::<usize>() * positions
    }

    pub(super) fn export(&self, graph: &mut Graph, name: &str, input: Value) -> Value {
        let [filters, ..] = self.kernel.dims();
        let kernel = graph.weights(
            &format!("{name}/kernel"),
            &self.kernel.dims(),
            floats(self.kernel.val()),
        );
        let bias = graph.weights(
            &format!("{name}/bias"),
            &[1, filters, 1, 1],
            floats(self.bias.val()),
        );
        let (stride, padding) = (self.stride, self.padding());
        let product = graph.convolution(
            &format!("{name}/convolution"),
            input,
            kernel,
            stride,
            padding,
        );
        let sum = graph.add(&format!("{name}/sum"), product, bias);
        graph.relu(&format!("{name}/relu"), sum)
    }
}

/// A linear head: logits as weighted sums of features.
#[derive(Module, Debug)]
pub(super) struct Head {
    /// `[features, 2]`
    weight: Param<Tensor<2>>,
    /// `[2]`
    bias: Param<Tensor<1>>,
}

impl Head {
    /// Weights uniform within the limits of Glorot and Bengio 2010, biases zero.
    pub(super) fn init(features: usize, rng: &mut impl Rng, device: &Device) -> Self {
        let limit = glorot(features, CLASSES);
        Self {
            weight: uniform([features, CLASSES], limit, rng, device),
            bias: Param::from_data(TensorData::new(vec![0.0_f32; CLASSES], [CLASSES]), device),
        }
    }

    pub(super) fn device(&self) -> Device {
        self.bias.val().device()
    }

    /// `[n, features]` to logits, `[n, 2]`.
    pub(super) fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        linear(features, self.weight.val(), Some(self.bias.val()))
    }

    /// The weight of each feature in the margin, `[features]`.
    pub(super) fn difference(&self) -> Tensor<1> {
        let [features, _] = self.weight.dims();
        let column = |class: usize| self.weight.val().slice([0..features, class..class + 1]);
        (column(POSITIVE) - column(NEGATIVE)).reshape([features])
    }

    /// The margin if all features are zero.
    #[cfg(test)]
    pub(super) fn offset(&self) -> f32 {
        let bias = floats(self.bias.val());
        bias[POSITIVE] - bias[NEGATIVE]
    }

    /// Adds the output `probability`; returns the weight of each feature in the margin, `[features, 1]`.
    pub(super) fn export(&self, graph: &mut Graph, features: Value) -> Value {
        let [count, _] = self.weight.dims();
        let weight = graph.weights("head/weight", &[count, CLASSES], floats(self.weight.val()));
        let bias = graph.weights("head/bias", &[1, CLASSES], floats(self.bias.val()));
        let product = graph.mat_mul("head/product", features, weight);
        let logits = graph.add("head/logits", product, bias);
        let probability = graph.softmax(PROBABILITY, logits);
        graph.result(probability);

        let mut signs = vec![-1.0; CLASSES];
        signs[POSITIVE] = 1.0;
        let signs = graph.weights("evidence/signs", &[CLASSES, 1], signs);
        graph.mat_mul("evidence/column", weight, signs)
    }
}

/// The limit of Glorot and Bengio 2010 for initial weights.
pub(super) fn glorot(inputs: usize, outputs: usize) -> f32 {
    (6.0 / (inputs + outputs) as f32).sqrt()
}

/// The limit of He et al. 2015 for initial weights before a ReLU.
pub(super) fn he(inputs: usize) -> f32 {
    (6.0 / inputs as f32).sqrt()
}

fn uniform<const D: usize>(
    shape: [usize; D],
    limit: f32,
    rng: &mut impl Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    let weights: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.random_range(-limit..limit))
        .collect();
    Param::from_data(TensorData::new(weights, shape), device)
}

#[cfg(test)]
impl Convolution {
    /// Makes biases nonzero, so that tests notice if they are not exported.
    pub(super) fn shift(&mut self) {
        self.bias = shifted(&self.bias);
    }
}

#[cfg(test)]
impl Head {
    pub(super) fn shift(&mut self) {
        self.bias = shifted(&self.bias);
    }
}

#[cfg(test)]
fn shifted(bias: &Param<Tensor<1>>) -> Param<Tensor<1>> {
    let [count] = bias.dims();
    let values: Vec<f32> = (0..count).map(|i| 0.1 - 0.07 * i as f32).collect();
    Param::from_data(TensorData::new(values, [count]), &Device::flex())
}
