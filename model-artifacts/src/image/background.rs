//! The light of empty places across a field, from which optical density is measured.
//!
//! Lamps and lenses shade a field, most of all the small lenses of a Raspberry Pi camera, whose rims turn
//! purple. Cells only take light away, so the empty places are the upper envelope of what a field shows.
//! A smooth surface is fitted to that envelope, for each colour by itself; relative to it, neither the
//! lamp nor its colour nor the shading is left.

use std::ops::Range;

use image::RgbImage;

use super::logarithms::Logarithms;

/// Blocks per side in which the brightness of empty places is looked for.
const BLOCKS: usize = 12;
/// Share of a block's pixels below the brightness that stands for its empty places.
const QUANTILE: f64 = 0.9;
/// Number of terms of the surface: 1, x, y, x², xy, y².
pub(super) const TERMS: usize = 6;
/// Rounds of the fit. The first one takes the light within a block for even; the second corrects that.
const ROUNDS: usize = 2;
/// Passes of the reweighted fit of a round.
const PASSES: usize = 15;
/// Weight of a block below the surface, relative to one above it: cells may cover a block wholly.
const BELOW: f64 = 0.15;
/// Smallest spread of the residuals that a pass assumes, in powers of ten.
const LEAST_SPREAD: f64 = 4e-4;
/// About how many pixels are looked at; more do not change the surface.
const MAX_PIXELS: usize = 1 << 16;

/// The light of empty places across a field: for each colour, the decimal logarithm of the 8-bit sample plus
/// one as a quadratic surface over the field.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    /// Coefficients of 1, x, y, x², xy and y², for red, green and blue. Both coordinates run from −1 to 1.
    coefficients: [[f32; TERMS]; 3],
}

impl Background {
    /// Fits the surface to an image of a field of any size.
    ///
    /// Iteratively reweighted least squares (Holland and Welsch 1977) over the 90th percentiles of 12 × 12
    /// blocks. Blocks below the surface count little, and less the farther below they lie. It works on one core, so that
    /// it can run where others wait for its result, as under a lock.
    ///
    /// # Panics
    /// If the image has no pixels.
    pub fn fit(image: &RgbImage) -> Self {
        let mut surface = Self {
            coefficients: [[0.0; TERMS]; 3],
        };
        let logarithms = Logarithms::new();
        for _ in 0..ROUNDS {
            let blocks = Block::all(image, &surface, &logarithms);
            for (channel, coefficients) in surface.coefficients.iter_mut().enumerate() {
                let levels: Vec<f64> = blocks.iter().map(|block| block.above[channel]).collect();
                for (term, change) in coefficients.iter_mut().zip(envelope(&blocks, &levels)) {
                    *term += change as f32;
                }
            }
        }
        surface
    }

    /// The surface with these coefficients of 1, x, y, x², xy and y².
    pub(super) fn with_coefficients(coefficients: [[f32; TERMS]; 3]) -> Self {
        Self { coefficients }
    }

    /// The coefficients of 1, x, y, x², xy and y², for red, green and blue.
    pub(super) fn coefficients(&self) -> [[f32; TERMS]; 3] {
        self.coefficients
    }

    /// The surface along a row of the image that it was fitted to, or of the same field at another size. The row is
    /// [relative](relative) to the height.
    pub(crate) fn row(&self, y: f32) -> RowLight {
        RowLight(
            self.coefficients
                .map(|[one, x, y1, xx, xy, yy]| [one + (y1 + yy * y) * y, x + xy * y, xx]),
        )
    }
}

/// The surface along one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowLight([[f32; 3]; 3]);

impl RowLight {
    /// Decimal logarithms of the samples of an empty place plus one, at a column [relative](relative) to the width.
    pub(crate) fn at(self, x: f32) -> [f32; 3] {
        self.0
            .map(|[one, first, second]| one + (first + second * x) * x)
    }
}

/// The middle of a pixel in coordinates from −1 to 1.
pub(crate) fn relative(pixel: f32, pixels: f32) -> f32 {
    (2.0 * pixel + 1.0) / pixels - 1.0
}

