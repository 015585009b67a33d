//! Sharpness of the edges in and around stained objects, which `focus` and `motion_blur` judge.
//!
//! Further blur reduces the gradients of sharp edges more than those of soft ones (after Crete et al. 2007, "The blur
//! effect"). So sharpness is a ratio: the 99.5th percentile of the luma's gradient after a blur of 1 pixel of the
//! downscaled picture, divided by the same percentile after a blur of 2.5 pixels. An edge with standard deviation σ
//! gives √((σ² + 6.25) ÷ (σ² + 1)) at any contrast, so a soft one gives 1. The first blur removes the camera's noise.
//!
//! Only pixels in and next to stained objects, away from dust, count. So sharp dust does not hide soft cells, and a field
//! with few cells is judged by them.

use std::f32::consts::FRAC_1_SQRT_2;

use crate::analysis::quality::blur::blur;
use crate::analysis::quality::gradient::gradients;
use crate::analysis::quality::luma::Luma32;
use crate::analysis::quality::mask::Mask;
use crate::analysis::quality::tiles;

/// Standard deviation of the further blur, in pixels of the downscaled picture.
const FURTHER_BLUR: f32 = 2.5;
/// Gradient, after the further blur, from which a tile counts as having content: two of 255 levels per pixel. Noise
/// with a standard deviation of 10 levels gives half of that, and would look sharp.
const MIN_CONTENT_GRADIENT: f32 = 0.008;
/// Part of a tile that must be in or next to stained objects; less is the rim of a cell in the next tile.
const MIN_STAINED_SHARE: f32 = 0.05;
/// Share of the tiles with content that may be softer than a figure.
const SOFT_SHARE: f64 = 1.0 / 3.0;
/// Number of parts of the gradients in the search for the percentile.
const PARTS: usize = 16;
/// Unit vectors (across, down) in the directions along which sharpness is measured; each is perpendicular to the one
/// two places further.
const DIRECTIONS: [[f32; 2]; 4] = [
    [1.0, 0.0],
    [FRAC_1_SQRT_2, FRAC_1_SQRT_2],
    [0.0, 1.0],
    [-FRAC_1_SQRT_2, FRAC_1_SQRT_2],
];

/// Sharpness of a field: what a third of its tiles with content do not reach, so a scale bar or one sharp half does not
/// hide that the rest of the field is soft. 1 for a field without edges.
pub(super) struct Sharpness {
    /// Of edges in any direction.
    pub(super) overall: f32,
    /// Of edges across each of the [`DIRECTIONS`].
    pub(super) along: [f32; DIRECTIONS.len()],
}

impl Sharpness {
    /// `denoised` is `luma` without the camera's noise; `stained` are the pixels in and next to stained objects.
    pub(super) fn of(luma: &Luma32, denoised: &Luma32, stained: &Mask) -> Self {
        let soft = Edges::of_tiles(&blur(luma, FURTHER_BLUR), stained);
        let tiles: Vec<(Edges, Edges)> = Edges::of_tiles(denoised, stained)
            .into_iter()
            .zip(soft)
            .filter(|(_, soft)| soft.overall >= MIN_CONTENT_GRADIENT)
            .collect();
        let third = |strength: &dyn Fn(&Edges) -> f32| {
            let ratios = tiles
                .iter()
                .map(|(sharp, soft)| strength(sharp) / strength(soft).max(f32::MIN_POSITIVE));
            let mut ratios: Vec<f32> = ratios.collect();
            ratios.sort_unstable_by(f32::total_cmp);
            let rank = (SOFT_SHARE * ratios.len() as f64) as usize;
            ratios.get(rank).copied().unwrap_or(1.0)
        };
        Self {
            overall: third(&|edges| edges.overall),
            along: std::array::from_fn(|at| third(&|edges| edges.along[at])),
        }
    }
}

/// The 99.5th percentiles of the gradients in the stained part of a tile; 0 if that part is too small.
struct Edges {
    overall: f32,
    along: [f32; DIRECTIONS.len()],
}

impl Edges {
    fn of_tiles(luma: &Luma32, stained: &Mask) -> Vec<Self> {
        let (width, height) = (luma.width() as usize, luma.height() as usize);
        let mut found = vec![[Vec::new(), Vec::new()]; tiles::COUNT];
        let mut sizes = [0; tiles::COUNT];
        for (tile, y, columns) in tiles::runs(width, height) {
            sizes[tile] += columns.len();
            let [across, down] = &mut found[tile];
            for run in stained.runs((width, height), y, columns) {
                across.extend(gradients(luma, y, run.clone()).map(|[across, _]| across));
                down.extend(gradients(luma, y, run).map(|[_, down]| down));
            }
        }
        let tiles = found.into_iter().zip(sizes);
        tiles
            .map(|([mut across, mut down], size)| {
                if (across.len() as f32) < MIN_STAINED_SHARE * size as f32 {
                    across.clear();
                    down.clear();
                }
                let gradients = across.iter().zip(&down);
                let squares = gradients.clone().map(|(x, y)| x * x + y * y);
                let along = |[x, y]: [f32; 2]| {
                    let strengths = gradients.clone();
                    percentile_99_5(strengths.map(|(across, down)| (across * x + down * y).abs()))
                };
                Self {
                    overall: percentile_99_5(squares).sqrt(),
                    along: DIRECTIONS.map(along),
                }
            })
            .collect()
    }
}

/// The number that one two-hundredth of the numbers reach, none of which is negative; 0 if there are none.
fn percentile_99_5(numbers: impl Iterator<Item = f32>) -> f32 {
    // The bits of such floats sort like the floats themselves, and integers compare faster.
    let mut numbers: Vec<u32> = numbers.map(f32::to_bits).collect();
    let rank = numbers.len() - numbers.len() * 199 / 200;
    // Of the numbers at the same place of each part, the largest. At least `rank` of those reach this bound, so the result
    // reaches it, too. Most numbers do not, and are dropped.
    let mut parts = numbers.chunks(numbers.len().div_ceil(PARTS).max(1));
    let mut maxima = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        for (largest, number) in maxima.iter_mut().zip(part) {
            *largest = (*largest).max(*number);
        }
    }
    if let Some(bound) = nth_largest(maxima, rank) {
        numbers.retain(|number| *number >= bound);
    }
    f32::from_bits(nth_largest(numbers, rank).unwrap_or_default())
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
                // Whole numbers that a float has exactly.
                let found = percentile_99_5(sorted.iter().map(|number| *number as f32));
                sorted.sort_unstable();
                let rank = sorted.len() * 199 / 200;
                let expected = sorted.get(rank).copied().unwrap_or(0);
                assert_eq!(found as u32, expected, "{count} below {spread}");
            }
        }
    }
}
