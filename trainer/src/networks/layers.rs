//! Layers: weights, forward pass and export.

use burn::module::{Module, Param};
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor, TensorData};
#[cfg(test)]
use burn::tensor::{activation::relu, module::batch_norm};
use rand::{Rng, RngExt};

use super::classifier::PROBABILITY;
use super::norm::BatchNorm;
use super::tensors::floats;
use crate::convolution::{Activation, ConvolutionOptions, conv2d};
use crate::graph::{Graph, Value};
#[cfg(test)]
use crate::normalisation::EPSILON;

/// A convolution with a square kernel and zero padding, so that a window is centred on each `stride` ×
/// `stride` pixels if the kernel's side is odd without a stride and even with a stride of 2. Then
/// normalised or not, and rectified or not.
#[derive(Module, Debug)]
pub(super) struct Convolution {
    /// `[filters, channels, side, side]`
    kernel: Param<Tensor<4>>,
    /// `[filters]`; added after the normalisation
    bias: Param<Tensor<1>>,
    norm: Option<BatchNorm>,
    /// Distance between windows, in rows and columns.
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    activation: Option<Activation>,
}

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filters {
    /// Input channels.
    pub(super) channels: usize,
    /// Number of filters: output channels.
    pub(super) count: usize,
    /// Rows and columns of the kernel.
    pub(super) side: usize,
    pub(super) stride: usize,
}

impl Convolution {
    /// With a ReLU; weights uniform within ±`limit`, biases zero.
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
            norm: None,
            stride,
            activation: Some(Activation::Relu),
        }
    }

    /// With normalisation and a ReLU.
    pub(super) fn normalised(filters: Filters, rng: &mut impl Rng, device: &Device) -> Self {
        let limit = he(filters.channels * filters.side.pow(2));
        Self {
            norm: Some(BatchNorm::init(filters.count, device)),
            ..Self::init(filters, limit, rng, device)
        }
    }

    /// Weighted sums of the channels of each position, with this bias.
    pub(super) fn linear(
        [channels, count]: [usize; 2],
        bias: f32,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Self {
        let filters = Filters {
            channels,
            count,
            side: 1,
            stride: 1,
        };
        Self {
            bias: Param::from_data(TensorData::new(vec![bias; count], [count]), device),
            activation: None,
            ..Self::init(filters, glorot(channels, count), rng, device)
        }
    }

    pub(super) fn device(&self) -> Device {
        self.bias.val().device()
    }

    /// `[n, channels, rows, columns]` to `[n, filters, rows/stride, columns/stride]`. In training, a
    /// normalisation uses the batch's statistics, otherwise the running ones.
    pub(super) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            Some(norm) if self.kernel.val().is_autodiff() => {
                let options = self.options(None);
                let none = self.bias.val().zeros_like();
                let sums = conv2d(input, self.kernel.val(), none, options);
                norm.forward(sums, self.bias.val())
            }
            _ => {
                let (kernel, bias) = self.weights();
                conv2d(input, kernel, bias, self.options(self.activation))
            }
        }
    }

    fn options(&self, activation: Option<Activation>) -> ConvolutionOptions {
        let [_, _, side, _] = self.kernel.dims();
        ConvolutionOptions {
            stride: self.stride,
            padding: (side - 1) / 2,
            activation,
        }
    }

    /// Kernel and bias for evaluation.
    fn weights(&self) -> (Tensor<4>, Tensor<1>) {
        let (kernel, bias) = (self.kernel.val(), self.bias.val());
        match &self.norm {
            None => (kernel, bias),
            Some(norm) => norm.fold(kernel, bias),
        }
    }

    /// The same convolution in evaluation, without normalisation.
    pub(super) fn folded(self) -> Self {
        let (kernel, bias) = self.weights();
        Self {
            kernel: Param::from_tensor(kernel),
            bias: Param::from_tensor(bias),
            norm: None,
            ..self
        }
    }

    /// Adds the convolution to a graph. Without activation, its result has this name.
    pub(super) fn export(&self, graph: &mut Graph, name: &str, input: Value) -> Value {
        let (kernel, bias) = self.weights();
        let [filters, ..] = kernel.dims();
        let shape = kernel.dims();
        let kernel = graph.weights(&format!("{name}/kernel"), &shape, floats(kernel));
        let bias = graph.weights(&format!("{name}/bias"), &[1, filters, 1, 1], floats(bias));
        let ConvolutionOptions {
            stride, padding, ..
        } = self.options(None);
        let product = graph.convolution(
            &format!("{name}/convolution"),
            input,
            kernel,
            stride,
            padding,
        );
        match self.activation {
            None => graph.add(name, product, bias),
            Some(Activation::Relu) => {
                let sum = graph.add(&format!("{name}/sum"), product, bias);
                graph.relu(&format!("{name}/relu"), sum)
            }
        }
    }
}

