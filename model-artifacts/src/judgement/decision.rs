//! From logit margin to verdict.

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;
use crate::validation::{FieldError, check_positive};

/// How a logit margin becomes a verdict: the calibrated probability is
/// `p = σ((margin − offset) / temperature)` (Platt 1999, "Probabilistic Outputs for Support Vector
/// Machines").
/// Inside the inconclusive band the verdict is inconclusive, elsewhere `p ≥ threshold` is positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRule {
    /// Smallest calibrated probability of a positive verdict; strictly between 0 and 1.
    pub threshold: f32,
    /// The inconclusive band, `[low, high]` with `0 ≤ low ≤ threshold ≤ high ≤ 1`: a calibrated
    /// probability strictly between them is inconclusive.
    pub inconclusive: [f32; 2],
    /// The logit margin whose calibrated probability is one half; 0 if not given. It takes the share of
    /// positives among the training images out of the probabilities.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: f32,
    /// Divides the logit margin, above 0; 1 leaves the network's probabilities unchanged (Guo et al.
    /// 2017, "On Calibration of Modern Neural Networks").
    pub temperature: f32,
}

/// A verdict and the probability that it is based on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Calibrated probability of the positive class, 0 to 1; NaN if there is none.
    pub probability: f32,
    /// The verdict; Inconclusive inside the inconclusive band and without a probability.
    pub verdict: Verdict,
}

impl DecisionRule {
    /// Applies the rule to a logit margin (positive − negative). A margin that is not finite is
    /// [`Verdict::Inconclusive`].
    pub fn decide(&self, margin: f32) -> Decision {
        self.decide_log_odds(self.log_odds(margin))
    }

    /// The calibrated log-odds of a logit margin.
    pub fn log_odds(&self, margin: f32) -> f32 {
        (margin - self.offset) / self.temperature
    }

    /// Applies the rule to the calibrated log-odds of a field or a slide. Log-odds that are not finite
    /// are [`Verdict::Inconclusive`].
    pub fn decide_log_odds(&self, log_odds: f32) -> Decision {
        let probability = if log_odds.is_finite() {
            1.0 / (1.0 + (-log_odds).exp())
        } else {
            f32::NAN
        };
        let [low, high] = self.inconclusive;
        let is_outside_band = probability <= low || probability >= high;
        let verdict = if !is_outside_band {
            Verdict::Inconclusive
        } else if probability >= self.threshold {
            Verdict::Positive
        } else {
            Verdict::Negative
        };
        Decision {
            probability,
            verdict,
        }
    }

    /// Whether offset and temperature change the network's own probabilities.
    pub fn is_calibrated(&self) -> bool {
        self.offset != 0.0 || self.temperature.to_bits() != 1.0_f32.to_bits()
    }

    /// The probabilities that decide, in words.
    pub fn words(&self) -> String {
        let [low, high] = self.inconclusive;
        if low < high {
            format!("positive from {high:.3}, negative up to {low:.3}, inconclusive between")
        } else {
            format!("positive from {:.3}, negative below", self.threshold)
        }
    }

    /// Refuses invalid values.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            return Err(FieldError::invalid(
                "decision.threshold",
                format!("must be strictly between 0 and 1, it is {}", self.threshold),
            ));
        }
        let [low, high] = self.inconclusive;
        let is_ordered =
            0.0 <= low && low <= self.threshold && self.threshold <= high && high <= 1.0;
        if !is_ordered {
            return Err(FieldError::invalid(
                "decision.inconclusive",
                format!(
                    "must lie within 0 to 1 and contain the threshold {}, it is [{low}, {high}]",
                    self.threshold
                ),
            ));
        }
        if !self.offset.is_finite() {
            return Err(FieldError::invalid(
                "decision.offset",
                format!("must be a number, it is {}", self.offset),
            ));
        }
        check_positive("decision.temperature", self.temperature)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(offset: &f32) -> bool {
    *offset == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: DecisionRule = DecisionRule {
        threshold: 0.5,
        inconclusive: [0.25, 0.75],
        offset: 0.0,
        temperature: 2.0,
    };

    #[test]
    fn verdicts_follow_threshold_and_band() {
        // σ(±ln 3) = 3/4 and 1/4, so with temperature 2 the band ends at a margin of ±2 ln 3.
        let edge = 2.0 * 3.0_f32.ln();
        assert_eq!(RULE.decide(edge + 0.01).verdict, Verdict::Positive);
        assert_eq!(RULE.decide(edge - 0.01).verdict, Verdict::Inconclusive);
        assert_eq!(RULE.decide(0.0).verdict, Verdict::Inconclusive);
        assert_eq!(RULE.decide(0.01 - edge).verdict, Verdict::Inconclusive);
        assert_eq!(RULE.decide(-edge - 0.01).verdict, Verdict::Negative);
        assert!((RULE.decide(edge).probability - 0.75).abs() < 1e-6);
    }

    #[test]
    fn the_threshold_itself_is_positive_without_a_band() {
        let rule = DecisionRule {
            inconclusive: [0.5, 0.5],
            ..RULE
        };
        assert_eq!(rule.decide(0.0).verdict, Verdict::Positive);
        assert_eq!(rule.decide(-1e-3).verdict, Verdict::Negative);
    }

    #[test]
    fn the_offset_is_the_margin_of_one_half() {
        let rule = DecisionRule {
            offset: 1.5,
            ..RULE
        };
        assert!((rule.decide(1.5).probability - 0.5).abs() < 1e-6);
        // σ(ln 3) = 3/4, with temperature 2 around the offset.
        let edge = 1.5 + 2.0 * 3.0_f32.ln();
        assert!((rule.decide(edge).probability - 0.75).abs() < 1e-6);
    }

    #[test]
    fn a_rule_without_offset_is_read_and_written_without_it() {
        let text = "threshold = 0.5\ninconclusive = [0.25, 0.75]\ntemperature = 2.0\n";
        let rule: DecisionRule = toml::from_str(text).unwrap();
        assert_eq!(rule, RULE);
        assert_eq!(toml::to_string(&rule).unwrap(), text);
    }

    #[test]
    fn words_name_what_decides() {
        assert_eq!(
            RULE.words(),
            "positive from 0.750, negative up to 0.250, inconclusive between"
        );
        assert!(RULE.is_calibrated());
        let without_band = DecisionRule {
            threshold: 0.3,
            inconclusive: [0.3, 0.3],
            offset: 0.0,
            temperature: 1.0,
        };
        assert_eq!(without_band.words(), "positive from 0.300, negative below");
        assert!(!without_band.is_calibrated());
    }

    #[test]
    fn huge_margins_saturate() {
        let high = RULE.decide(f32::MAX);
        assert_eq!((high.probability, high.verdict), (1.0, Verdict::Positive));
        let low = RULE.decide(f32::MIN);
        assert_eq!((low.probability, low.verdict), (0.0, Verdict::Negative));
    }

    #[test]
    fn without_a_number_the_verdict_is_inconclusive() {
        for margin in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let decision = RULE.decide(margin);
            assert_eq!(decision.verdict, Verdict::Inconclusive);
            assert!(decision.probability.is_nan());
        }
        let broken = DecisionRule {
            temperature: f32::NAN,
            ..RULE
        };
        assert_eq!(broken.decide(1.0).verdict, Verdict::Inconclusive);
    }
}
