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
/// A stage that stands still moves less than so, and trembles.
const SAME_FIELD: f32 = 1.0;

/// Measures the luma of two frames of a stream, without the camera's noise.
pub(super) fn measure(earlier: &Luma32, calm: &Luma32, quality: &mut Quality) {
    let motion = if earlier.dimensions() == calm.dimensions() {
        shift(earlier, calm)
    } else {
        f32::NAN
    };
    quality.most("motion", motion, MAX_MOTION, Problem::Moved);
}

/// Measures how far a field lies from the one before.
pub(super) fn measure_move(last: &Luma32, calm: &Luma32, quality: &mut Quality) {
    // A picture of another size is another picture.
    if last.dimensions() == calm.dimensions() {
        let moved = shift(last, calm);
        quality.least("moved", moved, SAME_FIELD, Problem::SameField);
    }
}

fn shift(earlier: &Luma32, calm: &Luma32) -> f32 {
    let width = calm.width() as usize;
    let rows = earlier.chunks_exact(width).zip(calm.chunks_exact(width));
    let change: f32 = rows.map(|(earlier, calm)| row_change(earlier, calm)).sum();
    let squares =
        (0..calm.height() as usize).flat_map(|y| super::squared_gradients(calm, y, 0..width));
    let gradient: f32 = squares.map(f32::sqrt).sum();
    // Both are sums over the picture, but for its edge.
    FRAC_PI_2 * change / gradient.max(f32::MIN_POSITIVE)
}

/// Sum of the changes in a row. Lamps flicker, and a rolling shutter makes bands of that: rows are
/// compared at the same mean light.
fn row_change(earlier: &[f32], calm: &[f32]) -> f32 {
    let light = calm.iter().sum::<f32>() / earlier.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let pairs = earlier.iter().zip(calm);
    pairs.map(|(a, b)| (a * light - b).abs()).sum()
}
