//! From logit margin to call.

use crate::DecisionRule;

/// What a calibrated probability means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// At or above the threshold, outside the inconclusive band.
    Positive,
    /// Below the threshold, outside the inconclusive band.
    Negative,
    /// Inside the inconclusive band, or no probability at all.
    Undecided,
}

/// A call and the probability that it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Calibrated probability of the positive class, 0 to 1; NaN if the margin was not finite.
    pub probability: f32,
    /// What it means.
    pub call: Call,
}

impl DecisionRule {
    /// Applies the rule to a logit margin (positive − negative).
    pub fn decide(&self, margin: f32) -> Decision {
        if !margin.is_finite() {
            return Decision {
                probability: f32::NAN,
                call: Call::Undecided,
            };
        }
        let probability = (1.0 + (-margin / self.temperature).exp()).recip();
        let [low, high] = self.inconclusive;
        let call = if low < probability && probability < high {
            Call::Undecided
        } else if probability >= self.threshold {
            Call::Positive
        } else {
            Call::Negative
        };
        Decision { probability, call }
    }
}
