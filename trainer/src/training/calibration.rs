//! The decision rule that held-out margins support.

use clap::Args;
use smearscope_artifacts::DecisionRule;

use crate::arguments;
use crate::metrics::{ClassWeights, Scored, cross_entropy, ordered, ties};

/// What verdicts must achieve on held-out images.
#[derive(Debug, Clone, Copy, PartialEq, Args)]
pub(crate) struct Targets {
    /// Share of positive images whose probability must reach the decision threshold
    #[arg(long, default_value_t = 0.95, value_parser = arguments::target)]
    pub(crate) sensitivity: f64,
    /// Share of positive, and of negative, verdicts that must be right where both classes are as
    /// frequent; images are left inconclusive until it is reached
    #[arg(long, default_value_t = 0.95, value_parser = arguments::target)]
    pub(crate) accuracy: f64,
}

/// An image that is more likely positive than not is never called negative.
const MAX_THRESHOLD: f32 = 0.5;
const MIN_THRESHOLD: f32 = 1e-6;
/// The inconclusive band always covers these probabilities: chance alone can separate a few images.
const MIN_BAND: [f32; 2] = [0.2, 0.8];

/// Fits offset and temperature, threshold and inconclusive band, one after the other.
///
/// Both classes weigh the same, in the calibration and in the accuracy of verdicts, however many images
/// each has: a probability of one half means even odds where half of the fields are positive, and not
/// at the share of positives that the images happen to have.
///
/// The threshold is the highest one up to one half that reaches the target sensitivity. The band is
/// then widened until positive and negative verdicts each reach the target accuracy; a class that
/// never reaches it gets no verdicts at all.
pub(crate) fn fit_rule(scored: &[Scored], targets: Targets) -> DecisionRule {
    let (offset, temperature) = calibrate(scored);
    let mut rule = DecisionRule {
        threshold: MAX_THRESHOLD,
        inconclusive: MIN_BAND,
        offset,
        temperature,
    };
    let mut positives: Vec<f32> = scored
        .iter()
        .filter(|item| item.positive)
        .map(|item| rule.decide(item.margin).probability)
        .collect();
    positives.sort_by(|a, b| b.total_cmp(a));
    let reached = (targets.sensitivity * positives.len() as f64).ceil() as usize;
    if let Some(lowest) = positives.get(reached.saturating_sub(1)) {
        rule.threshold = lowest.clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    }

    let margin = |probability: f32| offset + temperature * (probability / (1.0 - probability)).ln();
    let [low, high] = [
        rule.threshold.min(MIN_BAND[0]),
        rule.threshold.max(MIN_BAND[1]),
    ];
    let below: Vec<(f32, bool)> = scored.iter().map(|s| (s.margin, !s.positive)).collect();
    let above: Vec<(f32, bool)> = scored.iter().map(|s| (-s.margin, s.positive)).collect();
    let weights = class_weights(scored);
    let [negative, positive] = [false, true].map(|positive| weights.of(positive));
    let share = targets.accuracy;
    rule.inconclusive = [
        match longest_accurate_run(&below, [positive, negative], margin(low), share) {
            None => 0.0,
            Some(Run::All) => low,
            Some(Run::UpTo(bound)) => rule.decide(bound).probability.min(low),
        },
        match longest_accurate_run(&above, [negative, positive], -margin(high), share) {
            None => 1.0,
            Some(Run::All) => high,
            Some(Run::UpTo(bound)) => rule.decide(-bound).probability.max(high),
        },
    ];
    rule
}

/// A run of scores from the lowest one on.
enum Run {
    All,
    UpTo(f32),
}

