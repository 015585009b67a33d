//! How far the field moved between two frames.
//!
//! Where a picture moves by `s`, its light changes by the gradient along `s`; over edges of all
//! directions that is 2/π of the gradient's length times `s`, so that the mean change over the mean
//! gradient tells how far it moved (the first order of Lucas and Kanade 1981). Movements wider than edges
//! are underestimated, and still found far too large.

use std::f32::consts::FRAC_PI_2;

use crate::analysis::quality::Luma32;
use crate::analysis::quality::figure::{Problem, Quality};

/// In pixels of the copy, 512 to the longer side of the field.
const MAX_MOTION: f32 = 2.0;
/// A stage that stands still moves less than so, and trembles.
const SAME_FIELD: f32 = 1.0;

/// Measures the luma of two frames of a stream, without the camera's noise.
pub(super) fn measure(earlier: &Luma32, denoised: &Luma32, quality: &mut Quality) {
    let motion = if earlier.dimensions() == denoised.dimensions() {
        shift(earlier, denoised)
    } else {
        f32::NAN
    };
    quality.require_max("motion", motion, MAX_MOTION, Problem::Moved);
}

/// Measures how far a field lies from the one before.
pub(super) fn measure_move(last: &Luma32, denoised: &Luma32, quality: &mut Quality) {
    // A picture of another size is another picture.
    if last.dimensions() == denoised.dimensions() {
        let moved = shift(last, denoised);
        quality.require_min("moved", moved, SAME_FIELD, Problem::SameField);
    }
}

fn shift(earlier: &Luma32, denoised: &Luma32) -> f32 {
    let width = denoised.width() as usize;
    let rows = earlier
        .chunks_exact(width)
        .zip(denoised.chunks_exact(width));
    let change: f32 = rows
        .map(|(earlier, denoised)| row_change(earlier, denoised))
        .sum();
    let squares = (0..denoised.height() as usize)
        .flat_map(|y| crate::analysis::quality::squared_gradients(denoised, y, 0..width));
    let gradient: f32 = squares.map(f32::sqrt).sum();
    // Both are sums over the picture, but for its edge.
    FRAC_PI_2 * change / gradient.max(f32::MIN_POSITIVE)
}

/// Sum of the changes in a row. Lamps flicker, and a rolling shutter makes bands of that: rows are
/// compared at the same mean light.
fn row_change(earlier: &[f32], denoised: &[f32]) -> f32 {
    let light = denoised.iter().sum::<f32>() / earlier.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let pairs = earlier.iter().zip(denoised);
    pairs.map(|(a, b)| (a * light - b).abs()).sum()
}
