//! The training loop.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Device;
use log::info;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::batch::Collator;
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
    /// Seed of the first weights, the order of the samples and their reflections.
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
    let collator = Collator {
        side: plan.architecture.side,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut network = Network::begin(plan.architecture, plan.seed, &device);
    let mut optimizer = AdamConfig::new().with_epsilon(ADAM_EPSILON).init();
    let mut order: Vec<&Sample> = split.train.iter().collect();
    let steps = order.len().div_ceil(plan.batch_size) * plan.epochs;
    let bar = progress::bar(steps as u64, "steps");
    let mut best: Option<Trained> = None;

    for epoch in 1..=plan.epochs {
        order.shuffle(&mut rng);
        let mut loss_sum = 0.0;
        for samples in order.chunks(plan.batch_size) {
            let (input, labels) = collator.reflected(samples, &mut rng, &device);
            let loss = network.loss(input, labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(plan.learning_rate, network, gradients);
            let loss: f32 = loss.into_scalar();
            if !loss.is_finite() {
                return Err(TrainError::Training {
                    problem: format!("the loss became {loss} in epoch {epoch}"),
                    remedy: "lower --learning-rate".into(),
                });
            }
            loss_sum += f64::from(loss) * samples.len() as f64;
            bar.set_message(format!("epoch {epoch}/{} · loss {loss:.3}", plan.epochs));
            bar.inc(1);
        }
        let snapshot = network.valid();
        let validation = score(&snapshot, plan.architecture, &split.validation);
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
) -> Vec<Scored> {
    let device = Device::flex();
    let collator = Collator {
        side: architecture.side,
    };
    let samples: Vec<&Sample> = samples.iter().collect();
    samples
        .chunks(SCORING_BATCH)
        .flat_map(|batch| {
            let margins = floats(network.margins(collator.inputs(batch, &device)));
            let labelled = margins.into_iter().zip(batch);
            labelled.map(|(margin, sample)| Scored {
                margin,
                positive: sample.positive,
            })
        })
        .collect()
}
