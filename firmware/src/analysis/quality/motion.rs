//! Motion: how far the field moved between two frames.
//!
//! If a picture moves by `s`, its luma changes by the gradient along `s`. Averaged over edges in all directions, that
//! is 2/π of the gradient's magnitude times `s`, so the mean change divided by the mean gradient gives the distance
//! (first order of Lucas and Kanade 1981). Movements wider than an edge are underestimated, but still exceed
//! the limit by far.

use std::f32::consts::FRAC_PI_2;

use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::gradient::squared_gradients;
use crate::analysis::quality::luma::Luma32;

/// In pixels of the downscaled picture, which has 512 on its longer side.
const MAX_MOTION: f32 = 2.0;
/// In the same pixels. The trembling of a stage at rest stays below it.
const MIN_STAGE_MOVE: f32 = 1.0;

/// Adds the figure `motion`: the movement between two frames of a stream, given as denoised luma.
pub(super) fn measure(earlier: &Luma32, denoised: &Luma32, quality: &mut Quality) {
    let motion = if earlier.dimensions() == denoised.dimensions() {
        shift(earlier, denoised)
    } else {
        f32::NAN
    };
    quality.require_max("motion", motion, MAX_MOTION, Problem::Moved);
}

/// Adds the figure `moved`: the distance from the previous field, given as denoised luma.
pub(super) fn measure_move(previous: &Luma32, denoised: &Luma32, quality: &mut Quality) {
    // Pictures of different sizes do not show the same field.
    if previous.dimensions() == denoised.dimensions() {
        let moved = shift(previous, denoised);
        quality.require_min("moved", moved, MIN_STAGE_MOVE, Problem::SameField);
    }
}

/// Distance between two frames in pixels.
fn shift(earlier: &Luma32, denoised: &Luma32) -> f32 {
    let width = denoised.width() as usize;
    let rows = earlier
        .chunks_exact(width)
        .zip(denoised.chunks_exact(width));
    let change: f32 = rows
        .map(|(earlier, denoised)| row_change(earlier, denoised))
        .sum();
    let squares =
        (0..denoised.height() as usize).flat_map(|y| squared_gradients(denoised, y, 0..width));
    let gradient: f32 = squares.map(f32::sqrt).sum();
    // Both are sums over the same picture, apart from its edge.
    FRAC_PI_2 * change / gradient.max(f32::MIN_POSITIVE)
}

/// Sum of the changes in a row. The row is first scaled to the same mean, because a rolling shutter turns a
/// flickering lamp into bands.
fn row_change(earlier: &[f32], denoised: &[f32]) -> f32 {
    let light = denoised.iter().sum::<f32>() / earlier.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let pairs = earlier.iter().zip(denoised);
    pairs.map(|(a, b)| (a * light - b).abs()).sum()
}
