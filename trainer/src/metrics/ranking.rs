//! Areas under the ROC and precision–recall curves, from the order of scores.

use super::judged::Judged;

/// Scores with labels, for curves and areas.
pub(crate) fn scores(judged: &[Judged]) -> Vec<(f32, bool)> {
    judged.iter().map(|j| (j.logit, j.positive)).collect()
}

/// Sorts scores in ascending order.
pub(crate) fn ordered(scores: &[(f32, bool)]) -> Vec<(f32, bool)> {
    let mut ordered = scores.to_vec();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    ordered
}

/// Groups equal scores; the two signed zeros are equal.
#[expect(clippy::float_cmp, reason = "a tie is equality")]
pub(crate) fn ties(ordered: &[(f32, bool)]) -> impl DoubleEndedIterator<Item = &[(f32, bool)]> {
    ordered.chunk_by(|a, b| a.0 == b.0)
}

pub(crate) fn positives(scores: &[(f32, bool)]) -> usize {
    scores.iter().filter(|(_, positive)| *positive).count()
}

/// Area under the precision–recall curve as a sum of steps: the mean precision at each positive,
/// ties counted together.
pub(super) fn average_precision(scores: &[(f32, bool)]) -> Option<f64> {
    let all = positives(scores);
    if all == 0 {
        return None;
    }
    let (mut called, mut found, mut area) = (0, 0, 0.0);
    for tied in ties(&ordered(scores)).rev() {
        let more = positives(tied);
        called += tied.len();
        found += more;
        area += more as f64 * (found as f64 / called as f64);
    }
    // No term exceeds its whole number of positives, so the sum does not exceed `all`, rounding included.
    Some(area / all as f64)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separable_classes_have_an_area_of_exactly_1() {
        for (positives, negatives) in [(3_u8, 2_u8), (7, 3), (49, 51), (120, 80)] {
            let items: Vec<(f32, bool)> = (0..positives)
                .map(|rank| (1.0 + f32::from(rank), true))
                .chain((0..negatives).map(|rank| (-1.0 - f32::from(rank), false)))
                .collect();
            assert_eq!(average_precision(&items), Some(1.0));
            assert_eq!(auroc(&items), Some(1.0));
        }
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
}
