//! How a network learns, whatever it is.

use burn::tensor::Device;

use super::schedule::Schedule;

/// The settings of the training loop.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Largest number of passes over the training examples.
    pub(crate) epochs: usize,
    /// Training stops after this many epochs without a lower validation loss.
    pub(crate) patience: usize,
    /// Examples per step.
    pub(crate) batch_size: usize,
    /// Adam's learning rate at its highest.
    pub(crate) learning_rate: f64,
    pub(crate) schedule: Schedule,
    /// Seed of the initial weights and of the order of the examples.
    pub(crate) seed: u64,
    pub(crate) device: Device,
}

impl Settings {
    pub(super) fn steps_per_epoch(&self, examples: usize) -> u64 {
        examples.div_ceil(self.batch_size) as u64
    }

    /// The number of steps of a training that uses all its epochs.
    pub(crate) fn steps(&self, examples: usize) -> u64 {
        self.steps_per_epoch(examples) * self.epochs as u64
    }

    /// The learning rate of a step, from 0, of all.
    pub(super) fn learning_rate(&self, step: u64, steps: u64) -> f64 {
        self.learning_rate * self.schedule.factor(step, steps)
    }
}
