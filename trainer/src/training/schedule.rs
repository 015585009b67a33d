//! How the learning rate changes during a training.

use std::f64::consts::PI;

use clap::ValueEnum;

/// The reciprocal of the share of steps in which the learning rate rises.
const WARM_UP: u64 = 20;

/// The values of `--schedule`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schedule {
    /// Rises in the first twentieth of the steps, then decays to zero along half a cosine
    // Loshchilov and Hutter 2017, "SGDR"; the rise: Goyal et al. 2017, "Accurate, Large Minibatch SGD".
    Cosine,
    /// Always the same
    Constant,
}

impl Schedule {
    /// The share of the learning rate that applies to a step, from 0, of a training.
    pub(super) fn factor(self, step: u64, steps: u64) -> f64 {
        let rising = steps / WARM_UP;
        match self {
            Self::Constant => 1.0,
            Self::Cosine if step < rising => (step + 1) as f64 / (rising + 1) as f64,
            Self::Cosine => {
                let done = (step - rising) as f64 / (steps - rising) as f64;
                0.5 * (1.0 + (PI * done).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_rises_and_falls_along_half_a_cosine() {
        // Three steps of 64 rise.
        let factors = [0, 1, 2, 3, 24, 64].map(|step| Schedule::Cosine.factor(step, 64));
        let at = |done: f64| 0.5 + 0.5 * (PI * done).cos();
        let expected = [0.25, 0.5, 0.75, 1.0, at(21.0 / 61.0), 0.0];
        for (factor, expected) in factors.iter().zip(expected) {
            assert!((factor - expected).abs() < 1e-12, "{factors:?}");
        }
        let short = [0, 1].map(|step| Schedule::Cosine.factor(step, 2));
        assert!((short[0] - 1.0).abs() < 1e-12 && (short[1] - 0.5).abs() < 1e-12);
        assert!((Schedule::Constant.factor(63, 64) - 1.0).abs() < 1e-12);
    }
}
