//! Figures of merit of probabilities against labels.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use smearscope_artifacts::{DecisionRule, Verdict};

/// A logit margin (positive − negative) with the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub(crate) margin: f32,
    pub(crate) positive: bool,
    /// Images of one group are no independent witnesses.
    pub(crate) group: usize,
}

/// What a decision rule makes of a margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judged {
    /// The calibrated margin, `logit(probability)`.
    pub(crate) logit: f32,
    pub(crate) probability: f32,
    /// Whether the probability reaches the threshold.
    pub(crate) called: bool,
    /// Whether it lies outside the inconclusive band.
    pub(crate) decided: bool,
    pub(crate) positive: bool,
    pub(crate) group: usize,
}

impl Judged {
    pub(crate) fn by(rule: &DecisionRule, scored: Scored) -> Self {
        let Scored {
            margin,
            positive,
            group,
        } = scored;
        let decision = rule.decide(margin);
        Self {
            logit: margin / rule.temperature,
            probability: decision.probability,
            called: decision.probability >= rule.threshold,
            decided: decision.verdict != Verdict::Inconclusive,
            positive,
            group,
        }
    }

    pub(crate) fn is_right(&self) -> bool {
        self.called == self.positive
    }
}

/// How often which truth got which call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Confusion {
    pub(crate) true_positives: usize,
    pub(crate) false_negatives: usize,
    pub(crate) true_negatives: usize,
    pub(crate) false_positives: usize,
}

impl Confusion {
    pub(crate) fn of<'a>(judged: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut confusion = Self::default();
        for item in judged {
            let cell = match (item.positive, item.called) {
                (true, true) => &mut confusion.true_positives,
                (true, false) => &mut confusion.false_negatives,
                (false, false) => &mut confusion.true_negatives,
                (false, true) => &mut confusion.false_positives,
            };
            *cell += 1;
        }
        confusion
    }
}

/// Bins of the calibration error, of equal width from probability 0 to 1.
pub(crate) const BINS: usize = 10;
/// Begins the name of each figure that images which were trained on have a part in.
const LEAKY: &str = "leaky_";

/// The name of what holds figures, so that no one can quote them without saying that they are leaky, if
/// they are.
pub(crate) fn key(name: &str, leaky: bool) -> String {
    let word = if leaky { LEAKY } else { "" };
    format!("{word}{name}")
}

/// Figures that no one can quote without saying that they are leaky, if they are.
pub(crate) fn named<T>(figures: BTreeMap<String, T>, leaky: bool) -> BTreeMap<String, T> {
    let figures = figures.into_iter();
    figures
        .map(|(name, figure)| (key(&name, leaky), figure))
        .collect()
}

/// What to write before other numbers beside these figures.
pub(crate) fn leaky_word<T>(figures: &BTreeMap<String, T>) -> &'static str {
    if figures.keys().any(|name| name.starts_with(LEAKY)) {
        "leaky "
    } else {
        ""
    }
}

/// Resamples of the bootstrap.
const RESAMPLES: usize = 1000;

/// Figures by name, each 0 to 1. Those that do not exist for want of a class are left out.
pub(crate) fn figures(judged: &[Judged]) -> BTreeMap<String, f64> {
    let share = |of: &dyn Fn(&Judged) -> bool, that: &dyn Fn(&Judged) -> bool| {
        let of: Vec<&Judged> = judged.iter().filter(|item| of(item)).collect();
        let hits = of.iter().filter(|item| that(item)).count();
        (!of.is_empty()).then(|| hits as f64 / of.len() as f64)
    };
    let squares = judged
        .iter()
        .map(|item| (f64::from(item.probability) - f64::from(u8::from(item.positive))).powi(2));
    let brier = squares.sum::<f64>() / judged.len() as f64;
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

/// 95 % intervals of [`figures`]: percentiles over resamples of whole groups (Efron and Tibshirani
/// 1993, chapters 8 and 13). Of a single group nothing can be said.
pub(crate) fn intervals(judged: &[Judged], seed: u64) -> BTreeMap<String, [f64; 2]> {
    let mut by_group: BTreeMap<usize, Vec<Judged>> = BTreeMap::new();
    for item in judged {
        by_group.entry(item.group).or_default().push(*item);
    }
    let groups: Vec<Vec<Judged>> = by_group.into_values().collect();
    if groups.len() < 2 {
        return BTreeMap::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..RESAMPLES {
        let resample: Vec<Judged> = (0..groups.len())
            .flat_map(|_| groups[rng.random_range(0..groups.len())].iter().copied())
            .collect();
        for (name, figure) in figures(&resample) {
            drawn.entry(name).or_default().push(figure);
        }
    }
    drawn
        .into_iter()
        .map(|(name, mut values)| {
            values.sort_by(f64::total_cmp);
            let at = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
            (name, [at(0.025), at(0.975)])
        })
        .collect()
}

/// What curves and areas are made of.
pub(crate) fn scores(judged: &[Judged]) -> Vec<(f32, bool)> {
    judged.iter().map(|j| (j.logit, j.positive)).collect()
}

/// From the lowest score to the highest.
pub(crate) fn ordered(scores: &[(f32, bool)]) -> Vec<(f32, bool)> {
    let mut ordered = scores.to_vec();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    ordered
}

/// Equal scores together. Zero has two signs, which are equal.
#[expect(clippy::float_cmp, reason = "a tie is equality")]
pub(crate) fn ties(ordered: &[(f32, bool)]) -> impl DoubleEndedIterator<Item = &[(f32, bool)]> {
    ordered.chunk_by(|a, b| a.0 == b.0)
}

pub(crate) fn positives(scores: &[(f32, bool)]) -> usize {
    scores.iter().filter(|(_, positive)| *positive).count()
}

/// Area under the precision–recall curve as a sum of steps: the mean precision at each positive,
/// ties counted together.
fn average_precision(scores: &[(f32, bool)]) -> Option<f64> {
    let all = positives(scores);
    if all == 0 {
        return None;
    }
    let (mut called, mut found, mut area) = (0, 0, 0.0);
    for tied in ties(&ordered(scores)).rev() {
        let more = positives(tied);
        called += tied.len();
        found += more;
        area += more as f64 / all as f64 * found as f64 / called as f64;
    }
    Some(area)
}

/// Images whose probabilities are close to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Bin {
    pub(crate) images: usize,
    pub(crate) positives: usize,
    /// Sum of the probabilities.
    pub(crate) expected: f64,
}

/// The bins of a reliability diagram, from the lowest probability to the highest.
pub(crate) fn bins(judged: &[Judged]) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for item in judged {
        let probability = f64::from(item.probability);
        let bin = &mut bins[((probability * BINS as f64) as usize).min(BINS - 1)];
        bin.images += 1;
        bin.positives += usize::from(item.positive);
        bin.expected += probability;
    }
    bins
}

