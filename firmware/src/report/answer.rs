//! The result for an image that does not belong to a slide, on the command line and over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use smearscope_artifacts::{ImagePosition, Verdict};
use utoipa::ToSchema;

use crate::analysis::analyst::{Analysis, Analyst};
use crate::analysis::picture_scale::PictureScale;
use crate::analysis::quality::Quality;
use crate::analysis::stage_times::{StageTimes, milliseconds};
use crate::records::{CellEntry, CountEntry};
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
    /// Calibrated probability of the positive class; null if the model was not run, or counts cells.
    #[schema(required, minimum = 0, maximum = 1)]
    pub(crate) probability: Option<f32>,
    #[serde(flatten)]
    limits: DecisionLimits,
    /// The count of the image's cells; null if they were not counted.
    #[schema(required)]
    pub(crate) count: Option<CountEntry>,
    /// The scale of the picture; null if it is unknown.
    #[schema(required)]
    scale: Option<PictureScale>,
    /// The cells, the surest find first; empty if none were looked for.
    cells: Vec<CellEntry>,
    /// Position of the strongest evidence for the positive class, 0 to 1 from left and top; null without evidence, and if
    /// cells are counted.
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
    /// The parts of that time, in milliseconds: `decoding`, `gate`, and if the model was run `inference`, or of a model that
    /// counts cells `search` (for cells and scale) and `cells` (looking at each).
    stages_ms: BTreeMap<&'static str, f64>,
}

impl Answer {
    /// The answer for an analysis by `analyst` that took `elapsed`, and its stages so long.
    pub(crate) fn new(
        analyst: &Analyst,
        analysis: &Analysis,
        elapsed: Duration,
        stages: &StageTimes,
    ) -> Self {
        let (model, engine) = (analyst.model(), analyst.engine());
        let cells = analysis.cells();
        Self {
            verdict: analysis.judgement.verdict(),
            reason: analysis.explanation(),
            hint: analysis.judgement.reason().map(|reason| reason.hint()),
            probability: analysis.probability(),
            limits: (&analyst.rule()).into(),
            count: analysis.count().map(CountEntry::new),
            scale: analysis.scale,
            cells: cells.map(CellEntry::of).unwrap_or_default(),
            strongest: analysis.field().and_then(|field| field.strongest),
            quality: analysis.quality.clone(),
            engine: engine.engine,
            device: engine.device.clone(),
            model: format!("{} {}", model.name(), model.version()),
            demo: model.is_demo(),
            elapsed_ms: milliseconds(elapsed),
            stages_ms: stages
                .by_name()
                .map(|(stage, time)| (stage, milliseconds(time)))
                .collect(),
        }
    }

    /// The part that is shown to people.
    pub(crate) fn said(&self) -> Said<'_> {
        Said {
            verdict: self.verdict,
            result: result_in_words(self.probability, self.count.as_ref()),
            reason: self.reason.as_deref(),
            hint: self.hint,
        }
    }

    /// Whether the model says something about the image: a probability, or a count.
    pub(crate) fn has_result(&self) -> bool {
        self.probability.is_some() || self.count.is_some()
    }

    /// Why the verdict is inconclusive and what to do about it; `None` otherwise.
    pub(crate) fn explanation(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        Some(format!("{reason}: {}", self.hint.unwrap_or_default()))
    }
}

/// A count or else a probability of the positive class for people; `-` if there is neither.
pub(crate) fn result_in_words(probability: Option<f32>, count: Option<&CountEntry>) -> String {
    match (count, probability) {
        (Some(count), _) => count.words.clone(),
        (None, Some(probability)) => format!("p = {probability:.3}"),
        (None, None) => "-".into(),
    }
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
