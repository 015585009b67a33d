//! The training loop.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Device;
use log::info;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::batch::{self, Batch};
use crate::dataset::{Sample, Split};
use crate::error::TrainError;
use crate::metrics::{self, Scored};
use crate::network::{Architecture, Network, floats};
use crate::progress;

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) architecture: Architecture,
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) learning_rate: f64,
    /// Seed of the first weights, the order of the samples and their variations.
    pub(crate) seed: u64,
}

/// The network of the epoch that did best on the validation images.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) network: Network,
    /// From 1.
    pub(crate) epoch: usize,
    pub(crate) validation_loss: f64,
}

/// Keras' value; burn's own default is a hundred times larger.
const ADAM_EPSILON: f32 = 1e-7;
/// Images per forward pass when only margins are wanted.
const SCORING_BATCH: usize = 64;

/// Trains with Adam (Kingma and Ba 2015) on cross-entropy and keeps the best epoch.
pub(crate) fn train(plan: &Plan, split: &Split) -> Result<Trained, TrainError> {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut network = Network::begin(plan.architecture, plan.seed, &device);
    let mut optimizer = AdamConfig::new().with_epsilon(ADAM_EPSILON).init();
    let mut order: Vec<(u64, &Sample)> = (0..).zip(&split.train).collect();
    let steps = order.len().div_ceil(plan.batch_size) * plan.epochs;
    let bar = progress::bar(steps as u64, "steps");
    let mut best: Option<Trained> = None;

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
            bar.set_message(format!("epoch {epoch}/{} · loss {loss:.3}", plan.epochs));
            bar.inc(1);
            Ok(())
        })?;
        let snapshot = network.valid();
        let validation = score(&snapshot, plan.architecture, &split.validation)?;
        let validation_loss = metrics::log_loss(&validation, 1.0);
        let summary = format!(
            "epoch {epoch}/{}: loss {:.4}, validation loss {validation_loss:.4}, validation AUROC {:.4}",
            plan.epochs,
            loss_sum / order.len() as f64,
            metrics::auroc(&validation).unwrap_or(f64::NAN),
        );
        bar.suspend(|| info!("{summary}"));
        if best
            .as_ref()
            .is_none_or(|best| validation_loss < best.validation_loss)
        {
            best = Some(Trained {
                network: snapshot,
                epoch,
                validation_loss,
            });
        }
    }
    bar.finish_and_clear();
    best.ok_or_else(|| TrainError::Training {
        problem: "no epoch gave a finite validation loss".into(),
        remedy: "lower --learning-rate".into(),
    })
}

/// Runs the network on samples as they are.
pub(crate) fn score(
    network: &Network,
    architecture: Architecture,
    samples: &[Sample],
) -> Result<Vec<Scored>, TrainError> {
    let device = Device::flex();
    let samples: Vec<&Sample> = samples.iter().collect();
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
                input: test_field(number, 24, 24),
                picture: test_field(number, 48, 48),
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let split = Split {
            train: samples(0..20),
            validation: samples(20..28),
            test: samples(28..36),
        };
        let margins = |seed| -> Vec<u32> {
            let plan = Plan {
                architecture: Architecture {
                    side: 24,
                    filters: 4,
                },
                epochs: 2,
                batch_size: 8,
                learning_rate: 1e-3,
                seed,
            };
            let trained = train(&plan, &split).unwrap();
            let scored = score(&trained.network, plan.architecture, &split.test).unwrap();
            scored.iter().map(|item| item.margin.to_bits()).collect()
        };
        let first = margins(1);
        assert_eq!(first, margins(1));
        assert_ne!(first, margins(2));
    }
}
