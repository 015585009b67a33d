//! Cross-entropy of scores.

use super::judged::Scored;

/// Mean negative log-likelihood of the labels at a temperature.
pub(crate) fn log_loss(scored: &[Scored], temperature: f64) -> f64 {
    let total: f64 = scored
        .iter()
        .map(|item| {
            let margin = f64::from(item.margin) / temperature;
            let towards_truth = if item.positive { margin } else { -margin };
            // ln(1 + e^-x) without overflow.
            (-towards_truth.abs()).exp().ln_1p() + (-towards_truth).max(0.0)
        })
        .sum();
    total / scored.len() as f64
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
        log_loss(&[scored], 1.0)
    }

    #[test]
    fn huge_margins_give_finite_losses() {
        assert_eq!(loss(1e30), 0.0);
        assert!(loss(-1e30) > 1e29);
    }
}
