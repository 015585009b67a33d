//! Red cells as a ruler: the scale of a field of unknown scale.
//!
//! Their median diameter on a smear is 7.2 µm, with little spread from person to person (6.7 to 7.7 µm; Bain, "Blood
//! Cells: A Practical Guide").

use serde::Serialize;

use super::cell_site::CellSite;
use crate::manifest::cells::Ruler;

/// A scale that was measured by red cells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeasuredScale {
    /// Size of a pixel, µm.
    pub um_per_pixel: f32,
    /// Spread of the diameters, relative to their median.
    pub spread: f32,
    /// Number of red cells.
    pub cells: u32,
}

/// What a finder sees at a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// Red cells that lie wholly in view.
    pub(super) cells: u32,
    /// Mean score of those red cells.
    pub(super) score: f32,
    /// The scale at which their median has its usual diameter, µm per pixel.
    pub(super) measured: f32,
}

/// Why a field has no scale.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ScaleUnknown {
    /// Too few red cells lie wholly in the field.
    #[error("{found} whole red cells with a clear edge, the ruler needs {needed}")]
    TooFew {
        /// Number of red cells.
        found: u32,
        /// Number that the rule asks for.
        needed: u32,
    },
    /// The diameters differ too much.
    #[error(
        "the diameters of {cells} red cells spread by {spread:.2} of their median, at most {limit} is plausible"
    )]
    Implausible {
        /// Number of red cells.
        cells: u32,
        /// Their spread, relative to the median.
        spread: f32,
        /// The largest that the rule allows.
        limit: f32,
    },
    /// They agree on no scale: at each that is tried they seem as large as red cells are, as what is no cell does, or they
    /// seem of another size again and again.
    #[error("the red cells agree on no scale")]
    Unsteady,
}

/// Median diameter of the cells that lie wholly in an image of this width and height; `None` of fewer than `fewest`.
pub(super) fn median_inside(
    cells: &[CellSite],
    fewest: usize,
    width: f32,
    height: f32,
) -> Option<f32> {
    let diameters = diameters_inside(cells, width, height);
    (diameters.len() >= fewest.max(1)).then(|| quantile(&diameters, 0.5))
}

impl Ruler {
    /// Measures the scale of a field of `width` × `height` pixels by its red cells, which are in pixels, too. Cells
    /// that the frame cuts do not count.
    ///
    /// # Errors
    /// [`ScaleUnknown`] if there are too few or too different red cells.
    pub fn measure(
        &self,
        red_cells: &[CellSite],
        width: f32,
        height: f32,
    ) -> Result<MeasuredScale, ScaleUnknown> {
        let diameters = diameters_inside(red_cells, width, height);
        let cells = diameters.len() as u32;
        if cells < self.min_cells.max(1) {
            return Err(ScaleUnknown::TooFew {
                found: cells,
                needed: self.min_cells.max(1),
            });
        }
        let at = |share: f32| quantile(&diameters, share);
        let median = at(0.5);
        let spread = (at(0.84) - at(0.16)) / (2.0 * median);
        if spread.is_nan() || spread > self.max_spread {
            return Err(ScaleUnknown::Implausible {
                cells,
                spread,
                limit: self.max_spread,
            });
        }
        Ok(MeasuredScale {
            um_per_pixel: self.red_cell_um / median,
            spread,
            cells,
        })
    }

    /// What red cells of an image of this width and height say of the scale that was tried; `None` of none.
    pub(super) fn look(&self, red_cells: &[CellSite], width: f32, height: f32) -> Option<Look> {
        let inside: Vec<CellSite> = red_cells
            .iter()
            .filter(|cell| cell.is_inside(width, height))
            .copied()
            .collect();
        let diameters = diameters_inside(&inside, width, height);
        (!inside.is_empty()).then(|| Look {
            cells: inside.len() as u32,
            score: inside.iter().map(|cell| cell.score).sum::<f32>() / inside.len() as f32,
            measured: self.red_cell_um / quantile(&diameters, 0.5),
        })
    }
}

/// Diameters of the cells that lie wholly in an image of this width and height, in rising order.
fn diameters_inside(cells: &[CellSite], width: f32, height: f32) -> Vec<f32> {
    let inside = cells.iter().filter(|cell| cell.is_inside(width, height));
    let mut diameters: Vec<f32> = inside.map(|cell| cell.diameter).collect();
    diameters.sort_by(f32::total_cmp);
    diameters
}

/// The value nearest to a share of sorted values, of which there are some.
fn quantile(sorted: &[f32], share: f32) -> f32 {
    sorted[(share * (sorted.len() - 1) as f32).round() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(x: f32, diameter: f32) -> CellSite {
        CellSite {
            x,
            y: 50.0,
            diameter,
            score: 1.0,
        }
    }

    const RULE: Ruler = Ruler {
        red_cell_um: 7.2,
        min_cells: 5,
        max_spread: 0.25,
    };

    #[test]
    fn the_median_red_cell_is_the_ruler() {
        let diameters = [34.0, 35.0, 36.0, 37.0, 70.0];
        let mut cells: Vec<CellSite> = diameters.map(|d| cell(200.0, d)).into();
        // The frame cuts this one.
        cells.push(cell(10.0, 90.0));
        let wide = Ruler {
            max_spread: 1.0,
            ..RULE
        };
        let scale = wide.measure(&cells, 400.0, 100.0).unwrap();
        assert!((scale.um_per_pixel - 0.2).abs() < 1e-6);
        assert_eq!(scale.cells, 5);
        // Of five, the 16th and 84th percentile are the second and the fourth.
        assert!((scale.spread - 1.0 / 36.0).abs() < 1e-6);
    }

    #[test]
    fn too_few_and_too_different_cells_are_no_ruler() {
        let cells: Vec<CellSite> = [10.0, 12.0, 30.0, 45.0, 50.0, 51.0]
            .map(|d| cell(200.0, d))
            .into();
        let error = RULE.measure(&cells[..4], 400.0, 100.0).unwrap_err();
        assert_eq!(
            error,
            ScaleUnknown::TooFew {
                found: 4,
                needed: 5
            }
        );
        let error = RULE.measure(&cells, 400.0, 100.0).unwrap_err();
        assert!(
            matches!(error, ScaleUnknown::Implausible { cells: 6, .. }),
            "{error}"
        );
        assert!(RULE.measure(&[], 0.0, 0.0).is_err());
    }
}
