//! Convolution with bias and activation in one differentiable operation. On the CPU it is our own:
//! an image is laid out channels last, so that windows are overlapping rows of a matrix, which is
//! multiplied with the kernel as it lies (Anderson et al. 2017, "Low-memory GEMM-based convolution
//! algorithms for deep neural networks"). Other devices use the framework's.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};

use super::passes::{self, OutputGradient, Shape};

/// How windows lie on the input, and what becomes of their sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Convolution {
    /// Rows and columns from one window to the next.
    pub(crate) stride: usize,
    /// Zeros on each side; less than the kernel's sides.
    pub(crate) padding: usize,
    pub(crate) activation: Option<Activation>,
}

/// What is done to each sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// max(0, x)
    Relu,
}

impl Convolution {
    fn options(self) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1)
    }

    fn activate(self, sum: f32) -> f32 {
        match self.activation {
            // Not `max`, which would turn NaN into zero and hide that training failed.
            Some(Activation::Relu) if sum <= 0.0 => 0.0,
            _ => sum,
        }
    }

    /// Gradient of a sum whose `output` has this gradient.
    fn gradient(self, gradient: f32, output: f32) -> f32 {
        match self.activation {
            Some(Activation::Relu) if output <= 0.0 => 0.0,
            _ => gradient,
        }
    }
}

/// `[n, filters, …]` from `[n, channels, rows, columns]`, `[filters, channels, …]` and `[filters]`.
///
/// # Panics
///
/// If the sizes do not fit together, or the padding not the kernel.
pub(crate) fn conv2d(
    input: Tensor<4>,
    kernel: Tensor<4>,
    bias: Tensor<1>,
    convolution: Convolution,
) -> Tensor<4> {
    let [_, channels, rows, columns] = input.dims();
    let [filters, of_channels, kernel_rows, kernel_columns] = kernel.dims();
    let Convolution {
        stride, padding, ..
    } = convolution;
    assert_eq!((channels, filters), (of_channels, bias.dims()[0]));
    assert!(stride > 0 && padding < kernel_rows.min(kernel_columns));
    assert!(kernel_rows <= rows + 2 * padding && kernel_columns <= columns + 2 * padding);
    Tensor::from_dispatch(Dispatch::convolve(
        input.into_dispatch(),
        kernel.into_dispatch(),
        bias.into_dispatch(),
        convolution,
    ))
}

/// The operation on every backend, made of the framework's unless a backend has its own.
#[backend_extension(
    Flex,
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Autodiff
)]
trait Convolve: Backend {
    fn convolve(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        let sums = Self::conv2d(input, kernel, Some(bias), convolution.options());
        match convolution.activation {
            None => sums,
            Some(Activation::Relu) => Self::relu(sums),
        }
    }

    /// Gradient of the input.
    fn input_gradient(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        let gradient = before_activation::<Self>(output, gradient, convolution);
        Self::conv2d_x_backward(input, kernel, gradient, convolution.options())
    }

    /// Gradients of kernel and bias.
    fn parameter_gradients(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        convolution: Convolution,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let gradient = before_activation::<Self>(output, gradient, convolution);
        (
            Self::conv2d_weight_backward(
                input.clone(),
                kernel,
                gradient.clone(),
                convolution.options(),
            ),
            Self::conv2d_bias_backward(input, bias, gradient),
        )
    }
}

