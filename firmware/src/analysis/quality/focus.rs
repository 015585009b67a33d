//! Whether edges of cells are sharp.
//!
//! Focus asks what further blur would still take away (after Crete et al. 2007, "The blur effect"):
//! it is the 99th percentile of the luma's gradient after a blur of 1 pixel of the copy over the same
//! after one of 2.5. An edge of standard deviation σ gives √((σ² + 6.25) ÷ (σ² + 1)), whatever its
//! contrast, so that a soft field gives 1; the first blur keeps the camera's noise out of it.
//!
//! It is taken of tiles, and the softest third of those that show something counts: a scale bar, a speck of
//! dust or a sharp half says nothing about the rest of the field.

use crate::analysis::quality::Luma32;
use crate::analysis::quality::blur::blur;
use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::tiles;

const MIN_FOCUS: f32 = 1.2;
/// Standard deviations of the further blur, in pixels of the copy.
const FURTHER_BLUR: f32 = 2.5;
/// Steepness, after the further blur, of a tile that shows something: two of 255 levels a pixel. Noise of a
/// standard deviation of 10 levels gives half of that, and would pass for sharp.
const BUSY: f32 = 0.008;
/// Share of those tiles that may be softer than the figure says.
const SOFTEST: f64 = 1.0 / 3.0;
/// Of so many gradients the largest is looked at first.
const BLOCK: usize = 16;

/// Measures luma and the same without the camera's noise.
pub(super) fn measure(luma: &Luma32, denoised: &Luma32, quality: &mut Quality) {
    let sharp = steepness(denoised).into_iter();
    let mut ratios: Vec<f32> = sharp
        .zip(steepness(&blur(luma, FURTHER_BLUR)))
        .filter(|(_, soft)| *soft >= BUSY)
        .map(|(sharp, soft)| sharp / soft)
        .collect();
    ratios.sort_unstable_by(f32::total_cmp);
    let rank = (SOFTEST * ratios.len() as f64) as usize;
    // Without any edges there is nothing to be in focus.
    let focus = ratios.get(rank).copied().unwrap_or(1.0);
    quality.require_min("focus", focus, MIN_FOCUS, Problem::OutOfFocus);
}

/// 99th percentile of the gradient's length in each tile.
fn steepness(luma: &Luma32) -> Vec<f32> {
    let mut squares = vec![Vec::new(); tiles::COUNT];
    for (tile, y, columns) in tiles::runs(luma.width() as usize, luma.height() as usize) {
        // Of numbers that are not negative, the bits have the same order, and are compared faster.
        squares[tile].extend(
            crate::analysis::quality::squared_gradients(luma, y, columns).map(f32::to_bits),
        );
    }
    let steepest = squares.into_iter().map(percentile_99);
    steepest
        .map(|square| f32::from_bits(square).sqrt())
        .collect()
}

/// The number that a hundredth of them reach; 0 of none.
fn percentile_99(mut numbers: Vec<u32>) -> u32 {
    let reach = numbers.len() - numbers.len() * 99 / 100;
    // So many blocks have one each that reaches `least`: what is sought does, too, and most numbers do not.
    let blocks = numbers.chunks(BLOCK);
    let maxima = blocks.map(|block| block.iter().copied().fold(0, u32::max));
    if let Some(least) = largest(maxima.collect(), reach) {
        numbers.retain(|number| *number >= least);
    }
    largest(numbers, reach).unwrap_or_default()
}

/// The largest number that so many reach, itself among them; `None` of none or of fewer.
fn largest(mut numbers: Vec<u32>, rank: usize) -> Option<u32> {
    let at = numbers.len().checked_sub(rank)?;
    (rank > 0).then(|| *numbers.select_nth_unstable(at).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_that_of_sorted_numbers() {
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
