//! The training loop.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Device;
use log::info;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::batch::{self, Batch};
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::metrics::{self, Scored};
use crate::network::{Architecture, Network, floats};
use crate::progress;

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) architecture: Architecture,
    /// At most.
    pub(crate) epochs: usize,
    /// Epochs without a lower validation loss after which training ends.
    pub(crate) patience: usize,
    pub(crate) batch_size: usize,
    pub(crate) learning_rate: f64,
    /// Seed of the first weights, the order of the samples and their variations.
    pub(crate) seed: u64,
}

/// The network of the epoch that did best on the validation images.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) network: Network,
    pub(crate) course: Course,
}

/// How training went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Course {
    /// The epoch whose network was kept, from 1.
    pub(crate) best: usize,
    pub(crate) epochs: Vec<Epoch>,
}

/// One pass over the training images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Epoch {
    /// Mean cross-entropy of the training images, each as it was varied, before the step it led to.
    pub(crate) loss: f64,
    pub(crate) validation_loss: f64,
    pub(crate) validation_auroc: Option<f64>,
}

/// Keras' value; burn's own default is a hundred times larger.
const ADAM_EPSILON: f32 = 1e-7;
/// Images per forward pass when only margins are wanted.
const SCORING_BATCH: usize = 64;

/// Trains with Adam (Kingma and Ba 2015) on cross-entropy and keeps the epoch with the lowest
/// validation loss. `name` tells trainings apart.
pub(crate) fn train(
    plan: &Plan,
    train: &[&Sample],
    validation: &[&Sample],
    name: &str,
) -> Result<Trained, TrainError> {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut network = Network::begin(plan.architecture, plan.seed, &device);
    let mut optimizer = AdamConfig::new().with_epsilon(ADAM_EPSILON).init();
    let mut order: Vec<(u64, &Sample)> = (0..).zip(train.iter().copied()).collect();
    let steps = order.len().div_ceil(plan.batch_size) * plan.epochs;
    let bar = progress::bar(steps as u64, "steps");
    let mut epochs: Vec<Epoch> = Vec::new();
    let mut best: Option<(usize, Network)> = None;
    let mut lowest = f64::INFINITY;
    let mut validated = String::new();

    for epoch in 1..=plan.epochs {
        order.shuffle(&mut rng);
        let mut loss_sum = 0.0;
        let batches = order.chunks(plan.batch_size);
        let number = epoch as u64;
        batch::each_varied(batches, plan.architecture, plan.seed, number, |batch| {
            let count = batch.len();
            let (input, labels) = batch.tensors(&device);
            let loss = network.loss(input, labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            // The clone shares its tensors.
            network = optimizer.step(plan.learning_rate, network.clone(), gradients);
            let loss: f32 = loss.into_scalar();
            if !loss.is_finite() {
                return Err(TrainError::Training {
                    problem: format!("the loss became {loss} in epoch {epoch}"),
                    remedy: "lower --learning-rate".into(),
                });
            }
            loss_sum += f64::from(loss) * count as f64;
            bar.set_message(format!(
                "{name} · epoch {epoch}/{} · loss {loss:.3}{validated}",
                plan.epochs
            ));
            bar.inc(1);
            Ok(())
        })?;
        let snapshot = network.valid();
        let scored = score(&snapshot, plan.architecture, validation)?;
        let margins: Vec<(f32, bool)> = scored.iter().map(|s| (s.margin, s.positive)).collect();
        let finished = Epoch {
            loss: loss_sum / order.len() as f64,
            validation_loss: metrics::log_loss(&scored, 1.0),
            validation_auroc: metrics::auroc(&margins),
        };
        let Epoch {
            loss,
            validation_loss,
            validation_auroc,
        } = finished;
        let auroc = validation_auroc.unwrap_or(f64::NAN);
        validated = format!(" · validation loss {validation_loss:.3}, AUROC {auroc:.3}");
        bar.suspend(|| {
            info!(
                "{name} · epoch {epoch}/{} · loss {loss:.4}{validated}",
                plan.epochs
            );
        });
        epochs.push(finished);
        if validation_loss < lowest {
            lowest = validation_loss;
            best = Some((epoch, snapshot));
        } else if epoch - best.as_ref().map_or(0, |(epoch, _)| *epoch) >= plan.patience {
            bar.suspend(|| {
                info!("{name} · no gain in {} epochs: stopped", plan.patience);
            });
            break;
        }
    }
    bar.finish_and_clear();
    let (best, network) = best.ok_or_else(|| TrainError::Training {
        problem: "no epoch gave a finite validation loss".into(),
        remedy: "lower --learning-rate".into(),
    })?;
    Ok(Trained {
        network,
        course: Course { best, epochs },
    })
}

/// Runs the network on samples as they are.
pub(crate) fn score(
    network: &Network,
    architecture: Architecture,
    samples: &[&Sample],
) -> Result<Vec<Scored>, TrainError> {
    let device = Device::flex();
    let mut scored = Vec::with_capacity(samples.len());
    for samples in samples.chunks(SCORING_BATCH) {
        let (input, _) = Batch::plain(samples, architecture)?.tensors(&device);
        let margins = floats(network.margins(input));
        let labelled = margins.into_iter().zip(samples);
        scored.extend(labelled.map(|(margin, sample)| Scored {
            margin,
            positive: sample.positive,
            group: sample.group,
        }));
    }
    Ok(scored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::test_field;

    fn samples(numbers: std::ops::Range<u64>) -> Vec<Sample> {
        numbers
            .map(|number| Sample {
                path: number.to_string().into(),
                positive: number % 2 == 1,
                group: number as usize,
                camera: None,
                size: (24, 24),
                file_bytes: 1,
                input: test_field(number, 24, 24),
                picture: test_field(number, 48, 48),
            })
            .collect()
    }

    const PLAN: Plan = Plan {
        architecture: Architecture {
            side: 24,
            filters: 4,
        },
        epochs: 2,
        patience: 5,
        batch_size: 8,
        learning_rate: 1e-3,
        seed: 1,
    };

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let samples = samples(0..36);
        let samples: Vec<&Sample> = samples.iter().collect();
        let margins = |seed| -> Vec<u32> {
            let plan = Plan { seed, ..PLAN };
            let trained = train(&plan, &samples[..20], &samples[20..28], "test").unwrap();
            let scored = score(&trained.network, plan.architecture, &samples[28..]).unwrap();
            scored.iter().map(|item| item.margin.to_bits()).collect()
        };
        let first = margins(1);
        assert_eq!(first, margins(1));
        assert_ne!(first, margins(2));
    }

    #[test]
    fn training_ends_when_patience_does() {
        let samples = samples(0..24);
        let samples: Vec<&Sample> = samples.iter().collect();
        let plan = Plan {
            epochs: 40,
            patience: 2,
            // Too fast to settle.
            learning_rate: 0.05,
            ..PLAN
        };
        let Course { best, epochs } = train(&plan, &samples[..16], &samples[16..], "test")
            .unwrap()
            .course;
        assert_eq!(epochs.len(), best + 2);
        let kept = epochs[best - 1].validation_loss;
        assert!(epochs.iter().all(|epoch| epoch.validation_loss >= kept));
    }
}
