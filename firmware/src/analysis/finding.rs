//! What a frame gave, and whether it was saved.

use uuid::Uuid;

use crate::analysis::analyst::Analysis;
use crate::analysis::slide::SlideSummary;

/// What a frame gave: a field of view, and where its slide stands with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The field of view.
    pub field: Analysis,
    /// The slide with this field; without it, if it was not recorded and should have been.
    pub slide: SlideSummary,
    /// Whether it was recorded.
    pub kept: SaveOutcome,
}

/// Whether a field was recorded, with its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveOutcome {
    /// It is on the disk, in the record with this id.
    Saved(Uuid),
    /// It should be, and is not: it counts for nothing.
    NotSaved,
    /// Nothing is recorded.
    Unwanted,
}
