//! The operation for the framework: its dispatch to backends and its gradient.
//!
//! The CPU backend uses [`passes`]; the others use the framework's batch normalisation.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData};

use super::passes::{self, EPSILON, Parameters, Shape, Statistics};

/// A normalised batch, and the mean and the (biased) variance of each channel, `[channels]`.
#[derive(Debug)]
pub(crate) struct BatchNormalised {
    /// `[n, channels, rows, columns]`
    pub(crate) output: Tensor<4>,
    /// Without gradient.
    pub(crate) mean: Tensor<1>,
    /// Without gradient.
    pub(crate) variance: Tensor<1>,
}

/// Normalises each channel to mean 0 and variance 1 over the batch, `[n, channels, rows, columns]`;
/// multiplies by `scale`, adds `shift`, both `[channels]`, and applies a ReLU (Ioffe and Szegedy 2015,
/// "Batch Normalization").
///
/// # Panics
///
/// If the sizes do not match, or if the batch is empty.
pub(crate) fn batch_norm_relu(
    input: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
) -> BatchNormalised {
    let [images, channels, rows, columns] = input.dims();
    assert_eq!([[channels]; 2], [scale.dims(), shift.dims()]);
    assert!(images * channels * rows * columns > 0);
    let (output, mean, variance) = Dispatch::batch_norm_relu(
        input.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
    );
    BatchNormalised {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// Output, mean and variance; or gradients of input, scale and shift.
type Three<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// The operation, by default made of the framework's operations.
#[backend_extension(
    Flex,
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Autodiff
)]
trait BatchNormRelu: Backend {
    /// Output, mean and variance.
    fn batch_norm_relu(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let normalised = Self::batch_norm_train(input, scale, shift, EPSILON.into());
        let output = Self::relu(normalised.output);
        (output, normalised.mean, normalised.variance)
    }

    /// Gradients of input, scale and shift.
    fn batch_norm_relu_gradients(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let output = Self::batch_norm(
            input.clone(),
            scale.clone(),
            shift,
            mean.clone(),
            variance.clone(),
            EPSILON.into(),
        );
        let gradient = Self::relu_backward(Self::relu(output), gradient);
        let epsilon = EPSILON.into();
        let gradients =
            Self::batch_norm_train_backward(input, scale, mean, variance, epsilon, gradient);
        (gradients.x_grad, gradients.gamma_grad, gradients.beta_grad)
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl BatchNormRelu for burn::backend::Cube {}

impl BatchNormRelu for Flex {
    fn batch_norm_relu(input: FlexTensor, scale: FlexTensor, shift: FlexTensor) -> Three<Self> {
        let [input, scale, shift] = [input, scale, shift].map(|tensor| tensor.to_contiguous());
        let shape = shape(&input);
        let parameters = Parameters {
            scale: scale.storage(),
            shift: shift.storage(),
        };
        let (mean, variance) = passes::statistics(shape, input.storage());
        let statistics = Statistics {
            mean: &mean,
            variance: &variance,
        };
        let values = passes::forward(shape, input.storage(), statistics, parameters);
        let output = FlexTensor::from_data(TensorData::new(values, input.shape()));
        (output, of_channels(mean), of_channels(variance))
    }

    fn batch_norm_relu_gradients(
        input: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        gradient: FlexTensor,
    ) -> Three<Self> {
        let [input, scale, shift] = [input, scale, shift].map(|tensor| tensor.to_contiguous());
        let [mean, variance, gradient] = [mean, variance, gradient].map(|it| it.to_contiguous());
        let statistics = Statistics {
            mean: mean.storage(),
            variance: variance.storage(),
        };
        let parameters = Parameters {
            scale: scale.storage(),
            shift: shift.storage(),
        };
        let (values, scale, shift) = passes::backward(
            shape(&input),
            input.storage(),
            statistics,
            parameters,
            gradient.storage(),
        );
        let values = FlexTensor::from_data(TensorData::new(values, input.shape()));
        (values, of_channels(scale), of_channels(shift))
    }
}

fn shape(input: &FlexTensor) -> Shape {
    let shape = input.shape();
    Shape {
        channels: shape[1],
        plane: shape[2] * shape[3],
    }
}

fn of_channels(values: Vec<f32>) -> FlexTensor {
    let count = values.len();
    FlexTensor::from_data(TensorData::new(values, [count]))
}

#[derive(Debug)]
struct BatchNormReluBackward;

impl<B: BatchNormRelu> Backward<B, 3> for BatchNormReluBackward {
    /// Input, scale, shift, mean and variance.
    type State = [FloatTensor<B>; 5];

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let nodes = ops.parents;
        let [input, scale, shift, mean, variance] = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        let (input, scale, shift) =
            B::batch_norm_relu_gradients(input, scale, shift, mean, variance, gradient);
        for (node, values) in nodes.into_iter().zip([input, scale, shift]) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, values);
            }
        }
    }
}

