//! What the plots show.

use smearscope_artifacts::{Evaluation, Labels};

use crate::metrics::{self, Judged};
use crate::training::History;

/// What there is to plot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured<'a> {
    pub(crate) judged: &'a [Judged],
    pub(crate) evaluation: &'a Evaluation,
    pub(crate) labels: &'a Labels,
    /// The history of each training, with its name; empty if nothing was trained.
    pub(crate) histories: &'a [(String, History)],
}

impl Measured<'_> {
    /// A title with a figure and its interval, marked if it is leaky.
    pub(super) fn title(&self, words: &str, key: &str) -> String {
        let Evaluation {
            figures, intervals, ..
        } = self.evaluation;
        let leaky_key = metrics::figure_name(key, true);
        let (key, leaky) = if figures.contains_key(&leaky_key) {
            (leaky_key.as_str(), "LEAKY ")
        } else {
            (key, "")
        };
        match (figures.get(key), intervals.get(key)) {
            (None, _) => format!("{words} unknown"),
            (Some(figure), None) => format!("{leaky}{words} {figure:.3}"),
            (Some(figure), Some([low, high])) => {
                format!("{leaky}{words} {figure:.3} (95 %: {low:.3} to {high:.3})")
            }
        }
    }
}
