//! From the fields of view of a slide to one margin.

use serde::{Deserialize, Serialize};

/// How the fields of a slide become its verdict: the mean of their log-odds, times how many independent
/// fields they are worth, for even prior odds.
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

impl SlideRule {
    /// The slide's logit margin of those of its fields; `None` if they are too few.
    pub fn combine(&self, margins: &[f32]) -> Option<f32> {
        let count = margins.len() as f32;
        if margins.is_empty() || margins.len() < self.min_fields as usize {
            return None;
        }
        let worth = count / (1.0 + (count - 1.0) * self.correlation);
        Some(worth * margins.iter().sum::<f32>() / count)
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
        let margins = [1.0, 3.0, -1.0];
        assert_eq!(rule(1, 0.0).combine(&margins), Some(3.0));
        assert_eq!(rule(1, 1.0).combine(&margins), Some(1.0));
        // Three fields that correlate by a half are worth 3 / 2.
        assert_eq!(rule(1, 0.5).combine(&margins), Some(1.5));
        assert_eq!(SlideRule::default().combine(&[0.7]), Some(0.7));
    }

    #[test]
    fn too_few_fields_say_nothing() {
        assert_eq!(rule(3, 0.0).combine(&[5.0, 5.0]), None);
        assert_eq!(rule(0, 0.0).combine(&[]), None);
        assert_eq!(SlideRule::default().combine(&[]), None);
    }
}
