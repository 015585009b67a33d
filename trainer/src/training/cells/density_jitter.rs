//! Variation of stain, focus and camera, in optical density.
//!
//! More stain multiplies the density, another dye or lamp does so for each colour by itself (Tellez et al. 2019,
//! "Quantifying the effects of data augmentation and stain color normalization"), a camera's tone curve bends it, and
//! stray light shifts it.

use rand::{Rng, RngExt};
use rand_distr::{Distribution as _, Normal, StandardNormal};

/// Smallest and largest strength of the stain, relative to what is seen.
const STRENGTH: [f32; 2] = [0.5, 1.6];
/// Spread of the logarithm of each colour's strength.
const COLOUR_SPREAD: f32 = 0.15;
/// Exponents of the tone curve, for half of the examples.
const TONE: [f32; 2] = [0.8, 1.25];
/// Largest number of passes of a 3 × 3 binomial filter, each of which blurs by 0.7 pixels.
const MAX_SOFTENING: u32 = 2;
/// Largest standard deviation of noise.
const MAX_NOISE: f32 = 0.03;
/// Largest shift of the density.
const MAX_SHIFT: f32 = 0.03;

/// Varies the planes of an image, each of so many columns, all in the same way but for the strength of each colour
/// and the noise. Where both are exactly 0, outside of a field, they stay so.
pub(super) fn vary(planes: [&mut [f32]; 2], columns: usize, rng: &mut impl Rng) {
    let strength = rng.random_range(STRENGTH[0].ln()..STRENGTH[1].ln()).exp();
    let tone = if rng.random_bool(0.5) {
        rng.random_range(TONE[0]..TONE[1])
    } else {
        1.0
    };
    let softening = if rng.random_bool(0.5) {
        rng.random_range(1..=MAX_SOFTENING)
    } else {
        0
    };
    let noise = rng.random_range(0.0..MAX_NOISE);
    let shift = rng.random_range(-MAX_SHIFT..MAX_SHIFT);
    let outside: Vec<usize> = (0..planes[0].len())
        .filter(|&at| planes.iter().all(|plane| plane[at].abs() <= 0.0))
        .collect();
    for plane in planes {
        let colour: f32 = StandardNormal.sample(rng);
        let strength = strength * (COLOUR_SPREAD * colour).exp();
        for value in plane.iter_mut() {
            let density = *value * strength;
            *value = density.abs().powf(tone).copysign(density);
        }
        for _ in 0..softening {
            soften(plane, columns);
        }
        // Its deviation is never negative or infinite.
        if let Ok(noise) = Normal::new(shift, noise) {
            for value in plane.iter_mut() {
                *value += noise.sample(rng);
            }
        }
        for &at in &outside {
            plane[at] = 0.0;
        }
    }
}

/// Means with the weights 1, 2, 1 along rows and columns; at the frame the outermost pixels repeat.
fn soften(plane: &mut [f32], columns: usize) {
    let mean = |[before, at, after]: [f32; 3]| (before + 2.0 * at + after) / 4.0;
    for row in plane.chunks_exact_mut(columns) {
        let mut before = row[0];
        for column in 0..columns {
            let at = row[column];
            row[column] = mean([before, at, row[(column + 1).min(columns - 1)]]);
            before = at;
        }
    }
    let rows = plane.len() / columns;
    for column in 0..columns {
        let mut before = plane[column];
        for row in 0..rows {
            let at = plane[row * columns + column];
            let after = plane[(row + 1).min(rows - 1) * columns + column];
            plane[row * columns + column] = mean([before, at, after]);
            before = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn softening_is_a_binomial_filter() {
        let mut plane = vec![0.0; 5 * 4];
        plane[5 + 2] = 16.0;
        plane[15] = 16.0;
        soften(&mut plane, 5);
        let expected = [
            [0.0, 1.0, 2.0, 1.0, 0.0],
            [0.0, 2.0, 4.0, 2.0, 0.0],
            // The corner's weight is 3 of 4 along each axis.
            [3.0, 2.0, 2.0, 1.0, 0.0],
            [9.0, 3.0, 0.0, 0.0, 0.0],
        ]
        .concat();
        assert_eq!(plane, expected);
    }

    #[test]
    fn what_is_denser_stays_denser() {
        let (mut strengths, mut ratios) = (Vec::new(), Vec::new());
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let ramp: Vec<f32> = (0..400).map(|at| (at / 20) as f32 / 20.0).collect();
            let (mut red, mut green) = (ramp.clone(), ramp);
            vary([&mut red, &mut green], 20, &mut rng);
            let mean = |plane: &[f32], row: usize| {
                plane[20 * row..20 * (row + 1)].iter().sum::<f32>() / 20.0
            };
            // Noise is at most 0.03, of a mean of twenty 0.007.
            assert!(mean(&red, 15) > mean(&red, 5) + 0.1, "{seed}");
            strengths.push(mean(&red, 19));
            ratios.push(mean(&red, 19) / mean(&green, 19));
        }
        let range = |values: &mut Vec<f32>| {
            values.sort_by(f32::total_cmp);
            [values[0], values[199]]
        };
        let [low, high] = range(&mut strengths);
        assert!(low < 0.6 && high > 1.4, "{low} {high}");
        let [low, high] = range(&mut ratios);
        assert!(
            (0.4..0.75).contains(&low) && (1.3..2.5).contains(&high),
            "{low} {high}"
        );
    }
}
