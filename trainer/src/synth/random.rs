//! Distributions that every part of a field draws from.

use std::ops::Range;

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Poisson, StandardNormal};

/// Evenly distributed in its logarithm.
pub(crate) fn log_uniform(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    rng.random_range(low.ln()..high.ln()).exp()
}

/// Normally distributed, cut to a range.
pub(crate) fn around(rng: &mut impl Rng, mean: f32, deviation: f32, range: Range<f32>) -> f32 {
    let normal: f32 = rng.sample(StandardNormal);
    (mean + deviation * normal).clamp(range.start, range.end)
}

pub(crate) fn poisson(rng: &mut impl Rng, mean: f32) -> usize {
    Poisson::new(mean).map_or(0, |distribution| distribution.sample(rng) as usize)
}

/// Evenly distributed with a chance, and 0 otherwise.
pub(crate) fn sometimes(rng: &mut impl Rng, chance: f64, range: Range<f32>) -> f32 {
    if rng.random_bool(chance) {
        rng.random_range(range)
    } else {
        0.0
    }
}
