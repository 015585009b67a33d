//! Learning to classify whole fields.

use burn::tensor::{Device, Tensor};

use super::batch::{Batch, Numbered};
use super::history::Validation;
use super::score::{add_evidence, score};
use super::task::Task;
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::metrics::{self, ClassWeights, EvidencePlace};
use crate::networks::{Architecture, Network};

/// The fields that a network learns from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldTask<'a> {
    pub(crate) architecture: Architecture,
    /// Whether each epoch augments the samples again.
    pub(crate) augment: bool,
    /// Seed of the augmentation.
    pub(crate) seed: u64,
    /// The weight of each class in the loss.
    pub(crate) class_weights: ClassWeights,
    /// The weight of the share of positive evidence outside of known cells.
    pub(crate) evidence_weight: f64,
    pub(crate) train: &'a [&'a Sample],
    pub(crate) validation: &'a [&'a Sample],
}

impl Task for FieldTask<'_> {
    type Network = Network;
    type Batch = Batch;

    fn init(&self, seed: u64, device: &Device) -> Network {
        Network::init(self.architecture, seed, device)
    }

    fn examples(&self) -> usize {
        self.train.len()
    }

    fn prepare(&self, examples: &[usize], epoch: u64) -> Result<Batch, TrainError> {
        if self.augment {
            let numbered = examples
                .iter()
                .map(|&number| (number as u64, self.train[number]));
            let samples: Vec<Numbered> = numbered.collect();
            return Batch::augmented(&samples, self.architecture, self.seed, epoch);
        }
        let samples = examples.iter().map(|&number| self.train[number]);
        let samples: Vec<&Sample> = samples.collect();
        Batch::plain(&samples, self.architecture)
    }

    fn loss(&self, network: &Network, batch: Batch, device: &Device) -> Tensor<1> {
        let evidence = (self.evidence_weight > 0.0)
            .then(|| batch.evidence_target(self.evidence_weight, device))
            .flatten();
        let (input, labels) = batch.tensors(device);
        let weights = [false, true].map(|positive| self.class_weights.of(positive) as f32);
        network.loss(input, labels, weights, evidence)
    }

    fn finished(network: Network) -> Network {
        network.folded()
    }

    fn validate(&self, network: &Network) -> Result<Validation, TrainError> {
        let scored = score(network, self.validation)?;
        let margins: Vec<(f32, bool)> = scored.iter().map(|s| (s.margin, s.positive)).collect();
        let mut figures = vec![("auroc", metrics::auroc(&margins))];
        let mut place = EvidencePlace::default();
        add_evidence(&mut place, network, self.validation)?;
        if let Some(evidence) = place.figures() {
            figures.extend([
                ("evidence_inside", evidence.inside),
                ("evidence_offset", evidence.offset),
            ]);
        }
        Ok(Validation {
            loss: metrics::log_loss(&scored, self.class_weights),
            figures,
        })
    }
}
