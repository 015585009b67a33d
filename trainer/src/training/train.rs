//! The training loop.

use std::f64::consts::PI;

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::store::RecordError;
use burn::tensor::Device;
use log::info;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::dataset::Sample;
use crate::error::TrainError;
use crate::metrics::{self, Scored};
use crate::networks::{Architecture, Network, floats};
use crate::progress;
use crate::training::batch::{self, Batch, Numbered};
use crate::training::checkpoint::{Checkpoint, Checkpoints};

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) architecture: Architecture,
    /// At most.
    pub(crate) epochs: usize,
    /// Epochs without a lower validation loss after which training ends.
    pub(crate) patience: usize,
    pub(crate) batch_size: usize,
    /// Adam's, in the first epoch; it falls to nothing along half a cosine (Loshchilov and Hutter 2017,
    /// "SGDR").
    pub(crate) learning_rate: f64,
    /// Whether every epoch sees the samples varied anew.
    pub(crate) varied: bool,
    /// Seed of the first weights, the order of the samples and their variations.
    pub(crate) seed: u64,
    /// Where to train.
    pub(crate) device: Device,
}

impl Plan {
    /// From 1.
    fn learning_rate_in(&self, epoch: u64) -> f64 {
        let done = (epoch - 1) as f64 / self.epochs as f64;
        self.learning_rate * 0.5 * (1.0 + (PI * done).cos())
    }
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
/// validation loss. `name` tells trainings apart; one that was interrupted goes on after its last
/// checkpoint, to the same weights.
pub(crate) fn train(
    plan: &Plan,
    train: &[&Sample],
    validation: &[&Sample],
    name: &str,
    checkpoints: &Checkpoints,
) -> Result<Trained, TrainError> {
    let mut state = match checkpoints.load(name)? {
        None => State::begin(plan),
        Some(checkpoint) => State::resume(plan, checkpoint)?,
    };
    let steps = train.len().div_ceil(plan.batch_size) as u64;
    let bar = progress::bar(steps * plan.epochs as u64, "steps");
    bar.set_position(steps * state.epochs.len() as u64);
    bar.reset_eta();
    if !state.epochs.is_empty() {
        info!("{name} · goes on after epoch {}", state.epochs.len());
    }

    while !state.is_over(plan) {
        let number = state.epochs.len() + 1;
        let title = format!("{name} · epoch {number}/{}", plan.epochs);
        let validated = state.epochs.last().map(Epoch::validation);
        let validated = validated.unwrap_or_default();
        let loss = state.learn(plan, train, |loss| {
            bar.set_message(format!("{title} · loss {loss:.3}{validated}"));
            bar.inc(1);
        })?;
        let epoch = state.validate(loss, validation)?;
        bar.suspend(|| info!("{title} · loss {loss:.4}{}", epoch.validation()));
        checkpoints.save(name, state.checkpoint())?;
    }
    bar.finish_and_clear();
    let State {
        best: (best, network),
        epochs,
        ..
    } = state;
    if epochs.len() < plan.epochs {
        info!("{name} · no gain in {} epochs: stopped", plan.patience);
    }
    Ok(Trained {
        network,
        course: Course { best, epochs },
    })
}

impl Epoch {
    fn validation(&self) -> String {
        let auroc = self.validation_auroc.unwrap_or(f64::NAN);
        let loss = self.validation_loss;
        format!(" · validation loss {loss:.3}, AUROC {auroc:.3}")
    }
}

/// A network that is being trained.
pub(crate) struct Learner {
    network: Network,
    optimizer: ModuleOptimizer,
    device: Device,
}

impl Learner {
    pub(crate) fn new(plan: &Plan) -> Self {
        let device = plan.device.clone().autodiff();
        Self {
            network: Network::begin(plan.architecture, plan.seed, &device),
            optimizer: AdamConfig::new().with_epsilon(ADAM_EPSILON).init(),
            device,
        }
    }

