//! What several answers are made of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::analysis::finding::SaveOutcome;
use crate::analysis::quality::Quality;
use crate::analysis::slide::SlideSummary;
use crate::appliance::handle::{Report, Status};
use crate::appliance::state::{self};

/// What the appliance is doing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct State {
    /// Which state.
    name: StateName,
    /// The same in words; of a fault, what failed and what to do about it.
    message: String,
    /// Whether a capture would be accepted now.
    waiting: bool,
    /// Whether there is a verdict that can be shown again.
    can_repeat: bool,
    /// Number of the slide under the microscope, from 1.
    slide: u32,
    /// Fields of it that the model judged.
    fields: u32,
    /// Fields of it that the quality gate refused.
    refused: u32,
    /// Fields of it that could not be recorded, and count for nothing.
    unsaved: u32,
}

/// Which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateName {
    Starting,
    SelfTest,
    Ready,
    Capturing,
    Analysing,
    Verdict,
    SlideClosed,
    Again,
    SwitchingOff,
    Fault,
    Off,
}

impl From<&Status> for State {
    fn from(status: &Status) -> Self {
        let state = &*status.state;
        Self {
            name: match state {
                state::State::Starting => StateName::Starting,
                state::State::SelfTest(_) => StateName::SelfTest,
                state::State::Ready => StateName::Ready,
                state::State::Capturing(_) => StateName::Capturing,
                state::State::Analysing => StateName::Analysing,
                state::State::Verdict(_) => StateName::Verdict,
                state::State::SlideClosed(_) => StateName::SlideClosed,
                state::State::Again(_) => StateName::Again,
                state::State::SwitchingOff { .. } => StateName::SwitchingOff,
                state::State::Fault(_) => StateName::Fault,
                state::State::Off => StateName::Off,
            },
            message: state.name().to_owned(),
            waiting: is_waiting(state),
            can_repeat: status.can_repeat,
            slide: status.slide,
            fields: status.fields,
            refused: status.refused,
            unsaved: status.unsaved,
        }
    }
}

/// Whether a press would be accepted.
pub(crate) fn is_waiting(state: &state::State) -> bool {
    match state {
        state::State::Fault(fault) => !fault.is_final,
        state => state.is_waiting(),
    }
}

/// A place in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Spot {
    /// Share of the width, from the left.
    x: f32,
    /// Share of the height, from the top.
    y: f32,
}

/// One figure of a picture's quality.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Figure {
    /// What was measured; null if that is no number.
    #[schema(required)]
    value: Option<f32>,
    /// So much or more is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f32>,
    /// So much or less is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f32>,
    /// Whether it is right.
    passed: bool,
}

/// What a field gave, and where its slide stands with it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Finding {
    /// Where the picture came from: a device, or a file's name.
    source: String,
    /// The verdict on the field.
    verdict: Verdict,
    /// Why there is none, if there is none.
    #[schema(required)]
    reason: Option<String>,
    /// What to do about that.
    #[schema(required)]
    hint: Option<&'static str>,
    /// Calibrated probability of the positive class; null where the model was not asked.
    #[schema(required, minimum = 0, maximum = 1)]
    probability: Option<f32>,
    /// Probability from which on the verdict is positive.
    threshold: f32,
    /// Where the evidence for the positive class is strongest, if there is any.
    #[schema(required)]
    strongest: Option<Spot>,
    /// What the quality gate measured.
    #[schema(value_type = std::collections::BTreeMap<String, Figure>)]
    quality: Quality,
    /// Name and version of the model.
    model: String,
    /// Engine and device that ran it.
    engine: String,
    /// Whether it is a demonstration model, whose verdicts mean nothing.
    demo: bool,
    /// Whether it was recorded; null where nothing is. If it was not, it is no field of the slide.
    #[schema(required)]
    saved: Option<bool>,
    /// Id of its record, if there is one.
    #[schema(required, value_type = Option<String>, format = "uuid")]
    record: Option<Uuid>,
    /// The slide with this field; without it, if it was not recorded and should have been.
    slide: Slide,
}

/// The verdict on a field or a slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum Verdict {
    Positive,
    Negative,
    Inconclusive,
}

impl Verdict {
    /// As records have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Positive => "Positive",
            Self::Negative => "Negative",
            Self::Inconclusive => "Inconclusive",
        }
    }
}

impl From<crate::analysis::verdict::Verdict> for Verdict {
    fn from(verdict: crate::analysis::verdict::Verdict) -> Self {
        match verdict {
            crate::analysis::verdict::Verdict::Positive => Self::Positive,
            crate::analysis::verdict::Verdict::Negative => Self::Negative,
            crate::analysis::verdict::Verdict::Inconclusive(_) => Self::Inconclusive,
        }
    }
}

/// Where a slide stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Slide {
    /// Which slide, from 1.
    number: u32,
    /// Fields that the model judged.
    fields: u32,
    /// Fields that it was not asked about.
    refused: u32,
    /// Fields that could not be recorded, and count for nothing.
    unsaved: u32,
    /// The verdict on the slide.
    verdict: Verdict,
    /// Why there is none, if there is none.
    #[schema(required)]
    reason: Option<String>,
    /// What to do about that.
    #[schema(required)]
    hint: Option<&'static str>,
    /// Calibrated probability of the positive class; null while there are too few fields.
    #[schema(required, minimum = 0, maximum = 1)]
    probability: Option<f32>,
}

impl From<&SlideSummary> for Slide {
    fn from(standing: &SlideSummary) -> Self {
        Self {
            number: standing.slide,
            fields: standing.fields,
            refused: standing.refused,
            unsaved: standing.unsaved,
            verdict: standing.verdict.into(),
            reason: standing.verdict.reason().map(|reason| reason.to_string()),
            hint: standing.verdict.reason().map(|reason| reason.hint()),
            probability: standing.probability,
        }
    }
}

impl From<&Report> for Finding {
    fn from(report: &Report) -> Self {
        let field = &report.finding.field;
        Self {
            source: report.source.clone(),
            verdict: field.verdict.into(),
            reason: field.explanation(),
            hint: field.verdict.reason().map(|reason| reason.hint()),
            probability: field.probability,
            threshold: report.threshold,
            strongest: field.strongest.map(|place| Spot {
                x: place.x,
                y: place.y,
            }),
            quality: field.quality.clone(),
            model: report.identity.model.clone(),
            engine: report.identity.engine.clone(),
            demo: report.identity.is_demo,
            saved: match report.finding.saved {
                SaveOutcome::Saved(_) => Some(true),
                SaveOutcome::NotSaved => Some(false),
                SaveOutcome::Unwanted => None,
            },
            record: match report.finding.saved {
                SaveOutcome::Saved(id) => Some(id),
                SaveOutcome::NotSaved | SaveOutcome::Unwanted => None,
            },
            slide: Slide::from(&report.finding.slide),
        }
    }
}
