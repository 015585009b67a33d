//! Whether edges of cells are sharp.
//!
//! Focus asks what further blur would still take away (after Crete et al. 2007, "The blur effect"):
//! it is the 99th percentile of the luma's gradient after a blur of 1 pixel of the copy over the same
//! after one of 2.5. An edge of standard deviation σ gives √((σ² + 6.25) ÷ (σ² + 1)), whatever its
//! contrast, so that a soft field gives 1; the first blur keeps the camera's noise out of it.

use image::imageops::blur;

use super::Luma32;
use super::figure::{Problem, Quality};

const MIN_FOCUS: f32 = 1.22;
/// Standard deviations of the further blur, in pixels of the copy.
const FURTHER_BLUR: f32 = 2.5;

/// Measures luma and the same without the camera's noise.
pub(super) fn measure(luma: &Luma32, calm: &Luma32, quality: &mut Quality) {
    let sharp = steepness(calm);
    let soft = steepness(&blur(luma, FURTHER_BLUR));
    // Without any edges there is nothing to be in focus.
    let focus = if soft > 0.0 { sharp / soft } else { 1.0 };
    quality.least("focus", focus, MIN_FOCUS, Problem::OutOfFocus);
}

/// 99th percentile of the gradient's length.
fn steepness(luma: &Luma32) -> f32 {
    let mut gradients: Vec<f32> = super::gradients(luma).collect();
    if gradients.is_empty() {
        return 0.0;
    }
    let rank = gradients.len() * 99 / 100;
    *gradients.select_nth_unstable_by(rank, f32::total_cmp).1
}
