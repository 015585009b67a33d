//! JSON of a finding: the result of a captured field, the verdict that is shown, and the slide.

use serde::Serialize;
use smearscope_artifacts::{ImagePosition, Verdict};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::analysis::finding::{self, SaveOutcome};
use crate::analysis::picture_scale::PictureScale;
use crate::analysis::quality::Quality;
use crate::analysis::slide::SlideSummary;
use crate::appliance::handle::Report;
use crate::records::{CellEntry, CountEntry, SlideSummaryEntry};
use crate::report::decision_limits::DecisionLimits;
use crate::report::picture::Figure;

/// The result of a captured field, and its slide so far.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Finding {
    /// Source of the picture: a device or a file name.
    source: String,
    /// The verdict on the field.
    verdict: Verdict,
    /// Why the verdict is inconclusive; null otherwise.
    #[schema(required)]
    reason: Option<String>,
    /// What to do about the reason.
    #[schema(required)]
    hint: Option<&'static str>,
    /// Calibrated probability of the positive class; null if the model was not run, or counts cells.
    #[schema(required, minimum = 0, maximum = 1)]
    probability: Option<f32>,
    #[serde(flatten)]
    limits: DecisionLimits,
    /// The count of this field's cells; null if they were not counted.
    #[schema(required)]
    count: Option<CountEntry>,
    /// The scale of the picture; null if it is unknown.
    #[schema(required)]
    scale: Option<PictureScale>,
    /// The cells, the surest find first; empty if none were looked for, and in events: the record has them.
    cells: Vec<CellEntry>,
    /// The verdict that screen, LEDs and page show.
    shown: Shown,
    /// Where the evidence for the positive class is strongest; null without evidence.
    #[schema(required)]
    strongest: Option<ImagePosition>,
    /// Quality figures of the picture, by name.
    #[schema(value_type = std::collections::BTreeMap<String, Figure>)]
    quality: Quality,
    /// Name and version of the model.
    model: String,
    /// Engine and device that ran the model.
    engine: String,
    /// Whether it is a demonstration model, whose verdicts are meaningless.
    demo: bool,
    /// Whether the field was recorded; null if no records are kept. A field that was not recorded does not count.
    #[schema(required)]
    saved: Option<bool>,
    /// Id of the record, if there is one.
    #[schema(required, value_type = Option<String>, format = "uuid")]
    record: Option<Uuid>,
    /// The slide so far. Includes this field unless recording it failed.
    slide: Slide,
}

/// The verdict that screen, LEDs and page show: the slide's, except that a last field that was not recorded or that
/// says nothing makes it inconclusive, because another one must be taken.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Shown {
    /// What the bench shows in large letters.
    verdict: Verdict,
    /// Why the verdict is inconclusive; null otherwise.
    #[schema(required)]
    reason: Option<String>,
    /// What to do about the reason.
    #[schema(required)]
    hint: Option<&'static str>,
    /// Calibrated probability of the positive class; null without one.
    #[schema(required, minimum = 0, maximum = 1)]
    probability: Option<f32>,
    /// The slide's count that the verdict is of; null without one.
    #[schema(required)]
    count: Option<CountEntry>,
}

impl Finding {
    /// The finding without its cells, which may be many: for events, of which many are kept.
    pub(crate) fn without_cells(self) -> Self {
        Self {
            cells: Vec::new(),
            ..self
        }
    }
}

impl From<finding::Shown> for Shown {
    fn from(shown: finding::Shown) -> Self {
        let reason = shown.judgement.reason();
        Self {
            verdict: shown.judgement.verdict(),
            reason: reason.map(|reason| reason.to_string()),
            hint: reason.map(|reason| reason.hint()),
            probability: shown.probability,
            count: shown.count.as_ref().map(CountEntry::new),
        }
    }
}

/// A slide so far.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Slide {
    /// Number of the slide, from 1.
    number: u32,
    #[serde(flatten)]
    summary: SlideSummaryEntry,
    /// What to do about the reason.
    #[schema(required)]
    hint: Option<&'static str>,
}

impl From<&SlideSummary> for Slide {
    fn from(summary: &SlideSummary) -> Self {
        Self {
            number: summary.slide,
            summary: summary.into(),
            hint: summary.judgement.reason().map(|reason| reason.hint()),
        }
    }
}

impl From<&Report> for Finding {
    fn from(report: &Report) -> Self {
        let field = &report.finding.field;
        let cells = field.cells();
        Self {
            source: report.source.clone(),
            verdict: field.judgement.verdict(),
            reason: field.explanation(),
            hint: field.judgement.reason().map(|reason| reason.hint()),
            probability: field.probability(),
            limits: (&report.rule).into(),
            count: field.count().map(CountEntry::new),
            scale: field.scale,
            cells: cells.map(CellEntry::of).unwrap_or_default(),
            shown: report.finding.shown().into(),
            strongest: field.field().and_then(|field| field.strongest),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analysis::quality::Problem;
    use crate::analysis::verdict::{Judgement, Reason};
    use crate::appliance::handle::tests::report;
    use crate::appliance::state::tests::finding;

    #[test]
    fn a_slide_has_its_summary_a_number_and_a_hint() {
        let undecided = Judgement::inconclusive(Reason::Undecided);
        let summary = finding(undecided, Some(0.5)).slide;
        let expected = json!({
            "number": 1, "verdict": "Inconclusive", "reason": "the model is not sure",
            "hint": "try another field", "probability": 0.5, "count": null, "seen_again": 0, "fields": 2, "refused": 0,
            "unsaved": 0,
        });
        let json = serde_json::to_value(Slide::from(&summary)).unwrap();
        assert_eq!(json, expected);
    }

    #[test]
    fn a_finding_says_which_verdict_is_shown() {
        let shown = |report: &Report| {
            let json = serde_json::to_value(Finding::from(report)).unwrap();
            json["shown"].clone()
        };
        let mut report = report();
        report.finding = finding(Judgement::POSITIVE, Some(0.75));
        let positive = json!({
            "verdict": "Positive", "reason": null, "hint": null, "probability": 0.75, "count": null,
        });
        assert_eq!(shown(&report), positive, "the slide's");

        let blurred = Reason::Quality(Problem::OutOfFocus);
        report.finding.field.judgement = Judgement::inconclusive(blurred);
        report.finding.field.reading = None;
        let refused = json!({
            "verdict": "Inconclusive", "reason": "out of focus", "hint": "turn the fine focus",
            "probability": null, "count": null,
        });
        assert_eq!(shown(&report), refused, "the field's");

        report.finding.saved = SaveOutcome::NotSaved;
        assert_eq!(shown(&report)["verdict"], "Inconclusive");
        assert_eq!(shown(&report)["reason"], "not saved, does not count");
    }
}
