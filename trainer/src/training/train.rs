//! The training loop.

use burn::module::Module;
use burn::store::RecordError;
use indicatif::ProgressBar;
use log::info;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::batch::{self, Batch, Numbered};
use super::checkpoint::{Checkpoint, Checkpoints};
use super::history::{Epoch, History, best_of};
use super::learner::Learner;
use super::plan::Plan;
use super::score::score;
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::metrics;
use crate::networks::Network;

/// The network of the epoch that did best on the validation images.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) network: Network,
    pub(crate) history: History,
}

/// One training: what to do, and where its checkpoints are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Training<'a> {
    pub(crate) plan: &'a Plan,
    /// Whether each epoch augments the samples again.
    pub(crate) augment: bool,
    /// Distinguishes the trainings of a job.
    pub(crate) name: &'a str,
    pub(crate) checkpoints: &'a Checkpoints,
    /// Counts the steps of the whole job.
    pub(crate) progress: &'a ProgressBar,
}

/// The number of steps of a training that uses all its epochs.
pub(crate) fn steps(plan: &Plan, images: usize) -> u64 {
    steps_per_epoch(plan, images) * plan.epochs as u64
}

fn steps_per_epoch(plan: &Plan, images: usize) -> u64 {
    images.div_ceil(plan.batch_size) as u64
}

impl Training<'_> {
    /// Trains and keeps the epoch with the lowest validation loss. A training that was interrupted
    /// resumes from its last checkpoint and ends with the same weights.
    pub(crate) fn run(
        &self,
        train: &[&Sample],
        validation: &[&Sample],
    ) -> Result<Trained, TrainError> {
        let Self {
            plan,
            name,
            progress,
            ..
        } = self;
        let mut state = match self.checkpoints.load(name)? {
            None => State::init(plan),
            Some(checkpoint) => State::resume(plan, checkpoint)?,
        };
        if !state.epochs.is_empty() {
            // Steps of an earlier run say nothing about the speed of this one.
            progress.inc(steps_per_epoch(plan, train.len()) * state.epochs.len() as u64);
            progress.reset_eta();
            info!("{name} · resumed after epoch {}", state.epochs.len());
        }

        while !state.is_over(plan) {
            let number = state.epochs.len() + 1;
            let title = format!("{name} · epoch {number}/{}", plan.epochs);
            let validated = state.epochs.last().map(Epoch::to_string);
            let validated = validated.unwrap_or_default();
            let loss = self.run_epoch(&mut state, train, |loss| {
                progress.set_message(format!("{title} · loss {loss:.3}{validated}"));
                progress.inc(1);
            })?;
            let epoch = state.validate(loss, validation)?;
            progress.suspend(|| info!("{title} · loss {loss:.4}{epoch}"));
            self.checkpoints.save(name, state.checkpoint())?;
        }
        let State {
            best: (best, network),
            epochs,
            ..
        } = state;
        if epochs.len() < plan.epochs {
            let left = plan.epochs - epochs.len();
            progress.dec_length(steps_per_epoch(plan, train.len()) * left as u64);
            info!("{name} · no gain in {} epochs: stopped", plan.patience);
        }
        Ok(Trained {
            network,
            history: History { best, epochs },
        })
    }

    /// Takes one step per batch and passes the loss before each step to `report`; returns the mean.
    fn run_epoch(
        &self,
        state: &mut State,
        train: &[&Sample],
        mut report: impl FnMut(f32),
    ) -> Result<f64, TrainError> {
        let plan = self.plan;
        let epoch = state.epochs.len() as u64 + 1;
        let mut order: Vec<(u64, &Sample)> = (0..).zip(train.iter().copied()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        rng.set_stream(epoch);
        order.shuffle(&mut rng);
        let learning_rate = plan.learning_rate_in(epoch);
        let mut sum = 0.0;
        let prepare = |samples: &[Numbered]| {
            if self.augment {
                return Batch::augmented(samples, plan.architecture, plan.seed, epoch);
            }
            let samples: Vec<&Sample> = samples.iter().map(|(_, sample)| *sample).collect();
            Batch::plain(&samples, plan.architecture)
        };
        batch::each_prepared(order.chunks(plan.batch_size), prepare, |batch| {
            let count = batch.len();
            let loss = state.learner.step(batch, learning_rate);
            refuse_infinite(loss.into(), epoch)?;
            sum += f64::from(loss) * count as f64;
            report(loss);
            Ok(())
        })?;
        Ok(sum / train.len() as f64)
    }
}

/// A training between two epochs.
struct State {
    learner: Learner,
    epochs: Vec<Epoch>,
    /// The best epoch, from 1, and its network; 0 before the first epoch.
    best: (usize, Network),
}

