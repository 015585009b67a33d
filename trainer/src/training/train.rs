//! The training loop.

use std::time::Instant;

use burn::module::Module;
use burn::store::RecordError;
use indicatif::ProgressBar;
use log::info;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::checkpoint::{Checkpoint, Checkpoints};
use super::history::{Epoch, History, best_of};
use super::learner::Learner;
use super::prefetch::each_prepared;
use super::settings::Settings;
use super::task::Task;
use crate::error::TrainError;

/// The network of the epoch that did best on the validation examples, for evaluation.
#[derive(Debug)]
pub(crate) struct Trained<Network> {
    pub(crate) network: Network,
    pub(crate) history: History,
}

/// One training: how to do it, and where its checkpoints are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Training<'a> {
    pub(crate) settings: &'a Settings,
    /// Distinguishes the trainings of a job.
    pub(crate) name: &'a str,
    pub(crate) checkpoints: &'a Checkpoints,
    /// Counts the steps of the whole job.
    pub(crate) progress: &'a ProgressBar,
}

impl Training<'_> {
    /// Trains and keeps the epoch with the lowest validation loss. A training that was interrupted
    /// resumes from its last checkpoint and ends with the same weights.
    pub(crate) fn run<T: Task>(&self, task: &T) -> Result<Trained<T::Network>, TrainError> {
        let Self {
            settings,
            name,
            progress,
            ..
        } = self;
        let mut state = match self.checkpoints.load(name)? {
            None => State::init(task, settings),
            Some(checkpoint) => State::resume(task, settings, checkpoint)?,
        };
        let per_epoch = settings.steps_per_epoch(task.examples());
        if !state.epochs.is_empty() {
            // Steps of an earlier run say nothing about the speed of this one.
            progress.inc(per_epoch * state.epochs.len() as u64);
            progress.reset_eta();
            info!("{name} · resumed after epoch {}", state.epochs.len());
        }

        while !state.is_over(settings) {
            let started = Instant::now();
            let number = state.epochs.len() + 1;
            let title = format!("{name} · epoch {number}/{}", settings.epochs);
            let validated = state.epochs.last().map(Epoch::to_string);
            let validated = validated.unwrap_or_default();
            let loss = self.run_epoch(task, &mut state, |loss| {
                progress.set_message(format!("{title} · loss {loss:.3}{validated}"));
                progress.inc(1);
            })?;
            let steps = per_epoch * settings.epochs as u64;
            let last_rate = settings.learning_rate(per_epoch * number as u64 - 1, steps);
            let epoch = state.validate(task, last_rate, loss)?;
            progress.suspend(|| info!("{title} · loss {loss:.4}{epoch}"));
            state.seconds.push(started.elapsed().as_secs_f64());
            self.checkpoints.save(name, state.checkpoint())?;
        }
        let State {
            best: (best, network),
            epochs,
            seconds,
            ..
        } = state;
        if epochs.len() < settings.epochs {
            let left = settings.epochs - epochs.len();
            progress.dec_length(per_epoch * left as u64);
            info!("{name} · no gain in {} epochs: stopped", settings.patience);
        }
        Ok(Trained {
            network,
            history: History {
                best,
                epochs,
                seconds,
            },
        })
    }

    /// Takes one step per batch and passes the loss before each step to `report`; returns the mean.
    fn run_epoch<T: Task>(
        &self,
        task: &T,
        state: &mut State<T>,
        mut report: impl FnMut(f32),
    ) -> Result<f64, TrainError> {
        let settings = self.settings;
        let done = state.epochs.len() as u64;
        let epoch = done + 1;
        let mut order: Vec<usize> = (0..task.examples()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        rng.set_stream(epoch);
        order.shuffle(&mut rng);
        let mut step = done * settings.steps_per_epoch(task.examples());
        let steps = settings.steps(task.examples());
        let mut sum = 0.0;
        let prepare = |examples: &[usize]| Ok((examples.len(), task.prepare(examples, epoch)?));
        each_prepared(
            order.chunks(settings.batch_size),
            prepare,
            |(count, batch)| {
                let learning_rate = settings.learning_rate(step, steps);
                let loss = state.learner.step(learning_rate, |network, device| {
                    task.loss(network, batch, device)
                });
                refuse_infinite(loss.into(), epoch)?;
                step += 1;
                sum += f64::from(loss) * count as f64;
                report(loss);
                Ok(())
            },
        )?;
        Ok(sum / task.examples() as f64)
    }
}

/// A training between two epochs.
struct State<T: Task> {
    learner: Learner<T::Network>,
    epochs: Vec<Epoch>,
    /// How long each epoch took.
    seconds: Vec<f64>,
    /// The best epoch, from 1, and its network; 0 before the first epoch.
    best: (usize, T::Network),
}

