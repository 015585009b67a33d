//! Distributions that every part of a field draws from.

use std::ops::Range;

use rand::{Rng, RngExt};
use rand_distr::{Distribution as _, Poisson, StandardNormal};

/// Distribution of one figure of a recipe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Distribution {
    /// Always this value; takes no random number.
    Fixed(f32),
    /// Evenly distributed from the first value to the second.
    Uniform(f32, f32),
    /// Normally distributed, cut to `min..=max`.
    Normal {
        mean: f32,
        deviation: f32,
        min: f32,
        max: f32,
    },
    /// Evenly distributed from `min` to `max` with a chance, and 0 otherwise.
    Sometimes { chance: f64, min: f32, max: f32 },
}

impl Distribution {
    /// Normally distributed, cut to a range.
    pub(crate) const fn around(mean: f32, deviation: f32, range: Range<f32>) -> Self {
        Self::Normal {
            mean,
            deviation,
            min: range.start,
            max: range.end,
        }
    }

    pub(crate) fn draw(self, rng: &mut impl Rng) -> f32 {
        match self {
            Self::Fixed(value) => value,
            Self::Uniform(min, max) => rng.random_range(min..=max),
            Self::Normal {
                mean,
                deviation,
                min,
                max,
            } => {
                let normal: f32 = rng.sample(StandardNormal);
                (mean + deviation * normal).clamp(min, max)
            }
            Self::Sometimes { chance, min, max } => sometimes(rng, chance, min..max),
        }
    }
}

/// Evenly distributed in its logarithm.
pub(crate) fn log_uniform(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    rng.random_range(low.ln()..high.ln()).exp()
}

pub(crate) fn poisson(rng: &mut impl Rng, mean: f32) -> usize {
    Poisson::new(mean).map_or(0, |distribution| distribution.sample(rng) as usize)
}

/// True with a chance; takes no random number where the outcome is certain.
pub(crate) fn happens(rng: &mut impl Rng, chance: f64) -> bool {
    chance > 0.0 && rng.random_bool(chance)
}

/// Evenly distributed with a chance, and 0 otherwise.
pub(crate) fn sometimes(rng: &mut impl Rng, chance: f64, range: Range<f32>) -> f32 {
    if rng.random_bool(chance) {
        rng.random_range(range)
    } else {
        0.0
    }
}
