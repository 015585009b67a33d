//! What a trained network, and a ruler, say about labelled cells.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::{CellFigures, CropInput};

use super::super::calibration::minimum;
use super::cell_training::log_odds;
use super::crops::LabelledCrop;
use super::kinds::Kinds;
use crate::error::TrainError;
use crate::networks::cell::{CellNetwork, FEATURES, SIDE};
use crate::networks::floats;

/// Cells that are looked at at once.
const BATCH: usize = 64;
/// Largest temperature.
const MAX_TEMPERATURE: f64 = 20.0;

/// A cell that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenCell {
    /// Its number among those that were looked at.
    pub(crate) number: usize,
    /// Index of its source.
    pub(crate) source: usize,
    /// The index of its true class; for a leukocyte of unknown kind, that of the leukocytes which it looks like most.
    pub(crate) class: usize,
    /// Whether its kind is known.
    pub(crate) is_known: bool,
    pub(crate) logits: Vec<f32>,
    pub(crate) features: Vec<f32>,
    /// `None` if nobody measured the cell, or nothing there looks like a nucleus.
    pub(crate) figures: Option<CellFigures>,
}

impl SeenCell {
    /// Uncalibrated probability of a class.
    pub(crate) fn probability(&self, class: usize) -> f32 {
        1.0 / (1.0 + (-log_odds(&self.logits, class)).exp())
    }
}

/// Looks at cells as the appliance does. Cells of which there are too few pixels are left out.
///
/// # Errors
/// [`TrainError::Artifact`] if an image cannot be read any more.
pub(crate) fn look_at(
    network: &CellNetwork,
    kinds: &Kinds,
    cells: &[LabelledCrop],
    input: CropInput,
) -> Result<Vec<SeenCell>, TrainError> {
    let device: Device = network.device();
    let mut seen = Vec::with_capacity(cells.len());
    let numbered: Vec<(usize, &LabelledCrop)> = cells.iter().enumerate().collect();
    for cells in numbered.chunks(BATCH) {
        let cut = cells.par_iter().map(|(number, cell)| {
            let crop = cell.cut(input)?;
            Ok(crop.map(|crop| {
                let diameter_um = cell.diameter_um();
                let figures = diameter_um.and_then(|um| CellFigures::measure(&crop, um));
                (*number, *cell, crop.network_input(), figures)
            }))
        });
        let cut = cut.collect::<Result<Vec<Option<_>>, TrainError>>()?;
        let cut: Vec<_> = cut.into_iter().flatten().collect();
        if cut.is_empty() {
            continue;
        }
        let crops: Vec<f32> = cut
            .iter()
            .flat_map(|(_, _, crop, _)| crop)
            .copied()
            .collect();
        let crops = TensorData::new(crops, [cut.len(), 1, SIDE, SIDE]);
        let answers = network.answers(Tensor::from_data(crops, &device));
        let (logits, features) = (floats(answers.logits), floats(answers.features));
        for (place, (number, cell, _, figures)) in cut.into_iter().enumerate() {
            let Some(lesson) = kinds.lesson(cell.source, cell.kind) else {
                continue;
            };
            let part = |values: &[f32], size: usize| values[place * size..][..size].to_vec();
            let logits = part(&logits, kinds.len());
            let possible = (0..kinds.len()).filter(|class| lesson.truth[*class]);
            let Some(class) = possible.max_by(|a, b| logits[*a].total_cmp(&logits[*b])) else {
                continue;
            };
            seen.push(SeenCell {
                number,
                source: cell.source,
                class,
                is_known: lesson.class().is_some(),
                logits,
                features: part(&features, FEATURES),
                figures,
            });
        }
    }
    Ok(seen)
}

/// The temperature that makes the true classes of cells most likely (Guo et al. 2017, "On Calibration of Modern Neural
/// Networks"), each class counting the same; at least 1, since a few right answers are too little evidence to be more
/// confident than the network.
pub(crate) fn temperature<'a>(
    cells: impl IntoIterator<Item = &'a SeenCell>,
    classes: usize,
) -> f32 {
    let cells: Vec<&SeenCell> = cells.into_iter().collect();
    let mut counts = vec![0.0; classes];
    for cell in &cells {
        counts[cell.class] += 1.0;
    }
    let loss = |sharpness: f64| -> f64 {
        let of = |cell: &&SeenCell| {
            let logits = cell
                .logits
                .iter()
                .map(|logit| f64::from(*logit) * sharpness);
            let high = logits.clone().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.map(|logit| (logit - high).exp()).sum();
            let own = f64::from(cell.logits[cell.class]) * sharpness - high;
            (sum.ln() - own) / counts[cell.class]
        };
        cells.iter().map(of).sum()
    };
    minimum(MAX_TEMPERATURE.recip(), 1.0, loss).recip() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(class: usize, logits: [f32; 2]) -> SeenCell {
        SeenCell {
            number: 0,
            source: 0,
            class,
            is_known: true,
            logits: logits.to_vec(),
            features: Vec::new(),
            figures: None,
        }
    }

    #[test]
    fn the_temperature_makes_confidence_true() {
        // Three of four are right at log-odds of 4: they should be ln 3.
        let cells: Vec<SeenCell> = (0..400)
            .map(|number| {
                let class = number % 2;
                let says = if number % 8 < 2 { 1 - class } else { class };
                cell(class, if says == 0 { [4.0, 0.0] } else { [0.0, 4.0] })
            })
            .collect();
        let found = temperature(&cells, 2);
        assert!((found - 4.0 / 3.0_f32.ln()).abs() < 0.01, "{found}");
        // Unsure and always right: not made surer.
        let cells = vec![cell(0, [0.5, 0.0]), cell(1, [0.0, 0.5])];
        assert!((temperature(&cells, 2) - 1.0).abs() < 1e-6);
    }
}
