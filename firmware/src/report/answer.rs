//! The result for an image that does not belong to a slide, on the command line and over HTTP.

use serde::Serialize;
use smearscope_artifacts::{ImagePosition, Verdict};
use utoipa::ToSchema;

use crate::analysis::analyst::{Analysis, Analyst};
use crate::analysis::quality::Quality;
use crate::report::decision_limits::DecisionLimits;
use crate::report::picture::Figure;

/// The result for an image.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Answer {
    /// Of this image alone.
    pub(crate) verdict: Verdict,
    /// Why the verdict is inconclusive; null otherwise.
    #[schema(required)]
    reason: Option<String>,
    /// What to do about it; null unless the verdict is inconclusive.
    #[schema(required)]
    hint: Option<&'static str>,
    /// Calibrated probability of the positive class; null if the model was not run.
    #[schema(required, minimum = 0, maximum = 1)]
    pub(crate) probability: Option<f32>,
    #[serde(flatten)]
    limits: DecisionLimits,
    /// Position of the strongest evidence for the positive class, 0 to 1 from left and top; null without evidence.
    #[schema(required)]
    strongest: Option<ImagePosition>,
    /// The quality figures.
    #[schema(value_type = std::collections::BTreeMap<String, Figure>)]
    quality: Quality,
    /// The engine that ran the model.
    engine: &'static str,
    /// The device that ran the model.
    device: String,
    /// Name and version of the model.
    model: String,
    /// Whether it is a demonstration model, whose verdicts are meaningless.
    pub(crate) demo: bool,
    /// Time from the encoded image to the verdict, in milliseconds.
    elapsed_ms: f64,
}

impl Answer {
    /// The answer for an analysis by `analyst` that took `elapsed_ms`.
    pub(crate) fn new(analyst: &Analyst, analysis: &Analysis, elapsed_ms: f64) -> Self {
        let (manifest, engine) = (analyst.manifest(), analyst.engine());
        Self {
            verdict: analysis.judgement.verdict(),
            reason: analysis.explanation(),
            hint: analysis.judgement.reason().map(|reason| reason.hint()),
            probability: analysis.probability,
            limits: (&manifest.model.decision).into(),
            strongest: analysis.strongest,
            quality: analysis.quality.clone(),
            engine: engine.engine,
            device: engine.device.clone(),
            model: format!("{} {}", manifest.name, manifest.version),
            demo: manifest.demo,
            elapsed_ms,
        }
    }

    /// The part that is shown to people.
    pub(crate) fn said(&self) -> Said<'_> {
        Said {
            verdict: self.verdict,
            result: probability_in_words(self.probability),
            reason: self.reason.as_deref(),
            hint: self.hint,
        }
    }

    /// Why the verdict is inconclusive and what to do about it; `None` otherwise.
    pub(crate) fn explanation(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        Some(format!("{reason}: {}", self.hint.unwrap_or_default()))
    }
}

/// A probability of the positive class for people; `p = -` if the model was not run.
pub(crate) fn probability_in_words(probability: Option<f32>) -> String {
    probability.map_or_else(|| "p = -".into(), |p| format!("p = {p:.3}"))
}

/// The part of an answer that is shown to people.
pub(crate) struct Said<'a> {
    /// Of the image.
    pub(crate) verdict: Verdict,
    /// What the verdict is of: a probability, or a count.
    pub(crate) result: String,
    /// Why the verdict is inconclusive; `None` otherwise.
    pub(crate) reason: Option<&'a str>,
    /// What to do about it; `None` unless the verdict is inconclusive.
    pub(crate) hint: Option<&'a str>,
}
