//! From labelled fields to a finder.

use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::super::history::Validation;
use super::super::settings::Settings;
use super::super::train::{Trained, Training};
use super::finder_task::{FinderBatch, FinderExample, FinderTask};
use super::mix::Mix;
use super::windows::{LabelledField, WindowSize};
use crate::error::TrainError;
use crate::networks::finder::{Finder, Size};

/// Windows that are learned from in each epoch.
pub(crate) const WINDOWS: usize = 6144;
/// Columns and rows of a window in pixels.
const SIDE: usize = 128;
/// Most windows that choose the epoch.
const VALIDATION_WINDOWS: usize = 256;

/// The fields that a finder learns from.
#[derive(Debug)]
pub(crate) struct FinderTraining<'a> {
    pub(crate) train: &'a [LabelledField],
    pub(crate) validation: &'a [LabelledField],
    /// Chooses among the training fields.
    pub(crate) mix: &'a Mix,
    /// The finder's scale.
    pub(crate) um_per_pixel: f32,
    /// Windows per epoch.
    pub(crate) windows: usize,
}

impl FinderTraining<'_> {
    /// Trains a finder.
    ///
    /// # Errors
    /// Those of [`Training::run`], and [`TrainError::Artifact`] if an image cannot be read any more.
    pub(crate) fn run(&self, training: &Training) -> Result<Trained<Finder>, TrainError> {
        let Settings { seed, device, .. } = training.settings;
        let size = WindowSize {
            um_per_pixel: self.um_per_pixel,
            side: SIDE,
        };
        let batch = |examples: &[FinderExample]| FinderBatch::of(examples, [2, SIDE, SIDE]);
        let prepare = |numbers: &[usize], epoch: u64| {
            let examples = numbers.par_iter().map(|&number| {
                let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                rng.set_stream(epoch << 32 | number as u64);
                self.train[self.mix.choose(&mut rng)].varied_window(size, &mut rng)
            });
            let examples = examples.collect::<Result<Vec<FinderExample>, TrainError>>()?;
            Ok(batch(&examples))
        };
        let validation: Vec<FinderBatch> = self
            .validation_windows(size, *seed)?
            .chunks(training.settings.batch_size)
            .map(batch)
            .collect();
        let validate = |network: &Finder| Ok(validate(network, &validation, device));
        let task = FinderTask {
            size: Size::of_planes(2),
            examples: self.windows,
            prepare,
            validate,
        };
        training.run(&task)
    }

    /// Windows of the validation fields, as many of each.
    fn validation_windows(
        &self,
        size: WindowSize,
        seed: u64,
    ) -> Result<Vec<FinderExample>, TrainError> {
        let fields = self.validation.len();
        let step = fields.div_ceil(VALIDATION_WINDOWS).max(1);
        let of_each = (VALIDATION_WINDOWS / fields.max(1)).clamp(1, 4);
        let windows: Vec<(usize, usize)> = (0..fields)
            .step_by(step)
            .flat_map(|field| (0..of_each).map(move |window| (field, window)))
            .collect();
        windows
            .into_par_iter()
            .map(|(field, window)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream((field * 4 + window) as u64);
                self.validation[field].window(size, &mut rng)
            })
            .collect()
    }
}

/// The mean loss of batches, each by its number of windows.
fn validate(network: &Finder, batches: &[FinderBatch], device: &Device) -> Validation {
    let (mut sum, mut windows) = (0.0, 0);
    for batch in batches {
        let count = batch.len();
        let (images, targets) = batch.clone().tensors(device);
        let loss: Tensor<1> = network.loss(images, targets);
        let loss: f32 = loss.into_scalar();
        sum += f64::from(loss) * count as f64;
        windows += count;
    }
    Validation {
        loss: sum / windows.max(1) as f64,
        figures: Vec::new(),
    }
}
