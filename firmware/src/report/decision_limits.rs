//! JSON of the limits by which a model's probabilities become verdicts.

use serde::Serialize;
use smearscope_artifacts::DecisionRule;
use utoipa::ToSchema;

/// How a model's probabilities become verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct DecisionLimits {
    /// Probability from which on a verdict outside the inconclusive band is positive.
    #[schema(minimum = 0, maximum = 1)]
    threshold: f32,
    /// The inconclusive band: a probability strictly between these two decides nothing.
    #[schema(minimum = 0, maximum = 1)]
    inconclusive_band: [f32; 2],
    /// Whether the model's probabilities are calibrated, not the network's own.
    calibrated: bool,
}

impl From<&DecisionRule> for DecisionLimits {
    fn from(rule: &DecisionRule) -> Self {
        Self {
            threshold: rule.threshold,
            inconclusive_band: rule.inconclusive,
            calibrated: rule.is_calibrated(),
        }
    }
}
