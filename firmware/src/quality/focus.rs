//! Whether edges of cells are sharp.
//!
//! Focus asks what further blur would still take away (after Crete et al. 2007, "The blur effect"):
//! it is the 99th percentile of the luma's gradient after a blur of 1 pixel of the copy over the same
//! after one of 2.5. An edge of standard deviation σ gives √((σ² + 6.25) ÷ (σ² + 1)), whatever its
//! contrast, so that a soft field gives 1; the first blur keeps the camera's noise out of it.
//!
//! It is taken of tiles, and the softest third of those that show something counts: a scale bar, a speck of
//! dust or a sharp half says nothing about the rest of the field.

use super::Luma32;
use super::blur::blur;
use super::figure::{Problem, Quality};
use super::tiles::Tiles;

const MIN_FOCUS: f32 = 1.2;
/// Standard deviations of the further blur, in pixels of the copy.
const FURTHER_BLUR: f32 = 2.5;
/// Steepness, after the further blur, of a tile that shows something: two of 255 levels a pixel. Noise of a
/// standard deviation of 10 levels gives half of that, and would pass for sharp.
const BUSY: f32 = 0.008;
/// Share of those tiles that may be softer than the figure says.
const SOFTEST: f64 = 1.0 / 3.0;

/// Measures luma and the same without the camera's noise.
pub(super) fn measure(luma: &Luma32, calm: &Luma32, quality: &mut Quality) {
    let sharp = steepness(calm).into_iter();
    let mut ratios: Vec<f32> = sharp
        .zip(steepness(&blur(luma, FURTHER_BLUR)))
        .filter(|(_, soft)| *soft >= BUSY)
        .map(|(sharp, soft)| sharp / soft)
        .collect();
    ratios.sort_unstable_by(f32::total_cmp);
    let rank = (SOFTEST * ratios.len() as f64) as usize;
    // Without any edges there is nothing to be in focus.
    let focus = ratios.get(rank).copied().unwrap_or(1.0);
    quality.least("focus", focus, MIN_FOCUS, Problem::OutOfFocus);
}

/// 99th percentile of the gradient's length in each tile.
fn steepness(luma: &Luma32) -> Vec<f32> {
    let tiles = Tiles::of(luma.width(), luma.height());
    let mut lengths = vec![Vec::new(); Tiles::COUNT];
    for (x, y, gradient) in super::gradients(luma) {
        lengths[tiles.at(x, y)].push(gradient);
    }
    lengths
        .into_iter()
        .map(|mut gradients| {
            let rank = gradients.len() * 99 / 100;
            if gradients.is_empty() {
                return 0.0;
            }
            *gradients.select_nth_unstable_by(rank, f32::total_cmp).1
        })
        .collect()
}
