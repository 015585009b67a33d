//! The decision rule that held-out margins support.

use smearscope_artifacts::DecisionRule;

use crate::metrics::{Scored, log_loss, ordered, ties};

/// What verdicts must achieve on held-out images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Requirements {
    /// Share of positives whose probability reaches the threshold.
    pub(crate) sensitivity: f64,
    /// Share of positive, and of negative, verdicts that are right.
    pub(crate) accuracy: f64,
}

/// Never called negative: more likely ill than not.
const HIGHEST_THRESHOLD: f32 = 0.5;
const LOWEST_THRESHOLD: f32 = 1e-6;
/// The band is never narrower: a few images are easily parted by luck.
const NARROWEST_BAND: [f32; 2] = [0.2, 0.8];

/// Fits temperature, threshold and band, one after the other.
///
/// The threshold is the highest up to one half that gives the sensitivity. The band then takes in
/// whatever must be left undecided for positive and for negative verdicts to be as accurate as
/// required; a side that never is, gives no verdict at all.
pub(crate) fn fit_rule(scored: &[Scored], requirements: Requirements) -> DecisionRule {
    let temperature = fit_temperature(scored);
    let mut rule = DecisionRule {
        threshold: HIGHEST_THRESHOLD,
        inconclusive: NARROWEST_BAND,
        temperature,
    };
    let mut positives: Vec<f32> = scored
        .iter()
        .filter(|item| item.positive)
        .map(|item| rule.decide(item.margin).probability)
        .collect();
    positives.sort_by(|a, b| b.total_cmp(a));
    let reached = (requirements.sensitivity * positives.len() as f64).ceil() as usize;
    if let Some(lowest) = positives.get(reached.saturating_sub(1)) {
        rule.threshold = lowest.clamp(LOWEST_THRESHOLD, HIGHEST_THRESHOLD);
    }

    let margin = |probability: f32| temperature * (probability / (1.0 - probability)).ln();
    let [low, high] = [
        rule.threshold.min(NARROWEST_BAND[0]),
        rule.threshold.max(NARROWEST_BAND[1]),
    ];
    let below: Vec<(f32, bool)> = scored.iter().map(|s| (s.margin, !s.positive)).collect();
    let above: Vec<(f32, bool)> = scored.iter().map(|s| (-s.margin, s.positive)).collect();
    rule.inconclusive = [
        match longest_right_start(&below, margin(low), requirements.accuracy) {
            None => 0.0,
            Some(Start::All) => low,
            Some(Start::UpTo(bound)) => rule.decide(bound).probability.min(low),
        },
        match longest_right_start(&above, -margin(high), requirements.accuracy) {
            None => 1.0,
            Some(Start::All) => high,
            Some(Start::UpTo(bound)) => rule.decide(-bound).probability.max(high),
        },
    ];
    rule
}

/// Scores up to a limit of which enough are right.
enum Start {
    All,
    UpTo(f32),
}

/// The longest run from the lowest score on, up to a limit, of which this share is right.
fn longest_right_start(scores: &[(f32, bool)], limit: f32, share: f64) -> Option<Start> {
    let (mut seen, mut right) = (0, 0);
    let mut start = None;
    for tied in ties(&ordered(scores)) {
        let score = tied[0].0;
        if score > limit {
            break;
        }
        seen += tied.len();
        right += tied.iter().filter(|(_, is_right)| *is_right).count();
        if right as f64 >= share * seen as f64 {
            start = Some((seen, score));
        }
    }
    start.map(|(length, score)| {
        if length == seen {
            Start::All
        } else {
            Start::UpTo(score)
        }
    })
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
#[expect(clippy::float_cmp, reason = "the narrowest band is a constant")]
mod tests {
    use super::*;
    use crate::metrics::{Judged, figures};

    const REQUIRED: Requirements = Requirements {
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
    fn temperature_undoes_overconfidence() {
        // Right nine times in ten: the honest margin is ln 9, and these claim five times that.
        let claimed = 5.0 * 9.0_f32.ln();
        let items = scored(
            (0..100).map(|number| (if number % 10 == 0 { -claimed } else { claimed }, true)),
        );
        assert!((fit_temperature(&items) - 5.0).abs() < 0.01);
    }

    #[test]
    fn temperature_never_sharpens() {
        let timid = scored([(0.1, true), (-0.1, false)]);
        assert!((fit_temperature(&timid) - 1.0).abs() < 1e-3);
    }

    /// A hundred images at each margin, of which as many are positive as the margin says.
    fn honest() -> Vec<Scored> {
        scored((-50_i8..=50).flat_map(|tenths| {
            let margin = f32::from(tenths) / 10.0;
            let positives = (100.0 / (1.0 + (-margin).exp())).round() as usize;
            (0..100).map(move |number| (margin, number < positives))
        }))
    }

    #[test]
    fn what_is_required_is_reached_and_no_more_is_left_undecided_than_it_takes() {
        let items = honest();
        let rule = fit_rule(&items, REQUIRED);
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
    fn images_that_part_by_luck_still_leave_a_band() {
        let items = scored([(-5.0, false), (-4.0, false), (4.0, true), (5.0, true)]);
        let rule = fit_rule(&items, REQUIRED);
        assert_eq!(rule.inconclusive, NARROWEST_BAND);
        assert!((rule.threshold - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_network_that_knows_nothing_gives_no_verdicts() {
        let items = scored((0..100).map(|i| (2.0 * (i % 10) as f32 - 9.0, i % 20 < 10)));
        let rule = fit_rule(&items, REQUIRED);
        let decided = items
            .iter()
            .filter(|item| Judged::by(&rule, **item).decided);
        assert_eq!(decided.count(), 0, "{rule:?}");
    }
}
