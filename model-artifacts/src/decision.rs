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
    /// Calibrated probability of the positive class, 0 to 1; NaN if there is none.
    pub probability: f32,
    /// What it means.
    pub call: Call,
}

impl DecisionRule {
    /// Applies the rule to a logit margin (positive − negative). A margin that is not finite gives
    /// [`Call::Undecided`].
    pub fn decide(&self, margin: f32) -> Decision {
        self.decide_log_odds(self.log_odds(margin))
    }

    /// The calibrated log-odds of a logit margin.
    pub fn log_odds(&self, margin: f32) -> f32 {
        margin / self.temperature
    }

    /// Applies the rule to calibrated log-odds, of a field or of a slide.
    pub fn decide_log_odds(&self, log_odds: f32) -> Decision {
        let probability = if log_odds.is_finite() {
            1.0 / (1.0 + (-log_odds).exp())
        } else {
            f32::NAN
        };
        let [low, high] = self.inconclusive;
        let outside_band = probability <= low || probability >= high;
        let call = if !outside_band {
            Call::Undecided
        } else if probability >= self.threshold {
            Call::Positive
        } else {
            Call::Negative
        };
        Decision { probability, call }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: DecisionRule = DecisionRule {
        threshold: 0.5,
        inconclusive: [0.25, 0.75],
        temperature: 2.0,
    };

    #[test]
    fn calls_follow_threshold_and_band() {
        // σ(±ln 3) = 3/4 and 1/4, so with temperature 2 the band ends at a margin of ±2 ln 3.
        let edge = 2.0 * 3.0_f32.ln();
        assert_eq!(RULE.decide(edge + 0.01).call, Call::Positive);
        assert_eq!(RULE.decide(edge - 0.01).call, Call::Undecided);
        assert_eq!(RULE.decide(0.0).call, Call::Undecided);
        assert_eq!(RULE.decide(0.01 - edge).call, Call::Undecided);
        assert_eq!(RULE.decide(-edge - 0.01).call, Call::Negative);
        assert!((RULE.decide(edge).probability - 0.75).abs() < 1e-6);
    }

    #[test]
    fn the_threshold_itself_is_positive_where_there_is_no_band() {
        let rule = DecisionRule {
            inconclusive: [0.5, 0.5],
            ..RULE
        };
        assert_eq!(rule.decide(0.0).call, Call::Positive);
        assert_eq!(rule.decide(-1e-3).call, Call::Negative);
    }

    #[test]
    fn huge_margins_saturate() {
        let high = RULE.decide(f32::MAX);
        assert_eq!((high.probability, high.call), (1.0, Call::Positive));
        let low = RULE.decide(f32::MIN);
        assert_eq!((low.probability, low.call), (0.0, Call::Negative));
    }

    #[test]
    fn no_call_without_a_number() {
        for margin in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let decision = RULE.decide(margin);
            assert_eq!(decision.call, Call::Undecided);
            assert!(decision.probability.is_nan());
        }
        let broken = DecisionRule {
            temperature: f32::NAN,
            ..RULE
        };
        assert_eq!(broken.decide(1.0).call, Call::Undecided);
    }
}
