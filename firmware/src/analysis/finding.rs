//! What a frame gave, and whether it was saved.

use std::time::Duration;

use uuid::Uuid;

use crate::analysis::analyst::Analysis;
use crate::analysis::slide::SlideSummary;
use crate::analysis::verdict::{Judgement, Reason};

/// What a frame gave: a field of view, and where its slide stands with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The field of view.
    pub field: Analysis,
    /// The slide with this field; without it, if it was not recorded and should have been.
    pub slide: SlideSummary,
    /// Whether it was recorded.
    pub saved: SaveOutcome,
}

/// The verdict that screen, LEDs and page show after a capture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// The verdict.
    pub judgement: Judgement,
    /// Calibrated probability of the positive class; `None` without one.
    pub probability: Option<f32>,
}

impl Finding {
    /// The verdict that is shown: the slide's, except that a field that was not recorded or that the quality gate
    /// refused makes it inconclusive, because the operator must take it again.
    pub fn shown(&self) -> Shown {
        let (judgement, probability) = if self.saved == SaveOutcome::NotSaved {
            (Judgement::inconclusive(Reason::NotSaved), None)
        } else if self.field.log_odds.is_none() {
            (self.field.judgement, None)
        } else {
            (self.slide.judgement, self.slide.probability)
        };
        Shown {
            judgement,
            probability,
        }
    }
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

/// How long the stages of an analysis took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From the request to the camera to its answer; zero for an image that no camera gave.
    pub capture: Duration,
    /// Decoding, the quality gate, and the model's input.
    pub preparation: Duration,
    /// The model; `None` if the gate refused the picture.
    pub inference: Option<Duration>,
    /// Until images and row were on the disk; `None` where nothing is recorded.
    pub storing: Option<Duration>,
}
