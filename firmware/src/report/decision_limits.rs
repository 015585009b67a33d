//! JSON of the limits by which a model's results become verdicts.

use serde::Serialize;
use smearscope_artifacts::DecisionRule;
use utoipa::ToSchema;

use crate::analysis::rule::Rule;
use crate::records::CountRuleEntry;

/// How a model's probabilities, or its counts of cells, become verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct DecisionLimits {
    /// Probability from which on a verdict outside the inconclusive band is positive; null if cells are counted.
    #[schema(required, minimum = 0, maximum = 1)]
    threshold: Option<f32>,
    /// The inconclusive band: a probability strictly between these two decides nothing; null if cells are counted.
    #[schema(required)]
    inconclusive_band: Option<[f32; 2]>,
    /// Whether the model's probabilities are calibrated, not the network's own; null if cells are counted.
    #[schema(required)]
    calibrated: Option<bool>,
    /// How a count becomes a verdict; null if whole fields are judged.
    #[schema(required)]
    count_rule: Option<CountRuleEntry>,
}

impl From<&Rule> for DecisionLimits {
    fn from(rule: &Rule) -> Self {
        let decision = rule.decision();
        Self {
            threshold: decision.map(|decision| decision.threshold),
            inconclusive_band: decision.map(|decision| decision.inconclusive),
            calibrated: decision.map(DecisionRule::is_calibrated),
            count_rule: rule.count().map(Into::into),
        }
    }
}
