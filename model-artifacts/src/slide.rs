//! From the fields of view of a slide to its log-odds.

use serde::{Deserialize, Serialize};

/// How the fields of a slide become its verdict: the mean of their log-odds, none of which counts for
/// more than [`MOST_LOG_ODDS`], times how many independent fields they are worth, for even prior odds.
///
/// Fields of one slide come from one patient, one stain and one lamp, and err together. `n` fields
/// whose log-odds correlate by `ρ` are worth `n / (1 + (n − 1) ρ)` independent ones (design effect; Kish
/// 1965, "Survey Sampling").
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlideRule {
    /// Fewest fields that make a verdict, 1 and more.
    pub min_fields: u32,
    /// `ρ`, 0 (each field is a witness of its own) to 1 (all fields are one witness: they average out,
    /// and many are no surer than one).
    pub correlation: f32,
}

impl Default for SlideRule {
    /// One field is enough, and more never make it surer: what may be said where nothing about
    /// slides was measured.
    fn default() -> Self {
        Self {
            min_fields: 1,
            correlation: 1.0,
        }
    }
}

/// Largest log-odds of a field, either way: 99 to 1. A network is often surer than it may be, and one field
/// must not outvote a slide.
pub const MOST_LOG_ODDS: f32 = 4.595_12;

impl SlideRule {
    /// The slide's log-odds, of the calibrated ones of its fields; `None` if they are too few.
    pub fn combine(&self, log_odds: &[f32]) -> Option<f32> {
        let count = log_odds.len() as f32;
        if log_odds.is_empty() || log_odds.len() < self.min_fields as usize {
            return None;
        }
        let bounded = log_odds
            .iter()
            .map(|odds| odds.clamp(-MOST_LOG_ODDS, MOST_LOG_ODDS));
        let worth = count / (1.0 + (count - 1.0) * self.correlation);
        Some(worth * bounded.sum::<f32>() / count)
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
        // Three fields that correlate by a half are worth 3 / 2.
        assert_eq!(rule(1, 0.5).combine(&fields), Some(1.5));
        assert_eq!(SlideRule::default().combine(&[0.7]), Some(0.7));
    }

    #[test]
    fn no_field_outvotes_a_slide_however_sure_it_is() {
        let fields = [4.0, 4.0, 4.0, -80.0];
        let expected = (12.0 - 99.0_f32.ln()) / 4.0;
        let combined = SlideRule::default().combine(&fields).unwrap();
        assert!((combined - expected).abs() < 1e-4, "{combined}");
    }

    #[test]
    fn too_few_fields_say_nothing() {
        assert_eq!(rule(3, 0.0).combine(&[5.0, 5.0]), None);
        assert_eq!(rule(0, 0.0).combine(&[]), None);
        assert_eq!(SlideRule::default().combine(&[]), None);
    }
}
