//! Calibration: how far probabilities are from the share of positives.

use super::class_weights::ClassWeights;
use super::judged::Judged;

/// Bins of the calibration error, of equal width from probability 0 to 1.
pub(crate) const BINS: usize = 10;

/// A bin of images with similar probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Bin {
    pub(crate) images: usize,
    /// Weight of the images; both classes have the same in total.
    pub(crate) weight: f64,
    /// Weight of the positive images.
    pub(crate) positives: f64,
    /// Weighted sum of the probabilities.
    pub(crate) expected: f64,
}

/// The bins of a reliability diagram, from the lowest probability to the highest.
pub(crate) fn bins(judged: &[Judged]) -> [Bin; BINS] {
    let weights = ClassWeights::balance(judged.iter().map(|item| item.positive));
    let mut bins = [Bin::default(); BINS];
    for item in judged {
        let probability = f64::from(item.probability);
        let bin = &mut bins[((probability * BINS as f64) as usize).min(BINS - 1)];
        let weight = weights.of(item.positive);
        bin.images += 1;
        bin.weight += weight;
        bin.positives += if item.positive { weight } else { 0.0 };
        bin.expected += weight * probability;
    }
    bins
}

/// Expected calibration error (Naeini et al. 2015) of the positive class: how far the probability is
/// from the share of positives, on average over bins of equal width. Both classes weigh the same, as
/// they do in the calibration.
pub(super) fn calibration_error(judged: &[Judged]) -> Option<f64> {
    let total: f64 = bins(judged)
        .iter()
        .map(|bin| (bin.expected - bin.positives).abs())
        .sum();
    // Rounding must not exceed 1.
    (!judged.is_empty()).then(|| (total / judged.len() as f64).min(1.0))
}