/// Expected calibration error (Naeini et al. 2015) of the positive class: how far the probability is
/// from the share of positives, on average over bins of equal width.
fn calibration_error(judged: &[Judged]) -> Option<f64> {
    let total: f64 = bins(judged)
        .iter()
        .map(|bin| (bin.expected - bin.positives as f64).abs())
        .sum();
    (!judged.is_empty()).then(|| total / judged.len() as f64)
}

/// Area under the ROC curve: the chance that a positive scores above a negative, ties counting
/// half (the Mann–Whitney statistic).
pub(crate) fn auroc(scores: &[(f32, bool)]) -> Option<f64> {
    let all = positives(scores);
    let negatives = scores.len() - all;
    if all == 0 || negatives == 0 {
        return None;
    }
    let mut wins = 0.0;
    let mut negatives_below = 0;
    for tied in ties(&ordered(scores)) {
        let tied_positives = positives(tied);
        let tied_negatives = tied.len() - tied_positives;
        wins += tied_positives as f64 * (negatives_below as f64 + 0.5 * tied_negatives as f64);
        negatives_below += tied_negatives;
    }
    Some(wins / (all as f64 * negatives as f64))
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

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "fractions of small counts are exact")]
mod tests {
    use super::*;
    use crate::test_peer::python;

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
    fn auroc_counts_pairs() {
        // Of the six pairs, positives win four and tie one.
        let items = [
            (2.0, true),
            (1.0, true),
            (-1.0, true),
            (1.0, false),
            (-2.0, false),
        ];
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

    #[test]
    fn log_loss_is_finite_for_huge_margins() {
        assert_eq!(log_loss(&scored(&[(1e30, true)]), 1.0), 0.0);
        assert!(log_loss(&scored(&[(-1e30, true)]), 1.0) > 1e29);
    }

    const PLAIN: DecisionRule = DecisionRule {
        threshold: 0.5,
        inconclusive: [0.2, 0.8],
        temperature: 1.3,
    };

    #[test]
    fn figures_are_those_of_scikit_learn() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let items: Vec<Scored> = (0..400)
            .map(|group| {
                let positive = rng.random_bool(0.4);
                // Rounded, so that there are ties; shifted, so that none lies on the edge of a bin,
                // which scikit-learn counts to the one below.
                let noise: f32 = rng.random_range(-4.0..4.0);
                let margin =
                    ((noise + if positive { 1.0 } else { -1.0 }) * 8.0).round() / 8.0 + 0.01;
                Scored {
                    margin,
                    positive,
                    group,
                }
            })
            .collect();
        let rows: Vec<(f32, bool)> = items
            .iter()
            .map(|item| (PLAIN.decide(item.margin).probability, item.positive))
            .collect();
        let Some(answer) = python(
            "metrics_reference.py",
            &serde_json::to_string(&rows).unwrap(),
        ) else {
            return;
        };
        let expected: BTreeMap<String, f64> = serde_json::from_str(&answer).unwrap();
        let found = figures(&judged(&items, &PLAIN));
        for (name, value) in &expected {
            // Both sum 400 terms in f64, in another order.
            assert!(
                (found[name] - value).abs() < 1e-9,
                "{name}: {} {value}",
                found[name]
            );
        }
        assert_eq!(expected.len(), 8);
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
    fn intervals_are_as_wide_as_the_groups_are_few() {
        // Normal approximation: 1.96 √(p (1 − p) / groups); a tenth for a thousand resamples of
        // steps of 0.01 and 0.1.
        assert_half_width(1, 1.96 * (0.16_f64 / 100.0).sqrt());
        assert_half_width(10, 1.96 * (0.16_f64 / 10.0).sqrt());
        let alone = scored(&[(1.0, true)]);
        assert_eq!(intervals(&judged(&alone, &PLAIN), 1), BTreeMap::new());
    }
}
