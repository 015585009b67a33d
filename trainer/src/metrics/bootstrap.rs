//! Intervals of figures by resampling whole groups.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of resamples.
const RESAMPLES: usize = 1000;

/// 95 % intervals of some figures of these items: percentiles over resamples of whole groups (Efron and Tibshirani
/// 1993, chapters 8 and 13). Empty for a single group.
pub(super) fn group_bootstrap<T: Copy>(
    items: &[T],
    group: impl Fn(&T) -> usize,
    figures: impl Fn(&[T]) -> BTreeMap<String, f64>,
    seed: u64,
) -> BTreeMap<String, [f64; 2]> {
    let mut by_group: BTreeMap<usize, Vec<T>> = BTreeMap::new();
    for item in items {
        by_group.entry(group(item)).or_default().push(*item);
    }
    let groups: Vec<Vec<T>> = by_group.into_values().collect();
    if groups.len() < 2 {
        return BTreeMap::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..RESAMPLES {
        let resample: Vec<T> = (0..groups.len())
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
