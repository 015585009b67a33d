//! Cross-entropy of scores.

use super::class_weights::ClassWeights;
use super::judged::Scored;

/// Mean negative log-likelihood of the labels, times the weight of each class.
pub(crate) fn log_loss(scored: &[Scored], weights: ClassWeights) -> f64 {
    let losses = scored
        .iter()
        .map(|item| weights.of(item.positive) * cross_entropy(item.margin.into(), item.positive));
    losses.sum::<f64>() / scored.len() as f64
}

/// Negative log-likelihood of a label, given the log-odds of the positive class.
pub(crate) fn cross_entropy(log_odds: f64, positive: bool) -> f64 {
    let towards_truth = if positive { log_odds } else { -log_odds };
    // ln(1 + e^-x) without overflow.
    (-towards_truth.abs()).exp().ln_1p() + (-towards_truth).max(0.0)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "a loss of zero is exact")]
mod tests {
    use super::*;

    fn loss(margin: f32) -> f64 {
        let scored = Scored {
            margin,
            positive: true,
            group: 0,
        };
        log_loss(&[scored], ClassWeights::EVEN)
    }

    #[test]
    fn huge_margins_give_finite_losses() {
        assert_eq!(loss(1e30), 0.0);
        assert!(loss(-1e30) > 1e29);
    }
}
