//! From labelled cells to a cell network.

use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::{CellCrop, CropInput};

use super::super::history::Validation;
use super::super::settings::Settings;
use super::super::train::{Trained, Training};
use super::cell_task::{CellBatch, CellExample, CellTask};
use super::crops::LabelledCrop;
use super::kinds::Kinds;
use super::mix::Mix;
use super::surroundings::Surroundings;
use crate::error::TrainError;
use crate::metrics;
use crate::networks::cell::{CellLoss, CellNetwork, Classes};
use crate::networks::floats;

/// Share of the truth that is spread over all classes: drawn and labelled kinds are not sure.
const SMOOTHING: f64 = 0.05;
/// Cells that are judged at once.
const BATCH: usize = 64;

/// The cells that a network learns from.
#[derive(Debug)]
pub(crate) struct CellTraining<'a> {
    pub(crate) kinds: &'a Kinds,
    pub(crate) train: &'a [LabelledCrop],
    pub(crate) validation: &'a [LabelledCrop],
    /// Chooses among the training cells.
    pub(crate) mix: &'a Mix,
    /// Lends drawn cells what lies around them.
    pub(crate) surroundings: Surroundings<'a>,
    pub(crate) input: CropInput,
    /// Cells per epoch.
    pub(crate) cells: usize,
}

impl CellTraining<'_> {
    /// Trains a cell network.
    ///
    /// # Errors
    /// Those of [`Training::run`], and [`TrainError::Artifact`] if an image cannot be read any more.
    pub(crate) fn run(&self, training: &Training) -> Result<Trained<CellNetwork>, TrainError> {
        let Settings { seed, device, .. } = training.settings;
        let prepare = |numbers: &[usize], epoch: u64| {
            let examples = numbers.par_iter().map(|&number| {
                let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                rng.set_stream(epoch << 32 | number as u64);
                let cell = &self.train[self.mix.choose(&mut rng)];
                let crop = cell.varied(self.input, self.surroundings, &mut rng)?;
                Ok(crop.and_then(|crop| self.kinds.example(cell, &crop)))
            });
            let examples = examples.collect::<Result<Vec<Option<CellExample>>, TrainError>>()?;
            let examples: Vec<CellExample> = examples.into_iter().flatten().collect();
            if examples.is_empty() {
                return Err(TrainError::Training {
                    problem: "no cell of a batch has enough pixels, or too many".into(),
                    remedy: "correct `um_per_pixel` in the file of data sets".into(),
                });
            }
            Ok(CellBatch::of(&examples))
        };
        let validation = self.kinds.examples(self.validation, self.input)?;
        let loss = self.loss();
        let validate =
            |network: &CellNetwork| Ok(self.validate(network, &validation, &loss, device));
        let task = CellTask {
            classes: Classes {
                count: self.kinds.len(),
                blast: self.kinds.blast(),
            },
            loss: loss.clone(),
            examples: self.cells,
            prepare,
            validate,
        };
        training.run(&task)
    }

    /// All classes count the same, however often the mix chooses them.
    fn loss(&self) -> CellLoss {
        let class_of = |number: usize| {
            let cell = &self.train[number];
            self.kinds.lesson(cell.source, cell.kind)?.class()
        };
        let expected = self.mix.expected(class_of, self.kinds.len());
        let counts: Vec<usize> = expected
            .iter()
            .map(|share| (share * 1e6).round() as usize)
            .collect();
        CellLoss::balanced(&counts, SMOOTHING)
    }

    fn validate(
        &self,
        network: &CellNetwork,
        examples: &[CellExample],
        loss: &CellLoss,
        device: &Device,
    ) -> Validation {
        let mut sum = 0.0;
        let mut margins = Vec::new();
        let blast = self.kinds.blast();
        for examples in examples.chunks(BATCH) {
            let (crops, truth, among) = CellBatch::of(examples).tensors(device);
            let batch_loss: Tensor<1> = network.loss(crops.clone(), truth, among, loss);
            let batch_loss: f32 = batch_loss.into_scalar();
            sum += f64::from(batch_loss) * examples.len() as f64;
            let logits = floats(network.answers(crops).logits);
            for (example, logits) in examples.iter().zip(logits.chunks(self.kinds.len())) {
                // A source without blasts says nothing about them.
                let class = example.lesson.class();
                let tested = class
                    .filter(|&class| example.lesson.among[blast] && self.kinds.is_leukocyte(class));
                if let Some(class) = tested {
                    margins.push((log_odds(logits, blast), class == blast));
                }
            }
        }
        Validation {
            loss: sum / examples.len().max(1) as f64,
            figures: vec![("blast_auroc", metrics::auroc(&margins))],
        }
    }
}

/// Log-odds of a class against all others.
pub(super) fn log_odds(logits: &[f32], class: usize) -> f32 {
    let others = logits
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != class);
    let high = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = others.map(|(_, logit)| (logit - high).exp()).sum();
    logits[class] - high - sum.ln()
}

impl Kinds {
    /// What is learned from a crop of a cell; `None` if nothing.
    fn example(&self, cell: &LabelledCrop, crop: &CellCrop) -> Option<CellExample> {
        Some(CellExample {
            lesson: self.lesson(cell.source, cell.kind)?,
            crop: crop.network_input(),
        })
    }

    /// The examples of cells as the appliance sees them, without those that have too few pixels.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if an image cannot be read any more.
    pub(super) fn examples(
        &self,
        cells: &[LabelledCrop],
        input: CropInput,
    ) -> Result<Vec<CellExample>, TrainError> {
        let examples = cells.par_iter().map(|cell| {
            let crop = cell.cut(input)?;
            Ok(crop.and_then(|crop| self.example(cell, &crop)))
        });
        let examples = examples.collect::<Result<Vec<Option<CellExample>>, TrainError>>()?;
        Ok(examples.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_are_those_of_softmax() {
        let logits = [1.0, 200.0, 199.0, -3.0];
        assert!((log_odds(&logits, 1) - 1.0).abs() < 1e-5);
        assert!((log_odds(&logits, 2) + 1.0).abs() < 1e-5);
        let even = [0.5; 5];
        assert!((log_odds(&even, 3) + 4.0_f32.ln()).abs() < 1e-6);
    }
}
