//! What a model says about a picture.

use std::ops::RangeInclusive;
use std::sync::Arc;

use smearscope_artifacts::{Cell, CellClass, CellCount, CountDecision, FieldCells, ImagePosition};

/// Sizes of a pixel in the plane of the specimen that a microscope can have, µm.
pub(crate) const SCALES: RangeInclusive<f32> = 0.005..=10.0;

/// What the model says about a picture that the quality gate passed.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Of a model that judges whole fields.
    Field(FieldReading),
    /// Of a model that counts cells.
    Cells(CellsReading),
}

/// The probability that a field is positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldReading {
    /// Calibrated probability of the positive class, 0 to 1.
    pub probability: f32,
    /// Calibrated log-odds of the positive class, for the slide.
    pub log_odds: f32,
    /// Position of the strongest evidence for the positive class; `None` without evidence.
    pub strongest: Option<ImagePosition>,
}

/// The cells of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct CellsReading {
    /// Scale and cells, in pixels of the whole picture.
    pub field: Arc<FieldCells>,
    /// The classes of the model, in the order of the cells' probabilities.
    pub classes: Arc<[CellClass]>,
    /// What the cells of this field alone give; `None` if its scale is unknown.
    pub decision: Option<Box<CountDecision>>,
    /// For each cell, whether no earlier field of the slide shows it.
    pub is_new: Vec<bool>,
}

impl CellsReading {
    /// Whether the field has something to say about its slide: it shows a leukocyte.
    pub fn has_leukocytes(&self) -> bool {
        let CellCount { cells, unclear, .. } = self.field.count();
        cells > 0 || unclear > 0
    }

    /// The name of a cell's class.
    pub fn class(&self, cell: &Cell) -> &str {
        self.classes
            .get(cell.class)
            .map_or("unknown", |class| &class.name)
    }

    /// Calibrated probability that a cell is a blast, 0 to 1.
    pub fn blast_probability(&self, cell: &Cell) -> f32 {
        let classes = cell.probabilities.iter().zip(&*self.classes);
        classes
            .filter(|(_, class)| class.blast)
            .map(|(probability, _)| probability)
            .sum()
    }

    /// Number of leukocytes that count in this field, but were counted in an earlier one of the slide.
    pub fn seen_before(&self) -> usize {
        let cells = self.field.cells.iter().zip(&self.is_new);
        cells
            .filter(|(cell, is_new)| cell.call.counts() && !**is_new)
            .count()
    }
}
