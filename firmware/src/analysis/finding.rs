//! The result of a capture and whether it was saved.

use smearscope_artifacts::CountDecision;
use uuid::Uuid;

use crate::analysis::analyst::Analysis;
use crate::analysis::slide::SlideSummary;
use crate::analysis::verdict::{Judgement, Reason};

/// The result of a capture: the field's analysis and the slide's summary.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Analysis of the field of view.
    pub field: Analysis,
    /// Summary of the slide. It includes this field, unless the field could not be saved.
    pub slide: SlideSummary,
    /// Whether the field was saved.
    pub saved: SaveOutcome,
}

/// The verdict that screen, LEDs and page show: after a capture the one of [`Finding::shown`], after the end of a slide
/// the slide's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Positive, negative, or inconclusive with the reason.
    pub judgement: Judgement,
    /// Calibrated probability of the positive class; `None` without one.
    pub probability: Option<f32>,
    /// The slide's count; `None` if whole fields are judged, or the verdict is on a field that does not count.
    pub count: Option<CountDecision>,
}

impl Finding {
    /// The verdict to show. It is the slide's, unless the field could not be saved or does not count: then
    /// it is inconclusive, because the operator must repeat the capture.
    pub fn shown(&self) -> Shown {
        let judgement = if self.saved == SaveOutcome::NotSaved {
            Judgement::inconclusive(Reason::NotSaved)
        } else if !self.field.counts() {
            self.field.judgement
        } else {
            return Shown::from(&self.slide);
        };
        Shown {
            judgement,
            probability: None,
            count: None,
        }
    }
}

impl From<&SlideSummary> for Shown {
    fn from(slide: &SlideSummary) -> Self {
        Self {
            judgement: slide.judgement,
            probability: slide.probability,
            count: slide.count,
        }
    }
}

/// Whether a field and its images were saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveOutcome {
    /// On the disk, in the record with this id.
    Saved(Uuid),
    /// Saving failed. The field does not count for its slide.
    NotSaved,
    /// No records are kept.
    Unwanted,
}
