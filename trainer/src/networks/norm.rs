//! Batch normalisation as a layer, with the statistics that replace those of a batch after training.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};

use crate::normalisation::{BatchNormalised, EPSILON, batch_norm_relu};

/// Share of each batch in the running statistics: `PyTorch`'s value.
const MOMENTUM: f64 = 0.1;
/// Share of the values before the first batch: mean 0 and variance 1.
const INITIAL_WEIGHT: f32 = 1e-6;

/// Normalises each channel over a batch (Ioffe and Szegedy 2015) and applies a ReLU.
///
/// Evaluation uses running averages of the batches' means and variances. They start near zero, and so does
/// the sum of their weights, by which they are divided (the bias correction of Kingma and Ba 2015), so
/// that they are right from the first batch on.
#[derive(Module, Debug)]
pub(super) struct BatchNorm {
    /// `[channels]`
    scale: Param<Tensor<1>>,
    /// `[channels]`
    mean: RunningState<Tensor<1>>,
    /// `[channels]`
    variance: RunningState<Tensor<1>>,
    /// `[1]`
    weight: RunningState<Tensor<1>>,
}

impl BatchNorm {
    pub(super) fn init(channels: usize, device: &Device) -> Self {
        // The statistics have no gradients.
        let plain = device.clone().without_autodiff();
        Self {
            scale: Param::from_tensor(Tensor::ones([channels], device)),
            mean: RunningState::new(Tensor::zeros([channels], &plain)),
            variance: RunningState::new(Tensor::full([channels], INITIAL_WEIGHT, &plain)),
            weight: RunningState::new(Tensor::full([1], INITIAL_WEIGHT, &plain)),
        }
    }

    /// Normalises a batch, `[n, channels, rows, columns]`, adds `shift`, `[channels]`, and applies a ReLU;
    /// takes the batch's statistics into the running ones.
    pub(super) fn forward(&self, input: Tensor<4>, shift: Tensor<1>) -> Tensor<4> {
        let [images, _, rows, columns] = input.dims();
        let BatchNormalised {
            output,
            mean,
            variance,
        } = batch_norm_relu(input, self.scale.val(), shift);
        let count = (images * rows * columns) as f64;
        // The unbiased estimate, as in the paper.
        let variance = variance * (count / (count - 1.0).max(1.0));
        let whole = Tensor::ones([1], &self.weight.value().device());
        for (state, of_batch) in [
            (&self.mean, mean),
            (&self.variance, variance),
            (&self.weight, whole),
        ] {
            let of_batch = of_batch.without_autodiff() * MOMENTUM;
            state.update(state.value_sync() * (1.0 - MOMENTUM) + of_batch);
        }
        output
    }

    /// Kernel and bias of the convolution that computes what `kernel`, `[channels, …]`, and this
    /// normalisation with `shift` compute by the running statistics.
    pub(super) fn fold(&self, kernel: Tensor<4>, shift: Tensor<1>) -> (Tensor<4>, Tensor<1>) {
        let weight = self.weight.value_sync();
        let mean = self.mean.value_sync() / weight.clone();
        let variance = self.variance.value_sync() / weight;
        let factor = self.scale.val() / (variance + EPSILON).sqrt();
        let [channels] = factor.dims();
        let bias = shift - mean * factor.clone();
        (kernel * factor.reshape([channels, 1, 1, 1]), bias)
    }
}

#[cfg(test)]
impl BatchNorm {
    /// Mean and variance of the values that are normalised in evaluation.
    pub(super) fn statistics(&self) -> [Tensor<1>; 2] {
        let weight = self.weight.value_sync();
        [&self.mean, &self.variance].map(|state| state.value_sync() / weight.clone())
    }

    pub(super) fn scale(&self) -> Tensor<1> {
        self.scale.val()
    }
}