impl State {
    fn init(plan: &Plan) -> Self {
        let learner = Learner::new(plan.architecture, plan.seed, &plan.device);
        Self {
            best: (0, learner.network()),
            learner,
            epochs: Vec::new(),
        }
    }

    fn resume(plan: &Plan, saved: Checkpoint) -> Result<Self, TrainError> {
        let mismatch = |error: RecordError| TrainError::Training {
            problem: format!("a checkpoint does not match the network: {error}"),
            remedy: "remove the checkpoints and start again".into(),
        };
        let Self {
            learner,
            best: (_, network),
            ..
        } = Self::init(plan);
        let network = network.try_load_record(saved.best).map_err(mismatch)?;
        Ok(Self {
            best: (best_of(&saved.epochs), network),
            learner: learner
                .load(saved.network, saved.optimizer)
                .map_err(mismatch)?,
            epochs: saved.epochs,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let (network, optimizer) = self.learner.records();
        Checkpoint {
            epochs: self.epochs.clone(),
            network,
            optimizer,
            best: self.best.1.clone().into_record(),
        }
    }

    fn is_over(&self, plan: &Plan) -> bool {
        let epochs = self.epochs.len();
        epochs >= plan.epochs || epochs - self.best.0 >= plan.patience
    }

    /// Completes an epoch: scores the validation images and keeps the network if it is the best yet.
    fn validate(&mut self, loss: f64, validation: &[&Sample]) -> Result<&Epoch, TrainError> {
        let network = self.learner.network();
        let scored = score(&network, validation)?;
        let margins: Vec<(f32, bool)> = scored.iter().map(|s| (s.margin, s.positive)).collect();
        self.epochs.push(Epoch {
            loss,
            validation_loss: metrics::log_loss(&scored),
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

fn refuse_infinite(loss: f64, epoch: u64) -> Result<(), TrainError> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(TrainError::Training {
        problem: format!("the loss became {loss} in epoch {epoch}"),
        remedy: "lower --learning-rate".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::Device;

    use super::super::checkpoint::JobDescription;
    use super::super::score::score;
    use super::*;
    use crate::networks::Architecture;

    fn samples(numbers: std::ops::Range<u64>) -> Vec<Sample> {
        numbers.map(|number| Sample::drawn(number, 24)).collect()
    }

    fn plan() -> Plan {
        Plan {
            architecture: Architecture::tiny(24),
            epochs: 2,
            patience: 5,
            batch_size: 8,
            learning_rate: Some(1e-3),
            seed: 1,
            device: Device::flex(),
        }
    }

    fn checkpoints(folder: &Path) -> Checkpoints {
        Checkpoints::open(&folder.join("model"), &JobDescription::new(), true).unwrap()
    }

    fn train_in(folder: &Path, plan: &Plan, known: &[&Sample], validation: &[&Sample]) -> Trained {
        let training = Training {
            plan,
            augment: true,
            name: "test",
            checkpoints: &checkpoints(folder),
            progress: &ProgressBar::hidden(),
        };
        training.run(known, validation).unwrap()
    }

    fn train_from_scratch(plan: &Plan, samples: &[&Sample], trained_on: usize) -> Trained {
        let folder = tempfile::tempdir().unwrap();
        let (known, validation) = samples.split_at(trained_on);
        train_in(folder.path(), plan, known, validation)
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let samples = samples(0..36);
        let samples: Vec<&Sample> = samples.iter().collect();
        let margins = |seed| -> Vec<u32> {
            let plan = Plan { seed, ..plan() };
            let trained = train_from_scratch(&plan, &samples[..28], 20);
            let scored = score(&trained.network, &samples[28..]).unwrap();
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
            learning_rate: Some(0.05),
            ..plan()
        };
        let History { best, epochs } = train_from_scratch(&plan, &samples, 16).history;
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
        let whole = train_from_scratch(&plan, &samples, 16);

        let folder = tempfile::tempdir().unwrap();
        let (known, validation) = samples.split_at(16);
        let begun = Plan {
            epochs: 1,
            ..plan.clone()
        };
        train_in(folder.path(), &begun, known, validation);
        let resumed = || train_in(folder.path(), &plan, known, validation);
        // The second time nothing is left to do.
        for resumed in [resumed(), resumed()] {
            assert_eq!(resumed.history, whole.history);
            let margins = |trained: &Trained| -> Vec<f32> {
                let scored = score(&trained.network, &samples).unwrap();
                scored.iter().map(|item| item.margin).collect()
            };
            assert_eq!(margins(&resumed), margins(&whole));
        }
    }
}