/// A linear head: logits as weighted sums of features.
#[derive(Module, Debug)]
pub(super) struct Head {
    /// `[features, classes]`
    weight: Param<Tensor<2>>,
    /// `[classes]`
    bias: Param<Tensor<1>>,
    /// The class of which the evidence is asked.
    #[module(skip)]
    positive: usize,
}

impl Head {
    /// Weights uniform within the limits of Glorot and Bengio 2010, biases zero.
    pub(super) fn init(
        [features, classes]: [usize; 2],
        positive: usize,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Self {
        let limit = glorot(features, classes);
        Self {
            weight: uniform([features, classes], limit, rng, device),
            bias: Param::from_data(TensorData::new(vec![0.0_f32; classes], [classes]), device),
            positive,
        }
    }

    pub(super) fn device(&self) -> Device {
        self.bias.val().device()
    }

    /// `[n, features]` to logits, `[n, classes]`.
    pub(super) fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        linear(features, self.weight.val(), Some(self.bias.val()))
    }

    /// The weight of each logit in the margin, which is that of the positive class minus the mean of
    /// the others.
    fn signs(&self) -> Vec<f32> {
        let [classes] = self.bias.dims();
        let mut signs = vec![-1.0 / (classes - 1) as f32; classes];
        signs[self.positive] = 1.0;
        signs
    }

    /// The margin of each logit vector, `[n, classes]` to `[n]`.
    pub(super) fn margins(&self, logits: Tensor<2>) -> Tensor<1> {
        let [count, classes] = logits.dims();
        let signs = TensorData::new(self.signs(), [classes, 1]);
        let signs = Tensor::from_data(signs, &self.device());
        logits.matmul(signs).reshape([count])
    }

    /// The weight of each feature in the margin, `[features]`.
    pub(super) fn contrast(&self) -> Tensor<1> {
        self.margins(self.weight.val())
    }

    /// The margin if all features are zero.
    #[cfg(test)]
    pub(super) fn offset(&self) -> f32 {
        let bias: Tensor<2> = self.bias.val().unsqueeze();
        self.margins(bias).into_scalar()
    }

    /// Adds the output `probability`; returns the weight of each feature in the margin, `[features, 1]`.
    pub(super) fn export(&self, graph: &mut Graph, features: Value) -> Value {
        let [count, classes] = self.weight.dims();
        let weight = graph.weights("head/weight", &[count, classes], floats(self.weight.val()));
        let bias = graph.weights("head/bias", &[1, classes], floats(self.bias.val()));
        let product = graph.mat_mul("head/product", features, weight);
        let logits = graph.add("head/logits", product, bias);
        let probability = graph.softmax(PROBABILITY, logits);
        graph.result(probability);
        let signs = graph.weights("evidence/signs", &[classes, 1], self.signs());
        graph.mat_mul("evidence/column", weight, signs)
    }
}

/// The limit of Glorot and Bengio 2010 for initial weights.
pub(super) fn glorot(inputs: usize, outputs: usize) -> f32 {
    (6.0 / (inputs + outputs) as f32).sqrt()
}

/// The limit of He et al. 2015 for initial weights before a ReLU.
fn he(inputs: usize) -> f32 {
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
    /// The same as [`Convolution::forward`] in evaluation, with the framework's normalisation.
    pub(super) fn forward_unfolded(&self, input: Tensor<4>) -> Tensor<4> {
        let Some(norm) = &self.norm else {
            return self.forward(input);
        };
        let none = self.bias.val().zeros_like();
        let sums = conv2d(input, self.kernel.val(), none, self.options(None));
        let [mean, variance] = norm.statistics();
        let (scale, shift) = (norm.scale(), self.bias.val());
        let epsilon = EPSILON.into();
        relu(batch_norm(sums, scale, shift, mean, variance, epsilon))
    }

    /// Number of multiplications for an image of these rows and columns, and those of the output.
    pub(super) fn multiplications(&self, image: [usize; 2]) -> (usize, [usize; 2]) {
        let output = image.map(|side| side.div_ceil(self.stride));
        let weights: usize = self.kernel.dims().iter().product();
        (weights * output[0] * output[1], output)
    }

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
