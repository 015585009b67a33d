//! Figures of merit of probabilities against labels.

use std::collections::BTreeMap;

use smearscope_artifacts::{Call, DecisionRule};

/// A logit margin (positive − negative) with the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub(crate) margin: f32,
    pub(crate) positive: bool,
}

/// Figures by name, each 0 to 1. Those that do not exist for want of a class are left out.
pub(crate) fn figures(scored: &[Scored], rule: &DecisionRule) -> BTreeMap<String, f64> {
    let share = |of: &dyn Fn(&Scored) -> bool, that: &dyn Fn(&Scored) -> bool| {
        let all = scored.iter().filter(|item| of(item)).count();
        let some = scored.iter().filter(|item| of(item) && that(item)).count();
        (all > 0).then(|| some as f64 / all as f64)
    };
    let probability = |item: &Scored| f64::from(rule.decide(item.margin).probability);
    let right = |item: &Scored| (probability(item) >= f64::from(rule.threshold)) == item.positive;
    let decided = |item: &Scored| rule.decide(item.margin).call != Call::Undecided;
    let brier = scored
        .iter()
        .map(|item| (probability(item) - f64::from(u8::from(item.positive))).powi(2))
        .sum::<f64>()
        / scored.len() as f64;
    [
        ("accuracy", share(&|_| true, &right)),
        ("sensitivity", share(&|item| item.positive, &right)),
        ("specificity", share(&|item| !item.positive, &right)),
        ("auroc", auroc(scored)),
        ("brier", (!scored.is_empty()).then_some(brier)),
        ("decided_share", share(&|_| true, &decided)),
        ("decided_accuracy", share(&decided, &right)),
    ]
    .into_iter()
    .filter_map(|(name, figure)| Some((name.to_owned(), figure?)))
    .collect()
}

/// Area under the ROC curve: the chance that a positive scores above a negative, ties counting
/// half (the Mann–Whitney statistic).
pub(crate) fn auroc(scored: &[Scored]) -> Option<f64> {
    let mut ordered = scored.to_vec();
    ordered.sort_by(|a, b| a.margin.total_cmp(&b.margin));
    let positives = ordered.iter().filter(|item| item.positive).count();
    let negatives = ordered.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut wins = 0.0;
    let mut negatives_below = 0;
    for tied in ordered.chunk_by(|a, b| a.margin.total_cmp(&b.margin).is_eq()) {
        let tied_positives = tied.iter().filter(|item| item.positive).count();
        let tied_negatives = tied.len() - tied_positives;
        wins += tied_positives as f64 * (negatives_below as f64 + 0.5 * tied_negatives as f64);
        negatives_below += tied_negatives;
    }
    Some(wins / (positives as f64 * negatives as f64))
}

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

/// The temperature that makes the labels most likely (Guo et al. 2017, "On Calibration of Modern
/// Neural Networks"). Never below 1: to make verdicts bolder than the network itself takes more
/// evidence than a few images that it happens to get right.
pub(crate) fn fit_temperature(scored: &[Scored]) -> f32 {
    const HOTTEST: f64 = 20.0;
    const STEPS: usize = 60;
    // Golden-section search: the loss is convex in 1/temperature.
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (HOTTEST.recip(), 1.0);
    for _ in 0..STEPS {
        let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
        if log_loss(scored, left.recip()) < log_loss(scored, right.recip()) {
            high = right;
        } else {
            low = left;
        }
    }
    (0.5 * (low + high)).recip() as f32
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "fractions of small counts are exact")]
mod tests {
    use super::*;

    fn scored(items: &[(f32, bool)]) -> Vec<Scored> {
        items
            .iter()
            .map(|&(margin, positive)| Scored { margin, positive })
            .collect()
    }

    #[test]
    fn auroc_counts_pairs() {
        // Of the six pairs, positives win four and tie one.
        let items = scored(&[
            (2.0, true),
            (1.0, true),
            (-1.0, true),
            (1.0, false),
            (-2.0, false),
        ]);
        assert_eq!(auroc(&items), Some(4.5 / 6.0));
        assert_eq!(auroc(&items[..3]), None);
    }

    #[test]
    fn figures_follow_the_rule() {
        let rule = DecisionRule {
            threshold: 0.5,
            inconclusive: [0.25, 0.75],
            temperature: 1.0,
        };
        let items = scored(&[(3.0, true), (0.5, true), (-3.0, true), (-3.0, false)]);
        let figures = figures(&items, &rule);
        assert_eq!(figures["accuracy"], 0.75);
        assert_eq!(figures["sensitivity"], 2.0 / 3.0);
        assert_eq!(figures["specificity"], 1.0);
        assert_eq!(figures["decided_share"], 0.75);
        assert_eq!(figures["decided_accuracy"], 2.0 / 3.0);
    }

    #[test]
    fn temperature_undoes_overconfidence() {
        // Right nine times in ten: the honest margin is ln 9, and these claim five times that.
        let claimed = 5.0 * 9.0_f32.ln();
        let items: Vec<Scored> = (0..100)
            .map(|number| Scored {
                margin: if number % 10 == 0 { -claimed } else { claimed },
                positive: true,
            })
            .collect();
        assert!((fit_temperature(&items) - 5.0).abs() < 0.01);
    }

    #[test]
    fn temperature_never_sharpens() {
        let timid = scored(&[(0.1, true), (-0.1, false)]);
        assert!((fit_temperature(&timid) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn log_loss_is_finite_for_huge_margins() {
        assert_eq!(log_loss(&scored(&[(1e30, true)]), 1.0), 0.0);
        assert!(log_loss(&scored(&[(-1e30, true)]), 1.0) > 1e29);
    }
}
