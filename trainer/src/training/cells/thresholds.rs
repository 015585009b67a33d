//! Which peaks of a finder's maps are cells.

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::{Thresholds, TileInput};

use super::finder_task::FoundKind;
use super::windows::LabelledField;
use crate::error::TrainError;
use crate::metrics::{Detection, Share, Target};
use crate::networks::finder::{Finder, KINDS};

/// Thresholds that are tried.
const TRIED: [f32; 9] = [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6];
/// The threshold where no field shows which is best.
const USUAL: f32 = 0.35;
/// Most fields that are looked at.
const MAX_FIELDS: usize = 300;

/// The thresholds with which a finder that takes such tiles finds cells best, by F1, in fields in which all cells are labelled.
///
/// # Errors
/// [`TrainError::Artifact`] if an image cannot be read any more.
pub(crate) fn choose_thresholds(
    finder: &Finder,
    tiles: TileInput,
    fields: &[LabelledField],
) -> Result<Thresholds, TrainError> {
    let step = fields.len().div_ceil(MAX_FIELDS).max(1);
    let chosen: Vec<&LabelledField> = fields.iter().step_by(step).collect();
    let counted = chosen
        .par_iter()
        .map(|field| count(finder, tiles, field))
        .collect::<Result<Vec<_>, TrainError>>()?;
    let best = |kind: FoundKind| {
        let f1: Vec<f64> = (0..TRIED.len())
            .map(|tried| {
                let mut total = Detection::default();
                for field in &counted {
                    total.add(&field[kind as usize][tried]);
                }
                f1(&total)
            })
            .collect();
        let highest = f1.iter().copied().fold(0.0, f64::max);
        if highest <= 0.0 {
            return USUAL;
        }
        // The middle of those that are as good.
        let good: Vec<usize> = (0..f1.len())
            .filter(|&tried| f1[tried] >= highest - 0.002)
            .collect();
        TRIED[good[good.len() / 2]]
    };
    Ok(Thresholds {
        leukocytes: best(FoundKind::Leukocyte),
        red_cells: best(FoundKind::RedCell),
    })
}

/// The harmonic mean of recall and precision; 0 if nothing is found.
fn f1(detection: &Detection) -> f64 {
    let shares = detection.figures().map(|figures| {
        let share = |share: Share| share.value().unwrap_or(0.0);
        [share(figures.recall), share(figures.precision)]
    });
    match shares {
        Some([recall, precision]) if recall + precision > 0.0 => {
            2.0 * recall * precision / (recall + precision)
        }
        _ => 0.0,
    }
}

/// What is found in a field at each threshold; nothing of a kind of which not every cell is labelled.
fn count(
    finder: &Finder,
    tiles: TileInput,
    field: &LabelledField,
) -> Result<[[Detection; TRIED.len()]; KINDS], TrainError> {
    let maps = field.maps(finder, tiles)?;
    let [width, height] = maps.size();
    Ok([FoundKind::Leukocyte, FoundKind::RedCell].map(|kind| {
        let is_complete = field.is_complete(kind);
        let targets: Vec<Target> = field
            .cells_of(kind)
            .map(|cell| Target {
                centre: [cell.x, cell.y],
                extent: [cell.diameter; 2],
                is_measured: cell.is_measured,
                is_cut: !cell.is_inside(width, height),
            })
            .collect();
        TRIED.map(|threshold| {
            if is_complete {
                Detection::of_field(&maps.cells(kind, threshold), &targets, true)
            } else {
                Detection::default()
            }
        })
    }))
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::CellSite;

    use super::*;

    #[test]
    fn f1_weighs_misses_and_false_finds_alike() {
        let site = |x, score| CellSite {
            x,
            y: 10.0,
            diameter: 10.0,
            score,
        };
        let target = |x| Target {
            centre: [x, 10.0],
            extent: [10.0; 2],
            is_measured: true,
            is_cut: false,
        };
        let targets = [target(10.0), target(40.0), target(70.0)];
        let found = [site(11.0, 0.9), site(41.0, 0.8), site(90.0, 0.7)];
        // Two of three labels, and two of three finds.
        let detection = Detection::of_field(&found, &targets, true);
        assert!((f1(&detection) - 2.0 / 3.0).abs() < 1e-12);
        assert!(f1(&Detection::default()) < 1e-12);
        assert!(f1(&Detection::of_field(&[], &targets, true)) < 1e-12);
    }
}
