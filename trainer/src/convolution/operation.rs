//! The operation for the framework: its dispatch to backends and its gradient.
//!
//! The CPU backend uses [`passes`]; the others use the framework's convolution.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData};

use super::options::{Activation, ConvolutionOptions};
use super::passes::{self, OutputGradient, Shape};

/// `[n, filters, …]` from `[n, channels, rows, columns]`, `[filters, channels, …]` and `[filters]`.
///
/// # Panics
///
/// If the sizes do not match, or if the padding is not smaller than the kernel.
pub(crate) fn conv2d(
    input: Tensor<4>,
    kernel: Tensor<4>,
    bias: Tensor<1>,
    options: ConvolutionOptions,
) -> Tensor<4> {
    let [_, channels, rows, columns] = input.dims();
    let [filters, of_channels, kernel_rows, kernel_columns] = kernel.dims();
    let ConvolutionOptions {
        stride, padding, ..
    } = options;
    assert_eq!((channels, filters), (of_channels, bias.dims()[0]));
    assert!(stride > 0 && padding < kernel_rows.min(kernel_columns));
    assert!(kernel_rows <= rows + 2 * padding && kernel_columns <= columns + 2 * padding);
    Tensor::from_dispatch(Dispatch::convolve(
        input.into_dispatch(),
        kernel.into_dispatch(),
        bias.into_dispatch(),
        options,
    ))
}

/// The operation, by default made of the framework's operations.
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
        options: ConvolutionOptions,
    ) -> FloatTensor<Self> {
        let sums = Self::conv2d(input, kernel, Some(bias), options.for_backend());
        match options.activation {
            None => sums,
            Some(Activation::Relu) => Self::relu(sums),
        }
    }

    fn input_gradient(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvolutionOptions,
    ) -> FloatTensor<Self> {
        let gradient = before_activation::<Self>(output, gradient, options);
        Self::conv2d_x_backward(input, kernel, gradient, options.for_backend())
    }

    /// Gradients of kernel and bias.
    fn parameter_gradients(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvolutionOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let gradient = before_activation::<Self>(output, gradient, options);
        (
            Self::conv2d_weight_backward(
                input.clone(),
                kernel,
                gradient.clone(),
                options.for_backend(),
            ),
            Self::conv2d_bias_backward(input, bias, gradient),
        )
    }
}

