//! Focus: whether the edges of cells are sharp.
//!
//! The figure measures how much further blur reduces the gradients (after Crete et al. 2007, "The blur effect"):
//! the 99th percentile of the luma's gradient after a blur of 1 pixel of the downscaled picture, divided by the same
//! percentile after a blur of 2.5 pixels. An edge with standard deviation σ gives √((σ² + 6.25) ÷ (σ² + 1)) at any
//! contrast, so a soft field gives 1. The first blur removes the camera's noise.
//!
//! It is measured in each tile. The figure is the value that a third of the tiles with content do not reach, so a scale
//! bar, a speck of dust or one sharp half does not hide that the rest of the field is soft.

use crate::analysis::quality::blur::blur;
use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::gradient::squared_gradients;
use crate::analysis::quality::luma::Luma32;
use crate::analysis::quality::tiles;

const MIN_FOCUS: f32 = 1.2;
/// Standard deviation of the further blur, in pixels of the downscaled picture.
const FURTHER_BLUR: f32 = 2.5;
/// Gradient, after the further blur, from which a tile counts as having content: two of 255 levels per pixel. Noise
/// with a standard deviation of 10 levels gives half of that, and would look sharp.
const MIN_CONTENT_GRADIENT: f32 = 0.008;
/// Share of the tiles with content that may be softer than the figure.
const SOFT_SHARE: f64 = 1.0 / 3.0;
/// Number of gradients per block in the search for the percentile.
const BLOCK: usize = 16;

/// Adds the figure `focus`. `denoised` is `luma` without the camera's noise.
pub(super) fn measure(luma: &Luma32, denoised: &Luma32, quality: &mut Quality) {
    let sharp = tile_gradients(denoised).into_iter();
    let mut ratios: Vec<f32> = sharp
        .zip(tile_gradients(&blur(luma, FURTHER_BLUR)))
        .filter(|(_, soft)| *soft >= MIN_CONTENT_GRADIENT)
        .map(|(sharp, soft)| sharp / soft)
        .collect();
    ratios.sort_unstable_by(f32::total_cmp);
    let rank = (SOFT_SHARE * ratios.len() as f64) as usize;
    // A field without edges is not in focus.
    let focus = ratios.get(rank).copied().unwrap_or(1.0);
    quality.require_min("focus", focus, MIN_FOCUS, Problem::OutOfFocus);
}

/// 99th percentile of the gradient magnitudes in each tile.
fn tile_gradients(luma: &Luma32) -> Vec<f32> {
    let mut squares = vec![Vec::new(); tiles::COUNT];
    for (tile, y, columns) in tiles::runs(luma.width() as usize, luma.height() as usize) {
        // The bits of non-negative floats sort like the floats themselves, and integers compare faster.
        squares[tile].extend(squared_gradients(luma, y, columns).map(f32::to_bits));
    }
    let percentiles = squares.into_iter().map(percentile_99);
    percentiles
        .map(|square| f32::from_bits(square).sqrt())
        .collect()
}

/// The number that one hundredth of the numbers reach; 0 if there are none.
fn percentile_99(mut numbers: Vec<u32>) -> u32 {
    let rank = numbers.len() - numbers.len() * 99 / 100;
    // At least `rank` numbers reach this bound, one in each of `rank` blocks, so the result reaches it, too. Most
    // numbers do not, and are dropped.
    let blocks = numbers.chunks(BLOCK);
    let maxima = blocks.map(|block| block.iter().copied().fold(0, u32::max));
    if let Some(bound) = nth_largest(maxima.collect(), rank) {
        numbers.retain(|number| *number >= bound);
    }
    nth_largest(numbers, rank).unwrap_or_default()
}

/// The number at this rank, 1 for the largest; `None` if there are fewer numbers or `rank` is 0.
fn nth_largest(mut numbers: Vec<u32>, rank: usize) -> Option<u32> {
    let at = numbers.len().checked_sub(rank)?;
    (rank > 0).then(|| *numbers.select_nth_unstable(at).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_matches_sorting() {
        for count in [0, 1, 15, 16, 99, 100, 101, 1600, 16_384] {
            for spread in [1, 7, 1 << 20] {
                let mut state = 1_u32;
                let mut sorted: Vec<u32> = (0..count)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (state >> 8) % spread
                    })
                    .collect();
                let found = percentile_99(sorted.clone());
                sorted.sort_unstable();
                let rank = sorted.len() * 99 / 100;
                let expected = sorted.get(rank).copied().unwrap_or(0);
                assert_eq!(found, expected, "{count} below {spread}");
            }
        }
    }
}
