//! Red cells as the ruler of a source whose scale nobody states.

use serde::Serialize;

use crate::metrics::quantile;

/// Diameter of a median red cell, in µm.
const RED_CELL_UM: f32 = 7.2;
/// Fewest boxes of whole red cells that give a scale.
const MIN_CELLS: usize = 5;
/// Distance from the frame, in pixels, within which a box may belong to a cell that the frame cuts.
const FRAME: f32 = 1.5;

/// The scale of a source's images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Scale {
    pub(crate) um_per_pixel: f32,
    #[serde(flatten)]
    pub(crate) basis: ScaleBasis,
}

/// What a scale is based on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "basis", rename_all = "kebab-case")]
pub(crate) enum ScaleBasis {
    /// The file of the data sets states it.
    Stated,
    /// The median diameter of red cells.
    RedCells {
        /// Boxes of whole cells.
        cells: usize,
        /// Interquartile range of their diameters, relative to the median.
        spread: f32,
    },
}

/// Whether a box lies so far within an image of this width and height that the frame cuts nothing of its cell.
pub(crate) fn is_whole(centre: [f32; 2], extent: [f32; 2], image: (u32, u32)) -> bool {
    let sides = [image.0, image.1].map(|side| side as f32);
    (0..2).all(|axis| {
        let (low, high) = (
            centre[axis] - extent[axis] / 2.0,
            centre[axis] + extent[axis] / 2.0,
        );
        low >= FRAME && high <= sides[axis] - FRAME
    })
}

/// Diameters of whole red cells, in pixels.
#[derive(Debug, Default)]
pub(super) struct Ruler {
    diameters: Vec<f32>,
}

impl Ruler {
    /// Measures the box of a red cell in an image of this width and height: the side of a square of its
    /// area. Boxes that touch the frame are left out.
    pub(super) fn measure(&mut self, centre: [f32; 2], extent: [f32; 2], image: (u32, u32)) {
        if is_whole(centre, extent, image) {
            self.diameters.push((extent[0] * extent[1]).sqrt());
        }
    }

    /// The scale at which the median red cell has its usual diameter; `None` of too few cells.
    pub(super) fn scale(mut self) -> Option<Scale> {
        if self.diameters.len() < MIN_CELLS {
            return None;
        }
        self.diameters.sort_by(f32::total_cmp);
        let median = quantile(&self.diameters, 0.5);
        Some(Scale {
            um_per_pixel: RED_CELL_UM / median,
            basis: ScaleBasis::RedCells {
                cells: self.diameters.len(),
                spread: (quantile(&self.diameters, 0.75) - quantile(&self.diameters, 0.25))
                    / median,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_whole_red_cells_is_the_ruler() {
        let mut ruler = Ruler::default();
        for side in [70.0, 71.0, 72.0, 73.0, 90.0] {
            // √(w·h) is the side, whatever the shape.
            ruler.measure([100.0, 100.0], [side * 2.0, side / 2.0], (640, 480));
            // Cut by each side of the frame.
            for centre in [
                [side - 1.0, 100.0],
                [100.0, side / 4.0 + 1.0],
                [639.0 - side, 100.0],
                [100.0, 479.0],
            ] {
                ruler.measure(centre, [side * 2.0, side / 2.0], (640, 480));
            }
        }
        let scale = ruler.scale().unwrap();
        assert!((scale.um_per_pixel - 0.1).abs() < 1e-6, "{scale:?}");
        let ScaleBasis::RedCells { cells, spread } = scale.basis else {
            panic!("{scale:?}");
        };
        // numpy.quantile([70, 71, 72, 73, 90], [0.25, 0.75]) is [71, 73].
        assert_eq!(cells, 5);
        assert!((spread - 2.0 / 72.0).abs() < 1e-6, "{spread}");
    }

    #[test]
    fn four_red_cells_are_no_ruler() {
        let mut ruler = Ruler::default();
        for _ in 0..4 {
            ruler.measure([100.0, 100.0], [70.0, 70.0], (640, 480));
        }
        assert_eq!(ruler.scale(), None);
    }
}