impl<T: Task> State<T> {
    fn init(task: &T, settings: &Settings) -> Self {
        let learner = Learner::new(&settings.device, |device| task.init(settings.seed, device));
        Self {
            best: (0, T::finished(learner.network())),
            learner,
            epochs: Vec::new(),
            seconds: Vec::new(),
        }
    }

    fn resume(task: &T, settings: &Settings, saved: Checkpoint) -> Result<Self, TrainError> {
        let mismatch = |error: RecordError| TrainError::Training {
            problem: format!("a checkpoint does not match the network: {error}"),
            remedy: "remove the checkpoints and start again".into(),
        };
        let Self {
            learner,
            best: (_, network),
            ..
        } = Self::init(task, settings);
        let network = network.try_load_record(saved.best).map_err(mismatch)?;
        Ok(Self {
            best: (best_of(&saved.epochs), network),
            learner: learner
                .load(saved.network, saved.optimizer)
                .map_err(mismatch)?,
            epochs: saved.epochs,
            seconds: saved.seconds,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let (network, optimizer) = self.learner.records();
        Checkpoint {
            epochs: self.epochs.clone(),
            seconds: self.seconds.clone(),
            network,
            optimizer,
            best: self.best.1.clone().into_record(),
        }
    }

    fn is_over(&self, settings: &Settings) -> bool {
        let epochs = self.epochs.len();
        epochs >= settings.epochs || epochs - self.best.0 >= settings.patience
    }

    /// Completes an epoch: judges the validation examples and keeps the network if it is the best yet.
    fn validate(&mut self, task: &T, learning_rate: f64, loss: f64) -> Result<&Epoch, TrainError> {
        let network = T::finished(self.learner.network());
        let validation = task.validate(&network)?;
        let number = self.epochs.len() + 1;
        refuse_infinite(validation.loss, number as u64)?;
        self.epochs.push(Epoch::of(learning_rate, loss, validation));
        if best_of(&self.epochs) == number {
            self.best = (number, network);
        }
        Ok(&self.epochs[number - 1])
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
    use std::sync::atomic::{AtomicBool, Ordering};

    use burn::tensor::{Device, Tensor};

    use super::super::batch::Batch;
    use super::super::field_task::FieldTask;
    use super::super::history::Validation;
    use super::super::schedule::Schedule;
    use super::super::score::score;
    use super::super::testing::{train, train_in};
    use super::*;
    use crate::dataset::Sample;
    use crate::metrics::ClassWeights;
    use crate::networks::{Architecture, Network};

    fn samples(numbers: std::ops::Range<u64>) -> Vec<Sample> {
        numbers.map(|number| Sample::drawn(number, 24)).collect()
    }

    fn settings() -> Settings {
        Settings {
            epochs: 2,
            patience: 5,
            batch_size: 8,
            learning_rate: 1e-3,
            schedule: Schedule::Cosine,
            seed: 1,
            device: Device::flex(),
        }
    }

    fn task<'a>(
        architecture: Architecture,
        train: &'a [&'a Sample],
        validation: &'a [&'a Sample],
    ) -> FieldTask<'a> {
        FieldTask {
            architecture,
            augment: true,
            seed: 1,
            class_weights: ClassWeights::EVEN,
            evidence_weight: 0.5,
            train,
            validation,
        }
    }

    fn margins(network: &Network, samples: &[&Sample]) -> Vec<u32> {
        let scored = score(network, samples).unwrap();
        scored.iter().map(|item| item.margin.to_bits()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let samples = samples(0..36);
        let samples: Vec<&Sample> = samples.iter().collect();
        let architectures = [Architecture::tiny(24), Architecture::small_compact(24)];
        for architecture in architectures {
            let trained = |seed| {
                let settings = Settings { seed, ..settings() };
                let task = FieldTask {
                    seed,
                    ..task(architecture, &samples[..20], &samples[20..28])
                };
                margins(&train(&settings, &task).network, &samples[28..])
            };
            let first = trained(1);
            assert_eq!(first, trained(1));
            assert_ne!(first, trained(2));
        }
    }

    #[test]
    fn training_ends_when_patience_does() {
        let samples = samples(0..24);
        let samples: Vec<&Sample> = samples.iter().collect();
        let settings = Settings {
            epochs: 40,
            patience: 2,
            // Too fast to settle.
            learning_rate: 0.05,
            schedule: Schedule::Constant,
            ..settings()
        };
        let task = task(Architecture::tiny(24), &samples[..16], &samples[16..]);
        let History {
            best,
            epochs,
            seconds,
        } = train(&settings, &task).history;
        assert_eq!([epochs.len(), seconds.len()], [best + 2; 2]);
        let kept = epochs[best - 1].validation_loss;
        assert!(epochs.iter().all(|epoch| epoch.validation_loss >= kept));
    }

    /// A task that fails at the third epoch, as long as it is told to.
    struct Interrupted<'a>(FieldTask<'a>, AtomicBool);

    impl Task for Interrupted<'_> {
        type Network = Network;
        type Batch = Batch;

        fn init(&self, seed: u64, device: &Device) -> Network {
            self.0.init(seed, device)
        }

        fn examples(&self) -> usize {
            self.0.examples()
        }

        fn prepare(&self, examples: &[usize], epoch: u64) -> Result<Batch, TrainError> {
            if epoch == 3 && self.1.load(Ordering::Relaxed) {
                return Err(TrainError::Training {
                    problem: "interrupted".into(),
                    remedy: "none".into(),
                });
            }
            self.0.prepare(examples, epoch)
        }

        fn loss(&self, network: &Network, batch: Batch, device: &Device) -> Tensor<1> {
            self.0.loss(network, batch, device)
        }

        fn finished(network: Network) -> Network {
            FieldTask::finished(network)
        }

        fn validate(&self, network: &Network) -> Result<Validation, TrainError> {
            self.0.validate(network)
        }
    }

    #[test]
    fn an_interrupted_training_goes_on_to_the_same_weights() {
        let samples = samples(0..24);
        let samples: Vec<&Sample> = samples.iter().collect();
        let settings = Settings {
            epochs: 4,
            ..settings()
        };
        let task = task(
            Architecture::small_compact(24),
            &samples[..16],
            &samples[16..],
        );
        let whole = train(&settings, &task);

        let folder = tempfile::tempdir().unwrap();
        let task = Interrupted(task, AtomicBool::new(true));
        let error = train_in(folder.path(), &settings, &task).unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
        task.1.store(false, Ordering::Relaxed);
        // The second time nothing is left to do.
        for _ in 0..2 {
            let resumed = train_in(folder.path(), &settings, &task).unwrap();
            assert_eq!(resumed.history.epochs, whole.history.epochs);
            assert_eq!(resumed.history.best, whole.history.best);
            let [resumed, whole] = [&resumed, &whole].map(|it| margins(&it.network, &samples));
            assert_eq!(resumed, whole);
        }
    }

    /// A field that two things give away: in positive ones a cell is dark, and so is the right edge.
    fn given_away(number: u64) -> Sample {
        const SIDE: u32 = 48;
        let centre = [14 + number % 17 * 5 % 17, 14 + number % 19 * 7 % 19];
        let is_cell = |x: u32, y: u32| {
            let [right, down] = [(x, centre[0]), (y, centre[1])]
                .map(|(at, centre)| at as f32 + 0.5 - centre as f32);
            right.hypot(down) < 10.0
        };
        let positive = number % 2 == 1;
        let field = image::RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let is_dark = positive && (is_cell(x, y) || x >= SIDE - SIDE / 8);
            image::Rgb(if is_dark {
                [90, 70, 130]
            } else {
                [210, 200, 205]
            })
        });
        let cells = image::GrayImage::from_fn(SIDE, SIDE, |x, y| {
            image::Luma([if is_cell(x, y) { 255 } else { 0 }])
        });
        Sample {
            input: field,
            cells: positive.then_some(cells),
            ..Sample::drawn(number, SIDE)
        }
    }

    #[test]
    fn evidence_is_learned_on_the_cells() {
        let samples: Vec<Sample> = (0..48).map(given_away).collect();
        let samples: Vec<&Sample> = samples.iter().collect();
        let settings = Settings {
            epochs: 12,
            patience: 12,
            learning_rate: 1e-2,
            ..settings()
        };
        let inside = |evidence_weight| {
            let (train_samples, validation) = samples.split_at(32);
            let task = FieldTask {
                augment: false,
                evidence_weight,
                ..task(Architecture::small_compact(48), train_samples, validation)
            };
            let epochs = train(&settings, &task).history.epochs;
            let last = &epochs[epochs.len() - 1];
            assert_eq!(last.validation("auroc"), Some(1.0));
            assert!(last.validation("evidence_offset").is_some());
            last.validation("evidence_inside").unwrap()
        };
        // The same in PyTorch, from four seeds: 0.18 to 0.26, and 0.91 to 0.95.
        let [free, held] = [inside(0.0), inside(1.0)];
        assert!(free < 0.5 && held > 0.8, "{free} {held}");
    }

    #[test]
    fn epochs_record_the_learning_rate() {
        let samples = samples(0..16);
        let samples: Vec<&Sample> = samples.iter().collect();
        let task = task(Architecture::tiny(24), &samples[..12], &samples[12..]);
        // Four steps, of which the second and the fourth end an epoch.
        let epochs = train(&settings(), &task).history.epochs;
        let rates: Vec<f64> = epochs.iter().map(|epoch| epoch.learning_rate).collect();
        let expected = [1, 3].map(|step| settings().learning_rate(step, 4));
        assert_eq!(rates, expected);
        assert!(epochs[0].validation("auroc").is_some());
    }
}