/// The longest run of scores up to `limit` of which at least this share is right, where a wrong and a
/// right one have these weights.
fn longest_accurate_run(
    scores: &[(f32, bool)],
    [wrong_weight, right_weight]: [f64; 2],
    limit: f32,
    share: f64,
) -> Option<Run> {
    let (mut seen, mut right) = (0, 0);
    let mut longest = None;
    for tied in ties(&ordered(scores)) {
        let score = tied[0].0;
        if score > limit {
            break;
        }
        seen += tied.len();
        right += tied.iter().filter(|(_, is_right)| *is_right).count();
        let wrong_part = (seen - right) as f64 * wrong_weight;
        let right_part = right as f64 * right_weight;
        if right_part >= share * (right_part + wrong_part) {
            longest = Some((seen, score));
        }
    }
    longest.map(|(length, score)| {
        if length == seen {
            Run::All
        } else {
            Run::UpTo(score)
        }
    })
}

fn class_weights(scored: &[Scored]) -> ClassWeights {
    ClassWeights::balance(scored.iter().map(|item| item.positive))
}

/// The offset and the temperature that make the labels most likely (Platt 1999; the temperature alone:
/// Guo et al. 2017, "On Calibration of Modern Neural Networks"), with the same weight for both classes.
/// The temperature is at least 1: a few correct images are too little evidence to make verdicts more
/// confident than the network. The offset is 0 if a class is missing.
fn calibrate(scored: &[Scored]) -> (f32, f32) {
    const MAX_TEMPERATURE: f64 = 20.0;
    let is_present = |positive: bool| scored.iter().any(|item| item.positive == positive);
    let has_both = is_present(true) && is_present(false);
    let weights = class_weights(scored);
    let loss = |offset: f64, sharpness: f64| -> f64 {
        scored
            .iter()
            .map(|item| {
                let log_odds = (f64::from(item.margin) - offset) * sharpness;
                weights.of(item.positive) * cross_entropy(log_odds, item.positive)
            })
            .sum()
    };
    let finite = scored.iter().map(|item| f64::from(item.margin));
    let (low, high) = finite
        .filter(|margin| margin.is_finite())
        .fold((0.0_f64, 0.0_f64), |(low, high), margin| {
            (low.min(margin), high.max(margin))
        });
    let offset_at = |sharpness: f64| {
        if has_both {
            minimum(low, high, |offset| loss(offset, sharpness))
        } else {
            0.0
        }
    };
    // The loss is convex in 1/temperature and offset/temperature, so its minimum over the offset is
    // convex in 1/temperature.
    let sharpness = minimum(MAX_TEMPERATURE.recip(), 1.0, |sharpness| {
        loss(offset_at(sharpness), sharpness)
    });
    (offset_at(sharpness) as f32, sharpness.recip() as f32)
}

