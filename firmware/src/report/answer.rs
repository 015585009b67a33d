//! What is answered about an image that is no field of a slide: on the command line, and over a network.

use serde::Serialize;
use smearscope_artifacts::ImagePosition;
use smearscope_artifacts::Verdict;
use utoipa::ToSchema;

use crate::analysis::analyst::{Analysis, Analyst};
use crate::analysis::quality::Quality;
use crate::report::picture::{Figure, Spot};

/// What came out for an image.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Answer {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Why there is none, if there is none.
    #[schema(required)]
    reason: Option<String>,
    /// What to do about that.
    #[schema(required)]
    hint: Option<&'static str>,
    /// Calibrated probability of the positive class; null where the model was not asked.
    #[schema(required, minimum = 0, maximum = 1)]
    pub(crate) probability: Option<f32>,
    /// Probability from which on the verdict is positive.
    threshold: f32,
    /// Where the evidence for the positive class is strongest, if there is any: 0 to 1 from left and top.
    #[schema(required, value_type = Option<Spot>)]
    strongest: Option<ImagePosition>,
    /// What the quality gate measured.
    #[schema(value_type = std::collections::BTreeMap<String, Figure>)]
    quality: Quality,
    /// The engine that ran the model.
    engine: &'static str,
    /// The device that did.
    device: String,
    /// Name and version of the model.
    model: String,
    /// Whether it is a demonstration model, whose verdicts mean nothing.
    demo: bool,
    /// From bytes to verdict, in milliseconds.
    elapsed_ms: f64,
}

impl Answer {
    pub(crate) fn new(analyst: &Analyst, analysis: &Analysis, elapsed_ms: f64) -> Self {
        let (manifest, engine) = (analyst.manifest(), analyst.engine());
        Self {
            verdict: analysis.judgement.verdict(),
            reason: analysis.explanation(),
            hint: analysis.judgement.reason().map(|reason| reason.hint()),
            probability: analysis.probability,
            threshold: manifest.decision.threshold,
            strongest: analysis.strongest,
            quality: analysis.quality.clone(),
            engine: engine.engine,
            device: engine.device.clone(),
            model: format!("{} {}", manifest.name, manifest.version),
            demo: manifest.demo,
            elapsed_ms,
        }
    }

    /// What it says to people.
    pub(crate) fn said(&self) -> Said<'_> {
        Said {
            verdict: self.verdict,
            probability: self.probability,
            reason: self.reason.as_deref(),
            hint: self.hint,
        }
    }

    /// Why there is no verdict and what to do about it, if there is none.
    pub(crate) fn explanation(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        Some(format!("{reason}: {}", self.hint.unwrap_or_default()))
    }
}

/// What an answer says to people.
pub(crate) struct Said<'a> {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Of the positive class, if the model was asked.
    pub(crate) probability: Option<f32>,
    /// Why there is no verdict, if there is none.
    pub(crate) reason: Option<&'a str>,
    /// What to do about that.
    pub(crate) hint: Option<&'a str>,
}