    /// One step down the gradient; gives the batch's loss before it.
    pub(crate) fn step(&mut self, batch: Batch, learning_rate: f64) -> f32 {
        let (input, labels) = batch.tensors(&self.device);
        let loss = self.network.loss(input, labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        // The clone shares its tensors.
        let network = self.network.clone();
        self.network = self.optimizer.step(learning_rate, network, gradients);
        loss.into_scalar()
    }
}

/// A training between two epochs.
struct State {
    learner: Learner,
    epochs: Vec<Epoch>,
    /// The epoch that did best, from 1, and its network; 0 before the first.
    best: (usize, Network),
}

impl State {
    fn begin(plan: &Plan) -> Self {
        let learner = Learner::new(plan);
        Self {
            best: (0, learner.network.valid()),
            learner,
            epochs: Vec::new(),
        }
    }

    fn resume(plan: &Plan, saved: Checkpoint) -> Result<Self, TrainError> {
        let damaged = |error: RecordError| TrainError::Training {
            problem: format!("a checkpoint does not fit the network: {error}"),
            remedy: "remove the checkpoints and start anew".into(),
        };
        let load = |network: Network, record| network.try_load_record(record).map_err(damaged);
        let Self { learner, best, .. } = Self::begin(plan);
        Ok(Self {
            best: (best_of(&saved.epochs), load(best.1, saved.best)?),
            learner: Learner {
                network: load(learner.network, saved.network)?,
                optimizer: learner.optimizer.load_record(saved.optimizer),
                ..learner
            },
            epochs: saved.epochs,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            epochs: self.epochs.clone(),
            network: self.learner.network.clone().into_record(),
            optimizer: self.learner.optimizer.to_record(),
            best: self.best.1.clone().into_record(),
        }
    }

    fn is_over(&self, plan: &Plan) -> bool {
        let epochs = self.epochs.len();
        epochs >= plan.epochs || epochs - self.best.0 >= plan.patience
    }

    /// Takes a step for each batch, and tells the loss before it; gives the epoch's mean.
    fn learn(
        &mut self,
        plan: &Plan,
        train: &[&Sample],
        mut tell: impl FnMut(f32),
    ) -> Result<f64, TrainError> {
        let epoch = self.epochs.len() as u64 + 1;
        let mut order: Vec<(u64, &Sample)> = (0..).zip(train.iter().copied()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        rng.set_stream(epoch);
        order.shuffle(&mut rng);
        let learning_rate = plan.learning_rate_in(epoch);
        let mut sum = 0.0;
        let prepare = |samples: &[Numbered]| {
            if plan.varied {
                return Batch::varied(samples, plan.architecture, plan.seed, epoch);
            }
            let samples: Vec<&Sample> = samples.iter().map(|(_, sample)| *sample).collect();
            Batch::plain(&samples, plan.architecture)
        };
        batch::each_prepared(order.chunks(plan.batch_size), prepare, |batch| {
            let count = batch.len();
            let loss = self.learner.step(batch, learning_rate);
            refuse_infinite(loss.into(), epoch)?;
            sum += f64::from(loss) * count as f64;
            tell(loss);
            Ok(())
        })?;
        Ok(sum / train.len() as f64)
    }

    /// Ends an epoch.
    fn validate(&mut self, loss: f64, validation: &[&Sample]) -> Result<&Epoch, TrainError> {
        let network = self.learner.network.valid();
        let scored = score(&network, validation)?;
        let margins: Vec<(f32, bool)> = scored.iter().map(|s| (s.margin, s.positive)).collect();
        self.epochs.push(Epoch {
            loss,
            validation_loss: metrics::log_loss(&scored, 1.0),
            validation_auroc: metrics::auroc(&margins),
        });
        let number = self.epochs.len();
        let epoch = &self.epochs[number - 1];
        refuse_infinite(epoch.validation_loss, number as u64)?;
        if best_of(&self.epochs) == number {
            self.best = (number, network);
        }
        Ok(epoch)
    }
}

/// The first epoch with the lowest validation loss, from 1.
fn best_of(epochs: &[Epoch]) -> usize {
    let losses = epochs.iter().map(|epoch| epoch.validation_loss);
    let best = losses.zip(1..).min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(0, |(_, number)| number)
}

fn refuse_infinite(loss: f64, epoch: u64) -> Result<(), TrainError> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(TrainError::Training {
        problem: format!("the loss became {loss} in epoch {epoch}"),
        remedy: "lower --learning-rate".into(),
    })
}

/// Runs the network on samples as they are.
pub(crate) fn score(network: &Network, samples: &[&Sample]) -> Result<Vec<Scored>, TrainError> {
    let device = network.device();
    let mut scored = Vec::with_capacity(samples.len());
    for samples in samples.chunks(SCORING_BATCH) {
        let (input, _) = Batch::plain(samples, network.architecture())?.tensors(&device);
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
    use std::path::Path;

    use super::*;
    use crate::training::checkpoint::Description;

    fn samples(numbers: std::ops::Range<u64>) -> Vec<Sample> {
        numbers.map(|number| Sample::drawn(number, 24)).collect()
    }

    fn plan() -> Plan {
        Plan {
            architecture: Architecture::tiny(24),
            epochs: 2,
            patience: 5,
            batch_size: 8,
            learning_rate: 1e-3,
            varied: true,
            seed: 1,
            device: Device::flex(),
        }
    }

    fn checkpoints(folder: &Path) -> Checkpoints {
        Checkpoints::open(&folder.join("model"), &Description::new(), true).unwrap()
    }

    fn train_anew(plan: &Plan, samples: &[&Sample], trained_on: usize) -> Trained {
        let folder = tempfile::tempdir().unwrap();
        let (known, validation) = samples.split_at(trained_on);
        train(plan, known, validation, "test", &checkpoints(folder.path())).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let samples = samples(0..36);
        let samples: Vec<&Sample> = samples.iter().collect();
        let margins = |seed| -> Vec<u32> {
            let plan = Plan { seed, ..plan() };
            let trained = train_anew(&plan, &samples[..28], 20);
            let scored = score(&trained.network, &samples[28..]).unwrap();
            scored.iter().map(|item| item.margin.to_bits()).collect()
        };
        let first = margins(1);
        assert_eq!(first, margins(1));
        assert_ne!(first, margins(2));
    }

    #[test]
    fn the_learning_rate_falls_along_half_a_cosine() {
        let plan = Plan {
            epochs: 4,
            learning_rate: 0.2,
            ..plan()
        };
        let rates = [1, 3, 4].map(|epoch| plan.learning_rate_in(epoch));
        let expected = [0.2, 0.1, 0.1 * (1.0 - 0.5_f64.sqrt())];
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-12, "{rates:?}");
        }
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
            ..plan()
        };
        let Course { best, epochs } = train_anew(&plan, &samples, 16).course;
        assert_eq!(epochs.len(), best + 2);
        let kept = epochs[best - 1].validation_loss;
        assert!(epochs.iter().all(|epoch| epoch.validation_loss >= kept));
    }

    #[test]
    fn an_interrupted_training_goes_on_to_the_same_weights() {
        let samples = samples(0..24);
        let samples: Vec<&Sample> = samples.iter().collect();
        let plan = Plan {
            epochs: 3,
            ..plan()
        };
        let whole = train_anew(&plan, &samples, 16);

        let folder = tempfile::tempdir().unwrap();
        let (known, validation) = samples.split_at(16);
        let begun = Plan {
            epochs: 1,
            ..plan.clone()
        };
        train(
            &begun,
            known,
            validation,
            "test",
            &checkpoints(folder.path()),
        )
        .unwrap();
        let resumed = || {
            let checkpoints = checkpoints(folder.path());
            train(&plan, known, validation, "test", &checkpoints).unwrap()
        };
        // Once to go on, and once more when nothing is left to do.
        for resumed in [resumed(), resumed()] {
            assert_eq!(resumed.course, whole.course);
            let margins = |trained: &Trained| -> Vec<f32> {
                let scored = score(&trained.network, &samples).unwrap();
                scored.iter().map(|item| item.margin).collect()
            };
            assert_eq!(margins(&resumed), margins(&whole));
        }
    }
}
