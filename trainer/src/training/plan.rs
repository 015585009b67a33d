//! The settings of a training.

use std::path::PathBuf;

use burn::tensor::Device;
use clap::builder::TypedValueParser;
use clap::{Args, ValueEnum};
use smearscope_artifacts::Colour;

use super::device::parse_device;
use super::schedule::Schedule;
use super::settings::Settings;
use crate::arguments;
use crate::dataset::Sample;
use crate::metrics::ClassWeights;
use crate::networks::Architecture;

/// How to train.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Plan {
    /// Which network
    #[arg(long, default_value = "compact", value_parser = Architecture::parser())]
    pub(crate) network: Architecture,
    /// What the network sees of an image
    #[arg(long, value_enum, default_value = "rgb")]
    pub(crate) input: Colour,
    /// Largest number of passes over the training images
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    pub(crate) epochs: usize,
    /// Stop after this many epochs without a lower validation loss
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    pub(crate) patience: usize,
    /// Images per step
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024).map(usize::from))]
    pub(crate) batch_size: usize,
    /// Adam's learning rate at its highest [default: 1e-3 for compact, 1e-4 for reference, 3e-3 for cells]
    #[arg(long, value_parser = arguments::learning_rate)]
    pub(crate) learning_rate: Option<f64>,
    /// How the learning rate changes
    #[arg(long, value_enum, default_value = "cosine")]
    pub(crate) schedule: Schedule,
    /// How much the images of each class count in the loss
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) class_weights: ClassWeighting,
    #[command(flatten)]
    pub(crate) evidence: EvidencePlan,
    /// Device to train on: cpu, wgpu (Vulkan, Metal) or cuda; the last two need a build with that
    /// feature
    #[arg(long, default_value = "cpu", value_parser = parse_device)]
    pub(crate) device: Device,
    /// Seed of the split, the initial weights, the order of the images and their augmentation
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Where evidence should lie.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct EvidencePlan {
    /// Folder of the images' masks, as `synth --masks` writes them: evidence for the positive class is to
    /// lie on white cells
    #[arg(long, value_name = "FOLDER")]
    pub(crate) masks: Option<PathBuf>,
    /// How much the share of the evidence beside white cells adds to the loss; 0: it is only measured
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0, value_parser = arguments::weight, requires = "masks")]
    pub(crate) evidence_weight: f64,
}

impl EvidencePlan {
    /// The command-line options that give this plan, with the masks at `masks`; begins with a space unless
    /// it is empty.
    pub(crate) fn options(&self, masks: &str) -> String {
        match self.masks {
            None => String::new(),
            Some(_) => format!(
                " --masks {masks} --evidence-weight {}",
                self.evidence_weight
            ),
        }
    }

    /// No masks.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self {
        masks: None,
        evidence_weight: 1.0,
    };
}

/// The values of `--class-weights`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassWeighting {
    /// Both classes count the same in total, however many images each has
    Balanced,
    /// Every image counts the same
    None,
}

impl ClassWeighting {
    /// The weights for these training images.
    pub(super) fn of(self, train: &[&Sample]) -> ClassWeights {
        match self {
            Self::Balanced => ClassWeights::balance(train.iter().map(|sample| sample.positive)),
            Self::None => ClassWeights::EVEN,
        }
    }
}

impl Plan {
    /// The network with its input.
    pub(crate) fn architecture(&self) -> Architecture {
        self.network.with_colour(self.input)
    }

    /// The learning rate at its highest.
    pub(crate) fn highest_learning_rate(&self) -> f64 {
        let default = || self.network.learning_rate();
        self.learning_rate.unwrap_or_else(default)
    }

    /// The settings of the training loop of a network whose learning rate is this unless another one is given.
    pub(crate) fn settings(&self, learning_rate: f64) -> Settings {
        Settings {
            epochs: self.epochs,
            patience: self.patience,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate.unwrap_or(learning_rate),
            schedule: self.schedule,
            seed: self.seed,
            device: self.device.clone(),
        }
    }
}