/// A block of the field.
#[derive(Debug)]
struct Block {
    /// The terms of the surface at its middle.
    terms: [f64; TERMS],
    /// How far its empty places lie above the surface, by colour, in powers of ten.
    above: [f64; 3],
}

impl Block {
    fn all(image: &RgbImage, surface: &Background, logarithms: &Logarithms) -> Vec<Self> {
        let mut heights = Default::default();
        let places = (0..BLOCKS).flat_map(|row| (0..BLOCKS).map(move |column| [column, row]));
        places
            .filter_map(|place| Self::at(place, image, surface, logarithms, &mut heights))
            .collect()
    }

    /// The block in this column and row; `None` if it has no pixels. `heights` is a buffer.
    fn at(
        [column, row]: [usize; 2],
        image: &RgbImage,
        surface: &Background,
        logarithms: &Logarithms,
        heights: &mut [Vec<f32>; 3],
    ) -> Option<Self> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let step = ((width * height) as f64 / MAX_PIXELS as f64).sqrt().ceil() as usize;
        let step = step.clamp(1, (width.min(height) / (4 * BLOCKS)).max(1));
        let range = |block: usize, side: usize| block * side / BLOCKS..(block + 1) * side / BLOCKS;
        let (columns, rows) = (range(column, width), range(row, height));
        heights.iter_mut().for_each(Vec::clear);
        for y in rows.clone().step_by(step) {
            let light = surface.row(relative(y as f32, height as f32));
            for x in columns.clone().step_by(step) {
                let pixel = image.get_pixel(x as u32, y as u32).0;
                let light = light.at(relative(x as f32, width as f32));
                for ((heights, sample), light) in heights.iter_mut().zip(pixel).zip(light) {
                    heights.push(logarithms.of(sample) - light);
                }
            }
        }
        if heights[0].is_empty() {
            return None;
        }
        let middle = |range: Range<usize>, side: usize| {
            f64::from(relative(
                (range.start + range.end - 1) as f32 / 2.0,
                side as f32,
            ))
        };
        let (x, y) = (middle(columns, width), middle(rows, height));
        Some(Self {
            terms: [1.0, x, y, x * x, x * y, y * y],
            above: std::array::from_fn(|channel| quantile(&mut heights[channel])),
        })
    }
}

/// The value that [`QUANTILE`] of the values do not exceed.
fn quantile(values: &mut [f32]) -> f64 {
    let at = (QUANTILE * (values.len() - 1) as f64).round() as usize;
    let (_, value, _) = values.select_nth_unstable_by(at, f32::total_cmp);
    f64::from(*value)
}