fn before_activation<B: Backend>(
    output: FloatTensor<B>,
    gradient: FloatTensor<B>,
    convolution: Convolution,
) -> FloatTensor<B> {
    match convolution.activation {
        None => gradient,
        Some(Activation::Relu) => B::relu_backward(output, gradient),
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl Convolve for burn::backend::Cube {}

impl Convolve for Flex {
    fn convolve(
        input: FlexTensor,
        kernel: FlexTensor,
        bias: FlexTensor,
        convolution: Convolution,
    ) -> FlexTensor {
        let shape = shape(&input, &kernel, convolution);
        let [input, kernel, bias] = [input, kernel, bias].map(|tensor| tensor.to_contiguous());
        let values = passes::forward(&shape, input.storage(), kernel.storage(), bias.storage());
        let [rows, columns] = shape.output();
        tensor(values, [input.shape()[0], shape.filters, rows, columns])
    }

    fn input_gradient(
        input: FlexTensor,
        kernel: FlexTensor,
        output: FlexTensor,
        gradient: FlexTensor,
        convolution: Convolution,
    ) -> FlexTensor {
        let shape = shape(&input, &kernel, convolution);
        let [kernel, output, gradient] = [kernel, output, gradient].map(|it| it.to_contiguous());
        let gradient = OutputGradient {
            values: gradient.storage(),
            output: output.storage(),
        };
        let values = passes::input_gradient(&shape, kernel.storage(), gradient);
        let [rows, columns] = shape.input;
        tensor(values, [input.shape()[0], shape.channels, rows, columns])
    }

    fn parameter_gradients(
        input: FlexTensor,
        kernel: FlexTensor,
        _: FlexTensor,
        output: FlexTensor,
        gradient: FlexTensor,
        convolution: Convolution,
    ) -> (FlexTensor, FlexTensor) {
        let shape = shape(&input, &kernel, convolution);
        let [input, output, gradient] = [input, output, gradient].map(|it| it.to_contiguous());
        let gradient = OutputGradient {
            values: gradient.storage(),
            output: output.storage(),
        };
        let (kernel, bias) = passes::parameter_gradients(&shape, input.storage(), gradient);
        let [rows, columns] = shape.kernel;
        (
            tensor(kernel, [shape.filters, shape.channels, rows, columns]),
            tensor(bias, [shape.filters]),
        )
    }
}

fn shape(input: &FlexTensor, kernel: &FlexTensor, convolution: Convolution) -> Shape {
    let (input, kernel) = (input.shape(), kernel.shape());
    Shape {
        channels: input[1],
        input: [input[2], input[3]],
        filters: kernel[0],
        kernel: [kernel[2], kernel[3]],
        convolution,
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// What the operation leaves for its backward pass: input, kernel, bias and output.
type Kept<B> = ([FloatTensor<B>; 4], Convolution);

#[derive(Debug)]
struct ConvolveBackward;

impl<B: Convolve> Backward<B, 3> for ConvolveBackward {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [input_node, kernel_node, bias_node] = ops.parents;
        let ([input, kernel, bias, output], convolution) = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        // The first layer's input is an image, which needs none.
        if let Some(node) = input_node {
            let values = B::input_gradient(
                input.clone(),
                kernel.clone(),
                output.clone(),
                gradient.clone(),
                convolution,
            );
            gradients.register::<B>(node.id, values);
        }
        if kernel_node.is_some() || bias_node.is_some() {
            let (kernel, bias) =
                B::parameter_gradients(input, kernel, bias, output, gradient, convolution);
            for (node, values) in [(kernel_node, kernel), (bias_node, bias)] {
                if let Some(node) = node {
                    gradients.register::<B>(node.id, values);
                }
            }
        }
    }
}

impl<B: Convolve, C: CheckpointStrategy> Convolve for Autodiff<B, C> {
    fn convolve(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), kernel.node(), bias.node()];
        let kept = [input, kernel, bias].map(FloatTensor::<Self>::into_primitive);
        let [input, kernel, bias] = kept.clone();
        let output = B::convolve(input, kernel, bias, convolution);
        match ConvolveBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(operation) => {
                let [input, kernel, bias] = kept;
                operation.finish(([input, kernel, bias, output.clone()], convolution), output)
            }
            OpsKind::UnTracked(operation) => operation.finish(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rayon::ThreadPoolBuilder;
    use serde_json::json;

    use super::*;
    use crate::networks::floats;
    use crate::testing::python;

    /// A convolution with numbers to try it on.
    struct Case {
        convolution: Convolution,
        input: Values<4>,
        kernel: Values<4>,
        bias: Values<1>,
        /// The loss is the sum of the output times this.
        pull: Values<4>,
    }

    #[derive(Clone, serde::Serialize)]
    struct Values<const D: usize> {
        values: Vec<f32>,
        shape: Vec<usize>,
    }

    impl<const D: usize> Values<D> {
        fn random(rng: &mut ChaCha8Rng, shape: [usize; D]) -> Self {
            let count = shape.iter().product();
            Self {
                values: (0..count).map(|_| rng.random_range(-1.0..1.0)).collect(),
                shape: shape.into(),
            }
        }

        fn on(&self, device: &Device) -> Tensor<D> {
            Tensor::from_data(
                TensorData::new(self.values.clone(), self.shape.clone()),
                device,
            )
        }
    }

    impl Case {
        /// Three images of 13 × 10 with five channels.
        fn random(
            kernel: usize,
            stride: usize,
            padding: usize,
            activation: Option<Activation>,
        ) -> Self {
            let mut rng = ChaCha8Rng::seed_from_u64(8);
            let side = |side: usize| (side + 2 * padding - kernel) / stride + 1;
            Self {
                convolution: Convolution {
                    stride,
                    padding,
                    activation,
                },
                input: Values::random(&mut rng, [3, 5, 13, 10]),
                kernel: Values::random(&mut rng, [7, 5, kernel, kernel]),
                bias: Values::random(&mut rng, [7]),
                pull: Values::random(&mut rng, [3, 7, side(13), side(10)]),
            }
        }

        fn all() -> Vec<Self> {
            let mut cases = Vec::new();
            for kernel in [1, 3, 5] {
                for padding in [0, kernel / 2, kernel - 1] {
                    for stride in [1, 2, 3] {
                        for activation in [None, Some(Activation::Relu)] {
                            cases.push(Self::random(kernel, stride, padding, activation));
                        }
                    }
                }
            }
            cases
        }

        /// Output, and gradients of input, kernel and bias.
        fn run(&self) -> [Vec<f32>; 4] {
            let device = Device::flex().autodiff();
            let input = self.input.on(&device).require_grad();
            let kernel = self.kernel.on(&device).require_grad();
            let bias = self.bias.on(&device).require_grad();
            let output = conv2d(
                input.clone(),
                kernel.clone(),
                bias.clone(),
                self.convolution,
            );
            let loss = (output.clone() * self.pull.on(&device)).sum();
            let gradients = loss.backward();
            [
                floats(output),
                floats(input.grad(&gradients).unwrap()),
                floats(kernel.grad(&gradients).unwrap()),
                floats(bias.grad(&gradients).unwrap()),
            ]
        }

        /// Without gradients; summed in double precision.
        fn loss(&self) -> f64 {
            let device = Device::flex();
            let output = conv2d(
                self.input.on(&device),
                self.kernel.on(&device),
                self.bias.on(&device),
                self.convolution,
            );
            let products = floats(output).into_iter().zip(&self.pull.values);
            products.map(|(a, &b)| f64::from(a) * f64::from(b)).sum()
        }
    }

    #[test]
    fn values_and_gradients_are_scipy_s() {
        let cases = Case::all();
        let input: Vec<_> = cases
            .iter()
            .map(|case| {
                json!({
                    "input": case.input, "kernel": case.kernel, "bias": case.bias, "pull": case.pull,
                    "stride": case.convolution.stride, "padding": case.convolution.padding,
                    "relu": case.convolution.activation.is_some(),
                })
            })
            .collect();
        let Some(answer) = python("convolution_reference.py", &json!(input).to_string()) else {
            return;
        };
        let answer: Vec<[Vec<f64>; 4]> = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer.len(), cases.len());
        for (case, expected) in cases.iter().zip(&answer) {
            for (found, expected) in case.run().iter().zip(expected) {
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    // Up to 714 products below 1 are summed in single precision; the worst measured
                    // is 7e-6. A product too many or too few would be off by some tenths.
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error < 5e-5, "{:?}: {found} {expected}", case.convolution);
                }
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for stride in [1, 2] {
            let case = Case::random(3, stride, 1, None);
            let [_, input, kernel, bias] = case.run();
            let slope = |change: &dyn Fn(&mut Case, f32)| {
                let loss = |by| {
                    let mut changed = Case::random(3, stride, 1, None);
                    change(&mut changed, by);
                    changed.loss()
                };
                // The loss is linear in each number, so that a long step costs nothing.
                (loss(1.0) - loss(-1.0)) / 2.0
            };
            let assert_near = |gradient: f32, slope: f64| {
                // Outputs of a few units are rounded, and a thousand summed; the worst measured is
                // 5e-6.
                let error = (f64::from(gradient) - slope).abs();
                assert!(error < 5e-5, "{gradient} {slope}");
            };
            for index in (0..input.len()).step_by(97) {
                let change = |case: &mut Case, by: f32| case.input.values[index] += by;
                assert_near(input[index], slope(&change));
            }
            for index in (0..kernel.len()).step_by(13) {
                let change = |case: &mut Case, by: f32| case.kernel.values[index] += by;
                assert_near(kernel[index], slope(&change));
            }
            for (index, &gradient) in bias.iter().enumerate() {
                let change = |case: &mut Case, by: f32| case.bias.values[index] += by;
                assert_near(gradient, slope(&change));
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let bits = |threads| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            let results = pool
                .unwrap()
                .install(|| Case::random(5, 1, 2, Some(Activation::Relu)).run());
            results
                .concat()
                .into_iter()
                .map(f32::to_bits)
                .collect::<Vec<u32>>()
        };
        assert_eq!(bits(1), bits(3));
    }

    #[test]
    fn not_a_number_survives_the_activation() {
        let mut case = Case::random(1, 1, 0, Some(Activation::Relu));
        case.input.values[0] = f32::NAN;
        let [output, ..] = case.run();
        assert!(output[0].is_nan());
        assert!(!output[1].is_nan());
    }
}
