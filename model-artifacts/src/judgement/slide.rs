//! From the fields of a slide to the slide's log-odds.

use serde::{Deserialize, Serialize};

use crate::validation::{FieldError, check_between};

/// Largest number of fields that a rule may require.
const MAX_MIN_FIELDS: u32 = 1000;

/// Largest log-odds with which a field counts, either way: 99 to 1. Networks are often overconfident,
/// and one field must not outvote a slide.
pub const MAX_LOG_ODDS: f32 = 4.595_12;

/// How the fields of a slide become the slide's log-odds: the mean of the fields' log-odds, each
/// clamped to ±[`MAX_LOG_ODDS`], times the effective number of independent fields, for even prior odds.
///
/// Fields of one slide share patient, stain and lamp, so their errors correlate. `n` fields whose
/// log-odds have the correlation `ρ` count as `n / (1 + (n − 1) ρ)` independent fields (design effect;
/// Kish 1965, "Survey Sampling").
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlideRule {
    /// Smallest number of fields for a verdict, 1 to 1000.
    pub min_fields: u32,
    /// The correlation `ρ`, from 0 (fields are independent, and their log-odds add up) to 1 (fields
    /// are copies of each other, and their log-odds average).
    pub correlation: f32,
}

impl Default for SlideRule {
    /// One field is enough, and more fields do not increase the certainty: the safe assumption as long
    /// as no slides were measured.
    fn default() -> Self {
        Self {
            min_fields: 1,
            correlation: 1.0,
        }
    }
}

impl SlideRule {
    /// The slide's log-odds from the calibrated log-odds of its fields; `None` if there are fewer than
    /// [`SlideRule::min_fields`] fields.
    pub fn combine(&self, log_odds: &[f32]) -> Option<f32> {
        let count = log_odds.len() as f32;
        if log_odds.is_empty() || log_odds.len() < self.min_fields as usize {
            return None;
        }
        let bounded = log_odds
            .iter()
            .map(|odds| odds.clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS));
        let effective_count = count / (1.0 + (count - 1.0) * self.correlation);
        Some(effective_count * bounded.sum::<f32>() / count)
    }

    /// Refuses invalid values.
    pub(crate) fn check(self) -> Result<(), FieldError> {
        check_between("slide.min_fields", self.min_fields, 1..=MAX_MIN_FIELDS)?;
        check_between("slide.correlation", self.correlation, 0.0..=1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(min_fields: u32, correlation: f32) -> SlideRule {
        SlideRule {
            min_fields,
            correlation,
        }
    }

    #[test]
    fn independent_fields_add_up_and_copies_average() {
        let fields = [1.0, 3.0, -1.0];
        assert_eq!(rule(1, 0.0).combine(&fields), Some(3.0));
        assert_eq!(rule(1, 1.0).combine(&fields), Some(1.0));
        // Three fields that correlate by a half count as 3 / 2.
        assert_eq!(rule(1, 0.5).combine(&fields), Some(1.5));
        assert_eq!(SlideRule::default().combine(&[0.7]), Some(0.7));
    }

    #[test]
    fn no_field_outvotes_a_slide() {
        let fields = [4.0, 4.0, 4.0, -80.0];
        let expected = (12.0 - 99.0_f32.ln()) / 4.0;
        let combined = SlideRule::default().combine(&fields).unwrap();
        assert!((combined - expected).abs() < 1e-4, "{combined}");
    }

    #[test]
    fn too_few_fields_have_no_log_odds() {
        assert_eq!(rule(3, 0.0).combine(&[5.0, 5.0]), None);
        assert_eq!(rule(0, 0.0).combine(&[]), None);
        assert_eq!(SlideRule::default().combine(&[]), None);
    }
}