/// The surface through the upper envelope of the levels.
fn envelope(blocks: &[Block], levels: &[f64]) -> [f64; TERMS] {
    let mut weights = vec![1.0; blocks.len()];
    let mut surface = [0.0; TERMS];
    for _ in 0..PASSES {
        surface = least_squares(blocks, levels, &weights);
        let residuals: Vec<f64> = blocks
            .iter()
            .zip(levels)
            .map(|(block, level)| level - dot(&surface, &block.terms))
            .collect();
        let mut sizes: Vec<f64> = residuals.iter().map(|residual| residual.abs()).collect();
        let middle = sizes.len() / 2;
        let (_, median, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
        let spread = median.max(LEAST_SPREAD);
        for (weight, residual) in weights.iter_mut().zip(residuals) {
            *weight = if residual > 0.0 {
                1.0
            } else {
                BELOW / (1.0 + (residual / (2.0 * spread)).powi(2))
            };
        }
    }
    surface
}

/// Weighted least squares by the normal equations. A slight pull towards a flat surface keeps them solvable for
/// images that are narrower than the blocks.
fn least_squares(blocks: &[Block], levels: &[f64], weights: &[f64]) -> [f64; TERMS] {
    const RIDGE: f64 = 1e-6;
    let mut matrix = [[0.0; TERMS]; TERMS];
    let mut right = [0.0; TERMS];
    for ((block, level), weight) in blocks.iter().zip(levels).zip(weights) {
        for (row, first) in block.terms.iter().enumerate() {
            right[row] += weight * first * level;
            for (column, second) in block.terms.iter().enumerate() {
                matrix[row][column] += weight * first * second;
            }
        }
    }
    for (term, row) in matrix.iter_mut().enumerate().skip(1) {
        row[term] += RIDGE * blocks.len() as f64;
    }
    solve(&matrix, right)
}

/// Solves a positive definite system by Cholesky's factorisation.
fn solve(matrix: &[[f64; TERMS]; TERMS], right: [f64; TERMS]) -> [f64; TERMS] {
    let mut factor = [[0.0; TERMS]; TERMS];
    for row in 0..TERMS {
        for column in 0..=row {
            let known: f64 = (0..column)
                .map(|at| factor[row][at] * factor[column][at])
                .sum();
            let rest = matrix[row][column] - known;
            factor[row][column] = if row == column {
                rest.max(f64::MIN_POSITIVE).sqrt()
            } else {
                rest / factor[column][column]
            };
        }
    }
    let mut solution = right;
    for row in 0..TERMS {
        let known: f64 = (0..row).map(|at| factor[row][at] * solution[at]).sum();
        solution[row] = (solution[row] - known) / factor[row][row];
    }
    for row in (0..TERMS).rev() {
        let known: f64 = (row + 1..TERMS)
            .map(|at| factor[at][row] * solution[at])
            .sum();
        solution[row] = (solution[row] - known) / factor[row][row];
    }
    solution
}

fn dot(first: &[f64; TERMS], second: &[f64; TERMS]) -> f64 {
    first.iter().zip(second).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// A lamp that falls off towards the corners, differently for each colour.
    fn lamp(x: u32, y: u32, width: u32, height: u32) -> [f32; 3] {
        let (x, y) = (
            relative(x as f32, width as f32),
            relative(y as f32, height as f32),
        );
        [0.1, 0.3, 0.2].map(|fall| 220.0 * 10.0_f32.powf(-fall * (x * x + y * y) + 0.05 * x))
    }

    fn worst(background: &Background, width: u32, height: u32) -> f32 {
        let mut worst = 0.0_f32;
        for y in 0..height {
            let row = background.row(relative(y as f32, height as f32));
            for x in 0..width {
                let light = row.at(relative(x as f32, width as f32));
                for (light, truth) in light.into_iter().zip(lamp(x, y, width, height)) {
                    worst = worst.max((light - (truth + 1.0).log10()).abs());
                }
            }
        }
        worst
    }

    #[test]
    fn the_surface_is_the_lamp_between_the_cells() {
        let (width, height) = (240, 180);
        // Discs that take half of the light cover about half of the field, and a corner wholly.
        let image = RgbImage::from_fn(width, height, |x, y| {
            let (column, row) = (x % 20, y % 20);
            let disc = (column as f32 - 10.0).hypot(row as f32 - 10.0) < 8.0;
            let share = if disc || (x < 50 && y < 40) { 0.5 } else { 1.0 };
            Rgb(lamp(x, y, width, height).map(|light| (light * share).round() as u8))
        });
        let background = Background::fit(&image);
        // Within 2 % of the light, 0.009 powers of ten.
        let worst = worst(&background, width, height);
        assert!(worst < 0.009, "{worst}");
    }

    #[test]
    fn one_colour_is_its_own_background_at_any_size() {
        for (width, height) in [(1, 1), (5, 3), (40, 700)] {
            let image = RgbImage::from_pixel(width, height, Rgb([255, 99, 0]));
            let background = Background::fit(&image);
            let light = background.row(0.0).at(0.0);
            for (light, truth) in light.into_iter().zip([256.0_f32, 100.0, 1.0]) {
                assert!((light - truth.log10()).abs() < 1e-3, "{light} {truth}");
            }
        }
    }
}
