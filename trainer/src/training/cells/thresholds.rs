//! Which peaks of a finder's maps are cells.

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::{CellSite, Thresholds, TileInput};

use super::finder_task::{CellCircle, FoundKind};
use super::windows::LabelledField;
use crate::error::TrainError;
use crate::networks::finder::{Finder, KINDS};

/// Thresholds that are tried.
const TRIED: [f32; 9] = [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6];
/// The threshold where no field shows which is best.
const USUAL: f32 = 0.35;
/// Most fields that are looked at.
const MAX_FIELDS: usize = 300;

/// Numbers of cells at one threshold.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    labelled: usize,
    found: usize,
    right: usize,
}

impl Found {
    /// The harmonic mean of recall and precision.
    fn f1(self) -> f64 {
        2.0 * self.right as f64 / (self.labelled + self.found).max(1) as f64
    }

    fn plus(self, other: Self) -> Self {
        Self {
            labelled: self.labelled + other.labelled,
            found: self.found + other.found,
            right: self.right + other.right,
        }
    }
}

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
        let total = |tried: usize| {
            let counts = counted.iter().map(|field| field[kind as usize][tried]);
            counts.fold(Found::default(), Found::plus)
        };
        if total(0).labelled == 0 {
            return USUAL;
        }
        let f1: Vec<f64> = (0..TRIED.len()).map(|tried| total(tried).f1()).collect();
        let highest = f1.iter().copied().fold(0.0, f64::max);
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

/// Counts the cells of a field at each threshold.
fn count(
    finder: &Finder,
    tiles: TileInput,
    field: &LabelledField,
) -> Result<[[Found; TRIED.len()]; KINDS], TrainError> {
    let maps = field.maps(finder, tiles)?;
    Ok([FoundKind::Leukocyte, FoundKind::RedCell].map(|kind| {
        if !field.is_complete(kind) {
            return [Found::default(); TRIED.len()];
        }
        let labelled: Vec<CellCircle> = field.cells_of(kind).collect();
        TRIED.map(|threshold| {
            let found = maps.cells(kind, threshold);
            Found {
                labelled: labelled.len(),
                found: found.len(),
                right: right(&found, &labelled),
            }
        })
    }))
}

/// How many of the found cells, the surest first, lie within a labelled cell that no other one has.
fn right(found: &[CellSite], labelled: &[CellCircle]) -> usize {
    let mut is_taken = vec![false; labelled.len()];
    for site in found {
        let nearest = (0..labelled.len())
            .filter(|&cell| !is_taken[cell])
            .map(|cell| {
                (
                    cell,
                    (site.x - labelled[cell].x).hypot(site.y - labelled[cell].y),
                )
            })
            .min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((cell, distance)) = nearest
            && distance < labelled[cell].diameter / 2.0
        {
            is_taken[cell] = true;
        }
    }
    is_taken.into_iter().filter(|is_taken| *is_taken).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_labelled_cell_is_found_once() {
        let site = |x, y| CellSite {
            x,
            y,
            diameter: 10.0,
            score: 0.5,
        };
        let cell = |x, y| CellCircle {
            kind: FoundKind::Leukocyte,
            x,
            y,
            diameter: 10.0,
            is_measured: true,
        };
        let labelled = [cell(10.0, 10.0), cell(18.0, 10.0), cell(50.0, 50.0)];
        let found = [
            site(11.0, 10.0),
            site(13.5, 10.0),
            site(56.0, 50.0),
            site(80.0, 80.0),
        ];
        // The second one is nearer to the first cell, which is taken.
        assert_eq!(right(&found, &labelled), 2);
        let counts = Found {
            labelled: 3,
            found: 4,
            right: 2,
        };
        assert!((counts.f1() - 4.0 / 7.0).abs() < 1e-12);
    }
}
