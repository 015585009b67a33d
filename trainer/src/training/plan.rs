//! The settings of a training.

use std::f64::consts::PI;

use burn::tensor::Device;
use clap::Args;
use clap::builder::TypedValueParser;

use super::device::parse_device;
use crate::arguments;
use crate::networks::Architecture;

/// How to train.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Plan {
    /// Which network
    #[arg(long = "network", value_name = "NETWORK", default_value = "compact", value_parser = Architecture::parser())]
    pub(crate) architecture: Architecture,
    /// Largest number of passes over the training images
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    pub(crate) epochs: usize,
    /// Stop after this many epochs without a lower validation loss
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    pub(crate) patience: usize,
    /// Images per step
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024).map(usize::from))]
    pub(crate) batch_size: usize,
    /// Adam's learning rate in the first epoch; it decays to zero along half a cosine [default: 1e-3
    /// for compact, 1e-4 for reference]
    // Loshchilov and Hutter 2017, "SGDR".
    #[arg(long, value_parser = arguments::learning_rate)]
    pub(crate) learning_rate: Option<f64>,
    /// Device to train on: cpu, wgpu (Vulkan, Metal) or cuda; the last two need a build with that
    /// feature
    #[arg(long, default_value = "cpu", value_parser = parse_device)]
    pub(crate) device: Device,
    /// Seed of the split, the initial weights, the order of the images and their augmentation
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Plan {
    /// The learning rate of the first epoch.
    pub(crate) fn initial_learning_rate(&self) -> f64 {
        let default = || self.architecture.learning_rate();
        self.learning_rate.unwrap_or_else(default)
    }

    /// The learning rate of an epoch, from 1.
    pub(super) fn learning_rate_in(&self, epoch: u64) -> f64 {
        let done = (epoch - 1) as f64 / self.epochs as f64;
        self.initial_learning_rate() * 0.5 * (1.0 + (PI * done).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_falls_along_half_a_cosine() {
        let plan = Plan {
            architecture: Architecture::COMPACT,
            epochs: 4,
            patience: 5,
            batch_size: 8,
            learning_rate: Some(0.2),
            seed: 1,
            device: Device::flex(),
        };
        let rates = [1, 3, 4].map(|epoch| plan.learning_rate_in(epoch));
        let expected = [0.2, 0.1, 0.1 * (1.0 - 0.5_f64.sqrt())];
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-12, "{rates:?}");
        }
    }
}
