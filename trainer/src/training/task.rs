//! What the training loop asks of a network and its examples.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::history::Validation;
use crate::error::TrainError;

/// Something to learn: a network, its loss, and the examples it learns from.
pub(crate) trait Task: Sync {
    type Network: Module;
    /// Some examples, prepared for a step.
    type Batch: Send;

    /// A network with random weights, determined by the seed.
    fn init(&self, seed: u64, device: &Device) -> Self::Network;

    /// The number of training examples.
    fn examples(&self) -> usize;

    /// Prepares the examples with these numbers, from 0, for an epoch, from 1. It runs on another
    /// thread than the steps.
    ///
    /// # Errors
    /// If an example cannot be prepared.
    fn prepare(&self, examples: &[usize], epoch: u64) -> Result<Self::Batch, TrainError>;

    /// The mean loss of a batch, `[1]`, computed on this device.
    fn loss(&self, network: &Self::Network, batch: Self::Batch, device: &Device) -> Tensor<1>;

    /// The network for evaluation, which is kept: with normalisations folded into its convolutions.
    fn finished(network: Self::Network) -> Self::Network;

    /// Judges a finished network on validation examples.
    ///
    /// # Errors
    /// If an example cannot be prepared.
    fn validate(&self, network: &Self::Network) -> Result<Validation, TrainError>;
}
