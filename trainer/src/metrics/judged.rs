//! Scores of images and what a decision rule makes of them.

use smearscope_artifacts::{DecisionRule, Verdict};

/// The score of an image, a logit margin (positive − negative), with its label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub(crate) margin: f32,
    pub(crate) positive: bool,
    /// Images of one group are not independent.
    pub(crate) group: usize,
}

/// The decision on an image, with its label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judged {
    /// The calibrated margin, `logit(probability)`.
    pub(crate) logit: f32,
    pub(crate) probability: f32,
    /// Whether the probability reaches the threshold.
    pub(crate) called: bool,
    /// Whether it lies outside the inconclusive band.
    pub(crate) decided: bool,
    pub(crate) positive: bool,
    pub(crate) group: usize,
}

impl Judged {
    pub(crate) fn by(rule: &DecisionRule, scored: Scored) -> Self {
        let Scored {
            margin,
            positive,
            group,
        } = scored;
        let decision = rule.decide(margin);
        Self {
            logit: rule.log_odds(margin),
            probability: decision.probability,
            called: decision.probability >= rule.threshold,
            decided: decision.verdict != Verdict::Inconclusive,
            positive,
            group,
        }
    }

    pub(crate) fn is_right(&self) -> bool {
        self.called == self.positive
    }
}
