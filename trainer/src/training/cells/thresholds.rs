//! Which peaks of a finder's maps are cells.

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::{Share, Thresholds, TileInput};

use super::finder_task::FoundKind;
use super::windows::LabelledField;
use crate::error::TrainError;
use crate::metrics::{Detection, Target};
use crate::networks::finder::{Finder, KINDS};

/// Thresholds that are tried.
const TRIED: [f32; 9] = [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6];
/// The threshold where no field shows which is best.
const USUAL: f32 = 0.35;
/// Most fields that are looked at.
const MAX_FIELDS: usize = 300;

/// How many false leukocytes a missed one counts: β² of F2. The cell network sorts out what is none; what the finder misses, it
/// never sees.
const LEUKOCYTE_BETA2: f64 = 4.0;

/// The thresholds with which a finder that takes such tiles finds cells best in fields in which all cells are labelled: red
/// cells by F1, leukocytes by F2, which weighs recall more.
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
    let best = |kind: FoundKind, beta2: f64| {
        let scores: Vec<f64> = (0..TRIED.len())
            .map(|tried| {
                let mut total = Detection::default();
                for field in &counted {
                    total.add(&field[kind as usize][tried]);
                }
                f_score(&total, beta2)
            })
            .collect();
        let highest = scores.iter().copied().fold(0.0, f64::max);
        if highest <= 0.0 {
            return USUAL;
        }
        // The middle of those that are as good.
        let good: Vec<usize> = (0..scores.len())
            .filter(|&tried| scores[tried] >= highest - 0.002)
            .collect();
        TRIED[good[good.len() / 2]]
    };
    Ok(Thresholds {
        leukocytes: best(FoundKind::Leukocyte, LEUKOCYTE_BETA2),
        red_cells: best(FoundKind::RedCell, 1.0),
    })
}

/// The weighted harmonic mean of recall and precision (van Rijsbergen 1979, "Information Retrieval"): with 1 for `beta2` both
/// count the same. 0 if nothing is found.
fn f_score(detection: &Detection, beta2: f64) -> f64 {
    let shares = detection.figures().map(|figures| {
        let share = |share: Share| share.value().unwrap_or(0.0);
        [share(figures.recall), share(figures.precision)]
    });
    match shares {
        Some([recall, precision]) if recall + precision > 0.0 => {
            (1.0 + beta2) * recall * precision / (recall + beta2 * precision)
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
    fn misses_weigh_as_much_as_is_said() {
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
        assert!((f_score(&detection, 1.0) - 2.0 / 3.0).abs() < 1e-12);
        assert!(f_score(&Detection::default(), 1.0) < 1e-12);
        assert!(f_score(&Detection::of_field(&[], &targets, true), 1.0) < 1e-12);
        // All found, and as many false ones: precision 1/2.
        let all = [site(10.0, 0.9), site(40.0, 0.8), site(70.0, 0.7)];
        let false_ones = [90.0, 110.0, 130.0].map(|x| site(x, 0.5));
        let doubled = [all, false_ones].concat();
        let doubled = Detection::of_field(&doubled, &targets, true);
        assert!((f_score(&doubled, 4.0) - 5.0 * 0.5 / (1.0 + 2.0)).abs() < 1e-12);
    }
}
