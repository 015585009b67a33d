//! Gradient descent, step by step.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Device;

use super::batch::Batch;
use crate::networks::{Architecture, Network};

/// Keras' value; burn's default is a hundred times larger.
const ADAM_EPSILON: f32 = 1e-7;

/// A network in training, with its optimizer: Adam (Kingma and Ba 2015) on cross-entropy.
pub(crate) struct Learner {
    network: Network,
    optimizer: ModuleOptimizer,
    device: Device,
}

impl Learner {
    pub(crate) fn new(architecture: Architecture, seed: u64, device: &Device) -> Self {
        let device = device.clone().autodiff();
        Self {
            network: Network::init(architecture, seed, &device),
            optimizer: AdamConfig::new().with_epsilon(ADAM_EPSILON).init(),
            device,
        }
    }

    /// One step down the gradient; returns the batch's loss before the step.
    pub(crate) fn step(&mut self, batch: Batch, learning_rate: f64) -> f32 {
        let (input, labels) = batch.tensors(&self.device);
        let loss = self.network.loss(input, labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        // The clone shares its tensors.
        let network = self.network.clone();
        self.network = self.optimizer.step(learning_rate, network, gradients);
        loss.into_scalar()
    }

    /// The network as it is now, without gradients.
    pub(super) fn network(&self) -> Network {
        self.network.valid()
    }

    pub(super) fn records(&self) -> (ModuleRecord, OptimizerRecord) {
        (
            self.network.clone().into_record(),
            self.optimizer.to_record(),
        )
    }

    pub(super) fn load(
        self,
        network: ModuleRecord,
        optimizer: OptimizerRecord,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            network: self.network.try_load_record(network)?,
            optimizer: self.optimizer.load_record(optimizer),
            device: self.device,
        })
    }
}