fn before_activation<B: Backend>(
    output: FloatTensor<B>,
    gradient: FloatTensor<B>,
    options: ConvolutionOptions,
) -> FloatTensor<B> {
    match options.activation {
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
        options: ConvolutionOptions,
    ) -> FlexTensor {
        let shape = shape(&input, &kernel, options);
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
        options: ConvolutionOptions,
    ) -> FlexTensor {
        let shape = shape(&input, &kernel, options);
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
        options: ConvolutionOptions,
    ) -> (FlexTensor, FlexTensor) {
        let shape = shape(&input, &kernel, options);
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

fn shape(input: &FlexTensor, kernel: &FlexTensor, options: ConvolutionOptions) -> Shape {
    let (input, kernel) = (input.shape(), kernel.shape());
    Shape {
        channels: input[1],
        input: [input[2], input[3]],
        filters: kernel[0],
        kernel: [kernel[2], kernel[3]],
        options,
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The tensors saved for the backward pass: input, kernel, bias and output.
type SavedForBackward<B> = ([FloatTensor<B>; 4], ConvolutionOptions);

#[derive(Debug)]
struct ConvolveBackward;

impl<B: Convolve> Backward<B, 3> for ConvolveBackward {
    type State = SavedForBackward<B>;

    fn backward(
        self,
        ops: Ops<SavedForBackward<B>, 3>,
        gradients: &mut Gradients,
        _: &mut Checkpointer,
    ) {
        let [input_node, kernel_node, bias_node] = ops.parents;
        let ([input, kernel, bias, output], options) = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        // The first layer's input, an image, needs no gradient.
        if let Some(node) = input_node {
            let values = B::input_gradient(
                input.clone(),
                kernel.clone(),
                output.clone(),
                gradient.clone(),
                options,
            );
            gradients.register::<B>(node.id, values);
        }
        if kernel_node.is_some() || bias_node.is_some() {
            let (kernel, bias) =
                B::parameter_gradients(input, kernel, bias, output, gradient, options);
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
        options: ConvolutionOptions,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), kernel.node(), bias.node()];
        let operands = [input, kernel, bias].map(FloatTensor::<Self>::into_primitive);
        let [input, kernel, bias] = operands.clone();
        let output = B::convolve(input, kernel, bias, options);
        match ConvolveBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(operation) => {
                let [input, kernel, bias] = operands;
                operation.finish(([input, kernel, bias, output.clone()], options), output)
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

    /// A convolution with test data.
    struct Case {
        options: ConvolutionOptions,
        input: Values<4>,
        kernel: Values<4>,
        bias: Values<1>,
        /// Weights of the output in the loss.
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
        /// Three images of 9 × 7 with five channels.
        fn random(
            kernel: usize,
            stride: usize,
            padding: usize,
            activation: Option<Activation>,
        ) -> Self {
            let mut rng = ChaCha8Rng::seed_from_u64(8);
            let side = |side: usize| (side + 2 * padding - kernel) / stride + 1;
            Self {
                options: ConvolutionOptions {
                    stride,
                    padding,
                    activation,
                },
                input: Values::random(&mut rng, [3, 5, 9, 7]),
                kernel: Values::random(&mut rng, [7, 5, kernel, kernel]),
                bias: Values::random(&mut rng, [7]),
                pull: Values::random(&mut rng, [3, 7, side(9), side(7)]),
            }
        }

        fn all() -> Vec<Self> {
            let mut cases = Vec::new();
            for kernel in [1, 3, 4, 5] {
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
            let output = conv2d(input.clone(), kernel.clone(), bias.clone(), self.options);
            let loss = (output.clone() * self.pull.on(&device)).sum();
            let gradients = loss.backward();
            [
                floats(output),
                floats(input.grad(&gradients).unwrap()),
                floats(kernel.grad(&gradients).unwrap()),
                floats(bias.grad(&gradients).unwrap()),
            ]
        }

        /// The loss without gradients, summed in double precision.
        fn loss(&self) -> f64 {
            let device = Device::flex();
            let output = conv2d(
                self.input.on(&device),
                self.kernel.on(&device),
                self.bias.on(&device),
                self.options,
            );
            let products = floats(output).into_iter().zip(&self.pull.values);
            products.map(|(a, &b)| f64::from(a) * f64::from(b)).sum()
        }
    }

    #[test]
    fn values_and_gradients_agree_with_scipy() {
        let cases = Case::all();
        let input: Vec<_> = cases
            .iter()
            .map(|case| {
                json!({
                    "input": case.input, "kernel": case.kernel, "bias": case.bias, "pull": case.pull,
                    "stride": case.options.stride, "padding": case.options.padding,
                    "relu": case.options.activation.is_some(),
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
                    // Up to 429 products below 1 are summed in single precision; the worst measured
                    // is 7e-6. A product too many or too few would be off by some tenths.
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error < 5e-5, "{:?}: {found} {expected}", case.options);
                }
            }
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        for stride in [1, 2] {
            let case = Case::random(3, stride, 1, None);
            let [_, input, kernel, bias] = case.run();
            let slope = |change: &dyn Fn(&mut Case, f32)| {
                let loss = |by| {
                    let mut changed = Case::random(3, stride, 1, None);
                    change(&mut changed, by);
                    changed.loss()
                };
                // The loss is linear in each value, so that the step may be large.
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
    fn the_number_of_threads_does_not_change_the_result() {
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
    fn the_activation_keeps_nan() {
        let mut case = Case::random(1, 1, 0, Some(Activation::Relu));
        case.input.values[0] = f32::NAN;
        let [output, ..] = case.run();
        assert!(output[0].is_nan());
        assert!(!output[1].is_nan());
    }
}
