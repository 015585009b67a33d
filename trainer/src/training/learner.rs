//! Gradient descent, step by step.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Device, Tensor};

/// Keras' value; burn's default is a hundred times larger.
const ADAM_EPSILON: f32 = 1e-7;

/// A network in training, with its optimizer: Adam (Kingma and Ba 2015).
pub(crate) struct Learner<Network> {
    network: Network,
    optimizer: ModuleOptimizer,
    device: Device,
}

impl<Network: Module> Learner<Network> {
    /// Learns on a device, from the network that `init` makes there.
    pub(crate) fn new(device: &Device, init: impl FnOnce(&Device) -> Network) -> Self {
        let device = device.clone().autodiff();
        Self {
            network: init(&device),
            optimizer: AdamConfig::new().with_epsilon(ADAM_EPSILON).init(),
            device,
        }
    }

    /// One step down the gradient of a loss, `[1]`, that is computed on the device; returns the loss
    /// before the step.
    pub(crate) fn step(
        &mut self,
        learning_rate: f64,
        loss: impl FnOnce(&Network, &Device) -> Tensor<1>,
    ) -> f32 {
        let loss = loss(&self.network, &self.device);
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
        // Unlike the network itself, its copy has the running statistics of the last step.
        (self.network().into_record(), self.optimizer.to_record())
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
