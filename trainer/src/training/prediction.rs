//! What the network and the decision rule of a fold make of an image that they were not made from.

use smearscope_artifacts::DecisionRule;

use crate::dataset::{Sample, Split};
use crate::metrics::{Judged, Scored};

/// A judged image.
#[derive(Debug)]
pub(crate) struct Prediction<'a> {
    pub(crate) sample: &'a Sample,
    pub(crate) judged: Judged,
    /// The fold whose network judged it, from 1.
    pub(crate) fold: usize,
}

/// Applies a decision rule to the scores of a split's test images.
pub(super) fn judge<'a>(
    split: &Split<'a>,
    scored: &[Scored],
    rule: &DecisionRule,
    fold: usize,
) -> Vec<Prediction<'a>> {
    let tested = split.test.iter().zip(scored);
    tested
        .map(|(sample, scored)| Prediction {
            sample,
            judged: Judged::by(rule, *scored),
            fold,
        })
        .collect()
}
