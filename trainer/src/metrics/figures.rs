//! Figures of merit with their intervals.

use std::collections::BTreeMap;

use super::bootstrap::group_bootstrap;
use super::calibration_bins::calibration_error;
use super::class_weights::ClassWeights;
use super::judged::Judged;
use super::ranking::{auroc, average_precision, scores};

/// How [`figures`] judge probabilities, which are calibrated for even classes.
pub(crate) const AT_EVEN_CLASSES: &str =
    "Brier score and calibration error count both classes the same, however many images each has.";

/// Figures by name, each 0 to 1, without those that are undefined because a class is missing.
pub(crate) fn figures(judged: &[Judged]) -> BTreeMap<String, f64> {
    let share = |of: &dyn Fn(&Judged) -> bool, that: &dyn Fn(&Judged) -> bool| {
        let of: Vec<&Judged> = judged.iter().filter(|item| of(item)).collect();
        let hits = of.iter().filter(|item| that(item)).count();
        (!of.is_empty()).then(|| hits as f64 / of.len() as f64)
    };
    let weights = ClassWeights::balance(judged.iter().map(|item| item.positive));
    let squares = judged.iter().map(|item| {
        let error = f64::from(item.probability) - f64::from(u8::from(item.positive));
        weights.of(item.positive) * error.powi(2)
    });
    // Rounding must not exceed 1.
    let brier = (squares.sum::<f64>() / judged.len() as f64).min(1.0);
    let scores = scores(judged);
    [
        ("accuracy", share(&|_| true, &Judged::is_right)),
        (
            "sensitivity",
            share(&|item| item.positive, &Judged::is_right),
        ),
        (
            "specificity",
            share(&|item| !item.positive, &Judged::is_right),
        ),
        ("precision", share(&|item| item.called, &Judged::is_right)),
        ("auroc", auroc(&scores)),
        ("auprc", average_precision(&scores)),
        ("brier", (!judged.is_empty()).then_some(brier)),
        ("calibration_error", calibration_error(judged)),
        ("decided_share", share(&|_| true, &|item| item.decided)),
        (
            "decided_accuracy",
            share(&|item| item.decided, &Judged::is_right),
        ),
    ]
    .into_iter()
    .filter_map(|(name, figure)| Some((name.to_owned(), figure?)))
    .collect()
}

/// 95 % intervals of [`figures`] by groups of images; empty for a single group.
pub(crate) fn intervals(judged: &[Judged], seed: u64) -> BTreeMap<String, [f64; 2]> {
    group_bootstrap(judged, |item| item.group, figures, seed)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "fractions of small counts are exact")]
mod tests {
    use smearscope_artifacts::DecisionRule;

    use super::super::confusion::Confusion;
    use super::super::judged::Scored;
    use super::*;

    fn scored(items: &[(f32, bool)]) -> Vec<Scored> {
        items
            .iter()
            .enumerate()
            .map(|(group, &(margin, positive))| Scored {
                margin,
                positive,
                group,
            })
            .collect()
    }

    fn judged(items: &[Scored], rule: &DecisionRule) -> Vec<Judged> {
        items.iter().map(|item| Judged::by(rule, *item)).collect()
    }

    #[test]
    fn figures_follow_the_rule() {
        let rule = DecisionRule {
            threshold: 0.5,
            inconclusive: [0.25, 0.75],
            offset: 0.0,
            temperature: 1.0,
        };
        let items = scored(&[(3.0, true), (0.5, true), (-3.0, true), (-3.0, false)]);
        let judged = judged(&items, &rule);
        let expected = Confusion {
            true_positives: 2,
            false_negatives: 1,
            true_negatives: 1,
            false_positives: 0,
        };
        assert_eq!(Confusion::of(&judged), expected);
        let figures = figures(&judged);
        assert_eq!(figures["accuracy"], 0.75);
        assert_eq!(figures["sensitivity"], 2.0 / 3.0);
        assert_eq!(figures["specificity"], 1.0);
        assert_eq!(figures["precision"], 1.0);
        assert_eq!(figures["decided_share"], 0.75);
        assert_eq!(figures["decided_accuracy"], 2.0 / 3.0);
    }

    const PLAIN: DecisionRule = DecisionRule {
        threshold: 0.5,
        inconclusive: [0.2, 0.8],
        offset: 0.0,
        temperature: 1.3,
    };

    #[test]
    fn calibrated_probabilities_are_judged_at_even_classes() {
        // Nine in ten images with a margin of ln 9 are positive, where classes are even.
        let margin = 1.3 * 9.0_f32.ln();
        let even: Vec<(f32, bool)> = (0..20)
            .map(|number| {
                let positive = number < 10;
                let is_usual = number % 10 > 0;
                (
                    if positive == is_usual {
                        margin
                    } else {
                        -margin
                    },
                    positive,
                )
            })
            .collect();
        let positives = even.iter().filter(|item| item.1);
        // Three times as many positive images.
        let skewed: Vec<(f32, bool)> = positives
            .clone()
            .chain(positives)
            .chain(&even)
            .copied()
            .collect();
        for items in [even, skewed] {
            let figures = figures(&judged(&scored(&items), &PLAIN));
            assert!(figures["calibration_error"] < 1e-6, "{figures:?}");
            // 0.9 · 0.1² + 0.1 · 0.9².
            assert!((figures["brier"] - 0.09).abs() < 1e-6, "{figures:?}");
        }
        // Nothing is worse than 1, also after rounding.
        let wrong: Vec<(f32, bool)> = (0..49)
            .map(|number| (if number < 30 { -1e9 } else { 1e9 }, number < 30))
            .collect();
        let figures = figures(&judged(&scored(&wrong), &PLAIN));
        for name in ["brier", "calibration_error"] {
            assert!((0.999..=1.0).contains(&figures[name]), "{figures:?}");
        }
    }

    /// Whether the accuracy of 100 items, of which 80 are right, has this half width.
    fn assert_half_width(group_size: usize, expected: f64) {
        let items: Vec<Scored> = (0..100)
            .map(|number| Scored {
                margin: 2.0,
                positive: number < 80,
                group: number / group_size,
            })
            .collect();
        let [low, high] = intervals(&judged(&items, &PLAIN), 1)["accuracy"];
        assert!(low < 0.8 && 0.8 < high, "{low} {high}");
        let half_width = (high - low) / 2.0;
        assert!(
            (half_width - expected).abs() < 0.1 * expected,
            "{half_width}"
        );
    }

    #[test]
    fn intervals_widen_with_fewer_groups() {
        // Normal approximation: 1.96 √(p (1 − p) / groups); a tenth for a thousand resamples of
        // steps of 0.01 and 0.1.
        assert_half_width(1, 1.96 * (0.16_f64 / 100.0).sqrt());
        assert_half_width(10, 1.96 * (0.16_f64 / 10.0).sqrt());
        let alone = scored(&[(1.0, true)]);
        assert_eq!(intervals(&judged(&alone, &PLAIN), 1), BTreeMap::new());
    }
}
