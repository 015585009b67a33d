//! What `smearscope classify` says about the images of a folder together.

use serde::Serialize;
use smearscope_artifacts::{AnyModel, Verdict};

use crate::analysis::rule::Rule;
use crate::analysis::slide::Slide;
use crate::records::SlideSummaryEntry;
use crate::report::answer::{Said, result_in_words};

/// The images of a folder.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FolderAnswer {
    /// The folder.
    slide: String,
    #[serde(flatten)]
    summary: SlideSummaryEntry,
    /// What to do about the reason.
    hint: Option<&'static str>,
    /// Name and version of the model.
    model: String,
    demo: bool,
}

impl FolderAnswer {
    /// The answer for the slide that a folder's images make.
    pub(crate) fn new(folder: String, slide: &Slide, model: &AnyModel) -> Self {
        let summary = slide.summary(&Rule::of(model));
        Self {
            slide: folder,
            summary: (&summary).into(),
            hint: summary.judgement.reason().map(|reason| reason.hint()),
            model: format!("{} {}", model.name(), model.version()),
            demo: model.is_demo(),
        }
    }

    pub(crate) fn folder(&self) -> &str {
        &self.slide
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.summary.verdict
    }

    /// The part that is shown to people.
    pub(crate) fn said(&self) -> Said<'_> {
        let SlideSummaryEntry {
            verdict,
            reason,
            probability,
            count,
            ..
        } = &self.summary;
        Said {
            verdict: *verdict,
            result: result_in_words(*probability, count.as_ref()),
            reason: reason.as_deref(),
            hint: self.hint,
        }
    }
}