impl<B: BatchNormRelu, C: CheckpointStrategy> BatchNormRelu for Autodiff<B, C> {
    fn batch_norm_relu(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> Three<Self> {
        let nodes = [input.node(), scale.node(), shift.node()];
        let [input, scale, shift] = [input, scale, shift].map(FloatTensor::<Self>::into_primitive);
        let (output, mean, variance) =
            B::batch_norm_relu(input.clone(), scale.clone(), shift.clone());
        let operation = BatchNormReluBackward.prepare::<C>(nodes);
        let output = match operation.compute_bound().stateful() {
            OpsKind::Tracked(operation) => {
                let state = [input, scale, shift, mean.clone(), variance.clone()];
                operation.finish(state, output)
            }
            OpsKind::UnTracked(operation) => operation.finish(output),
        };
        let [mean, variance] = [mean, variance].map(FloatTensor::<Self>::new);
        (output, mean, variance)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rayon::ThreadPoolBuilder;
    use serde::Deserialize;

    use super::*;
    use crate::networks::floats;

    /// A batch with what `PyTorch` makes of it; `tests/make_batch_norm_fixture.py` writes it.
    #[derive(Deserialize)]
    struct Case {
        shape: [usize; 4],
        input: Vec<f32>,
        scale: Vec<f32>,
        shift: Vec<f32>,
        /// Weights of the output in the loss.
        pull: Vec<f32>,
        output: Vec<f32>,
        mean: Vec<f32>,
        variance: Vec<f32>,
        input_gradient: Vec<f32>,
        scale_gradient: Vec<f32>,
        shift_gradient: Vec<f32>,
    }

    impl Case {
        fn read() -> Self {
            let text = include_str!("../../tests/fixtures/batch_norm.json");
            serde_json::from_str(text).unwrap()
        }

        /// Output, mean, variance, and gradients of input, scale and shift.
        fn run(&self) -> [Vec<f32>; 6] {
            let device = Device::flex().autodiff();
            let images = |values: &[f32]| -> Tensor<4> {
                Tensor::from_data(TensorData::new(values.to_vec(), self.shape), &device)
            };
            let channels = |values: &[f32]| -> Tensor<1> {
                Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &device)
            };
            let input = images(&self.input).require_grad();
            let scale = channels(&self.scale).require_grad();
            let shift = channels(&self.shift).require_grad();
            let normalised = batch_norm_relu(input.clone(), scale.clone(), shift.clone());
            let loss = (normalised.output.clone() * images(&self.pull)).sum();
            let gradients = loss.backward();
            [
                floats(normalised.output),
                floats(normalised.mean),
                floats(normalised.variance),
                floats(input.grad(&gradients).unwrap()),
                floats(scale.grad(&gradients).unwrap()),
                floats(shift.grad(&gradients).unwrap()),
            ]
        }
    }

    #[test]
    fn values_and_gradients_agree_with_pytorch() {
        let case = Case::read();
        let expected = [
            &case.output,
            &case.mean,
            &case.variance,
            &case.input_gradient,
            &case.scale_gradient,
            &case.shift_gradient,
        ];
        for (found, expected) in case.run().iter().zip(expected) {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                // Values of a few units, in single precision; a wrong or missing term would be off by
                // some tenths.
                assert!((found - expected).abs() < 2e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_result() {
        let bits = |threads| -> Vec<u32> {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            let results = pool.unwrap().install(|| Case::read().run());
            results.concat().into_iter().map(f32::to_bits).collect()
        };
        assert_eq!(bits(1), bits(3));
    }

    #[test]
    fn a_channel_with_nan_keeps_it() {
        let mut case = Case::read();
        case.input[0] = f32::NAN;
        let [output, ..] = case.run();
        let plane = case.shape[2] * case.shape[3];
        assert!(output[..plane].iter().all(|value| value.is_nan()));
        assert!(output[plane..2 * plane].iter().all(|value| !value.is_nan()));
    }

    #[test]
    fn a_constant_channel_becomes_its_shift() {
        let mut case = Case::read();
        case.input.fill(3.0);
        let [output, _, variance, input_gradient, ..] = case.run();
        assert_eq!(variance, [0.0; 3]);
        let plane = case.shape[2] * case.shape[3];
        for (planes, shift) in output.chunks(plane).zip(case.shift.iter().cycle()) {
            assert!(
                planes
                    .iter()
                    .all(|value| (value - shift.max(0.0)).abs() < 1e-6)
            );
        }
        assert!(input_gradient.iter().all(|value| value.is_finite()));
    }
}
