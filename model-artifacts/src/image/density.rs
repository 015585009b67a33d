//! Optical density: what a field looks like without its lamp.

use image::RgbImage;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::background::{Background, relative};
use super::contract::ResizeFilter;
use super::logarithms::Logarithms;
use super::resample::Resampler;

/// Fewest rows whose densities a core computes at a time.
const LEAST_ROWS: usize = 64;

/// Optical density of a field in red and green light at a size of its own: `log₁₀ (I₀ + 1) − log₁₀ (I + 1)`
/// for the samples of the empty field and of the image, within −0.15 to 2.
///
/// Nuclei absorb red and green light, red cells green light. Blue light tells kinds of stain apart rather
/// than kinds of cells, and is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DensityField {
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// `width × height` densities in red light, row by row from the top.
    pub red: Vec<f32>,
    /// The same in green light.
    pub green: Vec<f32>,
}

impl DensityField {
    /// The density of a field, averaged over areas to `width` × `height` pixels, both above 0.
    ///
    /// # Panics
    /// If the image has no pixels.
    pub fn of(image: &RgbImage, background: &Background, width: usize, height: usize) -> Self {
        let mut resampler = Resampler::new(ResizeFilter::Area, width, height);
        Self::of_pixels(resampler.resize(image), background, width, height)
    }

    /// The density of `width` × `height` pixels of a field, row by row.
    pub(crate) fn of_pixels(
        pixels: &[[u8; 3]],
        background: &Background,
        width: usize,
        height: usize,
    ) -> Self {
        let all = |length: usize| -> Vec<f32> {
            let places = (0..length).map(|at| relative(at as f32, length as f32));
            places.collect()
        };
        let grid = Grid {
            columns: all(width),
            rows: all(height),
        };
        let [red, green] = grid.densities(pixels, background, &Logarithms::new());
        Self {
            width,
            height,
            red,
            green,
        }
    }
}

/// Where columns and rows of pixels lie in a field.
pub(crate) struct Grid {
    /// [Relative](relative) to the field's width.
    pub(crate) columns: Vec<f32>,
    /// Relative to its height.
    pub(crate) rows: Vec<f32>,
}

impl Grid {
    /// Densities of pixels on the grid in red and in green light, row by row; 0 outside the field.
    pub(crate) fn densities(
        &self,
        pixels: &[[u8; 3]],
        background: &Background,
        logarithms: &Logarithms,
    ) -> [Vec<f32>; 2] {
        let width = self.columns.len();
        let is_inside = |place: f32| (-1.0..1.0).contains(&place);
        let mut planes = [vec![0.0; pixels.len()], vec![0.0; pixels.len()]];
        let [red, green] = &mut planes;
        red.par_chunks_exact_mut(width)
            .zip(green.par_chunks_exact_mut(width))
            .zip(pixels.par_chunks_exact(width))
            .zip(self.rows.par_iter())
            .with_min_len(LEAST_ROWS)
            .for_each(|(((reds, greens), pixels), y)| {
                if !is_inside(*y) {
                    return;
                }
                let light = background.row(*y);
                let densities = reds.iter_mut().zip(greens).zip(pixels);
                for (((red, green), pixel), x) in densities.zip(&self.columns) {
                    if is_inside(*x) {
                        [*red, *green, _] = logarithms.density(light.at(*x), *pixel);
                    }
                }
            });
        planes
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn density_is_the_logarithm_of_the_light_that_is_left() {
        // A tenth of the field takes half of the red and a fifth of the green light.
        let image = RgbImage::from_fn(120, 80, |x, y| {
            if (40..60).contains(&x) && (30..70).contains(&y) {
                Rgb([99, 159, 10])
            } else {
                Rgb([199, 199, 199])
            }
        });
        let background = Background::fit(&image);
        let field = DensityField::of(&image, &background, 60, 40);
        assert_eq!((field.width, field.height), (60, 40));
        let at = |x: usize, y: usize| [field.red[y * 60 + x], field.green[y * 60 + x]];
        let close = |actual: [f32; 2], expected: [f32; 2]| {
            for (actual, expected) in actual.into_iter().zip(expected) {
                assert!((actual - expected).abs() < 5e-3, "{actual} {expected}");
            }
        };
        close(at(5, 5), [0.0, 0.0]);
        close(at(25, 25), [2.0_f32.log10(), 1.25_f32.log10()]);
    }

    #[test]
    fn the_same_cells_have_the_same_density_under_another_lamp() {
        let cells = |lamp: [f32; 3]| {
            let image = RgbImage::from_fn(200, 150, |x, y| {
                let slope = 1.0 - 0.3 * (x as f32 / 200.0 - 0.5);
                let share = if x % 25 < 8 && y % 25 < 8 { 0.4 } else { 1.0 };
                Rgb(lamp.map(|light| (light * slope * share).round() as u8))
            });
            DensityField::of(&image, &Background::fit(&image), 200, 150)
        };
        let (first, second) = (cells([220.0, 210.0, 200.0]), cells([150.0, 190.0, 90.0]));
        let pairs = first.red.iter().zip(&second.red);
        let farthest = pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        // Samples are rounded to one of some sixty levels in the darkest places.
        assert!(farthest < 0.012, "{farthest}");
    }
}