/// Where a convex function is smallest between two bounds, by golden-section search.
pub(super) fn minimum(mut low: f64, mut high: f64, value: impl Fn(f64) -> f64) -> f64 {
    // Narrows the bounds to 4e-9 of their distance.
    const STEPS: usize = 40;
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (value(left), value(right));
    for _ in 0..STEPS {
        if at_left < at_right {
            high = right;
            (right, at_right) = (left, at_left);
            left = high - ratio * (high - low);
            at_left = value(left);
        } else {
            low = left;
            (left, at_left) = (right, at_right);
            right = low + ratio * (high - low);
            at_right = value(right);
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the narrowest band is a constant")]
mod tests {
    use super::*;
    use crate::metrics::{Judged, figures};

    const TARGETS: Targets = Targets {
        sensitivity: 0.95,
        accuracy: 0.97,
    };

    fn scored(items: impl IntoIterator<Item = (f32, bool)>) -> Vec<Scored> {
        items
            .into_iter()
            .map(|(margin, positive)| Scored {
                margin,
                positive,
                group: 0,
            })
            .collect()
    }

    #[test]
    fn the_temperature_corrects_overconfidence() {
        // Right nine times in ten: the honest margin is ln 9, and these claim five times that.
        let claimed = 5.0 * 9.0_f32.ln();
        let items = scored(
            (0..100).map(|number| (if number % 10 == 0 { -claimed } else { claimed }, true)),
        );
        let (offset, temperature) = calibrate(&items);
        assert!(offset.abs() < 1e-6 && (temperature - 5.0).abs() < 0.01);
    }

    #[test]
    fn the_temperature_is_at_least_1() {
        let timid = scored([(0.1, true), (-0.1, false)]);
        assert!((calibrate(&timid).1 - 1.0).abs() < 1e-3);
    }

    /// Up to nine in ten images are of one class, and the network has learned that: all its margins are
    /// moved by the odds. The rule judges as with even classes.
    #[test]
    fn the_share_of_positives_does_not_move_the_verdicts() {
        let even = honest(20);
        let balanced = fit_rule(&even, TARGETS);
        assert!(balanced.offset.abs() < 0.02, "{balanced:?}");
        for (times, frequent) in [(3_u8, true), (9, true), (3, false), (9, false)] {
            let odds = f32::from(times).ln() * if frequent { 1.0 } else { -1.0 };
            let skewed: Vec<Scored> = even
                .iter()
                .flat_map(|item| {
                    let copies = if item.positive == frequent { times } else { 1 };
                    (0..copies).map(move |_| Scored {
                        margin: item.margin + odds,
                        ..*item
                    })
                })
                .collect();
            let shifted = fit_rule(&skewed, TARGETS);
            let moved = [
                shifted.offset - odds - balanced.offset,
                shifted.temperature - balanced.temperature,
                shifted.threshold - balanced.threshold,
                shifted.inconclusive[0] - balanced.inconclusive[0],
                shifted.inconclusive[1] - balanced.inconclusive[1],
            ];
            assert!(
                moved.iter().all(|by| by.abs() < 1e-3),
                "{times} {frequent}: {balanced:?} {shifted:?}"
            );
            for item in &even {
                let margin = item.margin + odds;
                let verdicts = [balanced.decide(item.margin), shifted.decide(margin)];
                assert_eq!(verdicts[0].verdict, verdicts[1].verdict, "{margin}");
            }
        }
    }

    /// Images at each margin, of which as many are positive as the margin says.
    fn honest(images: u8) -> Vec<Scored> {
        scored((-50_i8..=50).flat_map(|tenths| {
            let margin = f32::from(tenths) / 10.0;
            let positives = (f32::from(images) / (1.0 + (-margin).exp())).round() as u8;
            (0..images).map(move |number| (margin, number < positives))
        }))
    }

    #[test]
    fn targets_are_reached_with_the_narrowest_band() {
        let items = honest(100);
        let rule = fit_rule(&items, TARGETS);
        let judged: Vec<Judged> = items.iter().map(|item| Judged::by(&rule, *item)).collect();
        // A margin more or less is half a percent of the positives, and of a verdict's images.
        let sensitivity = figures(&judged)["sensitivity"];
        assert!((0.95..0.955).contains(&sensitivity), "{sensitivity}");
        for called in [false, true] {
            let verdicts = judged.iter().filter(|j| j.decided && j.called == called);
            let right = verdicts.clone().filter(|j| j.positive == called).count();
            let share = right as f64 / verdicts.count() as f64;
            assert!((0.97..0.975).contains(&share), "{called}: {share}");
        }
        let [low, high] = rule.inconclusive;
        assert!(low < 0.2 && 0.2 < rule.threshold && rule.threshold < 0.5 && 0.8 < high);
    }

    #[test]
    fn a_few_separable_images_still_leave_a_band() {
        let items = scored([(-5.0, false), (-4.0, false), (4.0, true), (5.0, true)]);
        let rule = fit_rule(&items, TARGETS);
        assert_eq!(rule.inconclusive, MIN_BAND);
        assert!((rule.threshold - 0.5).abs() < 1e-6);
    }

    #[test]
    fn an_uninformative_network_gives_no_verdicts() {
        let items = scored((0..100).map(|i| (2.0 * (i % 10) as f32 - 9.0, i % 20 < 10)));
        let rule = fit_rule(&items, TARGETS);
        let decided = items
            .iter()
            .filter(|item| Judged::by(&rule, **item).decided);
        assert_eq!(decided.count(), 0, "{rule:?}");
    }
}
