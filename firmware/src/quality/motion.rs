//! How far the field moved between two frames.
//!
//! Where a picture moves by `s`, its light changes by the gradient along `s`; over edges of all
//! directions that is 2/π of the gradient's length times `s`, so that the mean change over the mean
//! gradient tells how far it moved (the first order of Lucas and Kanade 1981). Movements wider than edges
//! are underestimated, and still found far too large.

use std::f32::consts::FRAC_PI_2;

use super::Luma32;
use super::figure::{Problem, Quality};

/// In pixels of the copy, 512 to the longer side of the field.
const MAX_MOTION: f32 = 2.0;

/// Measures the luma of two frames, without the camera's noise.
pub(super) fn measure(earlier: &Luma32, calm: &Luma32, quality: &mut Quality) {
    let motion = if earlier.dimensions() == calm.dimensions() {
        shift(earlier, calm)
    } else {
        f32::NAN
    };
    quality.most("motion", motion, MAX_MOTION, Problem::Moved);
}

fn shift(earlier: &Luma32, calm: &Luma32) -> f32 {
    let mean = |luma: &Luma32| luma.iter().sum::<f32>() / luma.len() as f32;
    // Lamps flicker and exposures differ a little.
    let light = mean(calm) / mean(earlier).max(f32::MIN_POSITIVE);
    let pairs = earlier.iter().zip(calm.iter());
    let change = pairs.map(|(a, b)| (a * light - b).abs()).sum::<f32>() / calm.len() as f32;
    let (sum, count) = super::gradients(calm).fold((0.0_f32, 0_u32), |(sum, count), gradient| {
        (sum + gradient, count + 1)
    });
    let gradient = sum / count.max(1) as f32;
    FRAC_PI_2 * change / gradient.max(f32::MIN_POSITIVE)
}
