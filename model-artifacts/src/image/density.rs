//! Optical density: what a field looks like without its lamp.

use image::RgbImage;

use super::background::Background;
use super::contract::ResizeFilter;
use super::logarithms::Logarithms;
use super::resample::Resampler;

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
        let logarithms = Logarithms::new();
        let mut field = Self {
            width,
            height,
            red: Vec::with_capacity(width * height),
            green: Vec::with_capacity(width * height),
        };
        let mut resampler = Resampler::new(ResizeFilter::Area, width, height);
        let (mut column, mut row) = (0, 0);
        let mut light = background.row(0.0, height as f32);
        resampler.resize(image, |pixel| {
            let empty = light.at(column as f32, width as f32);
            let [red, green, _] = logarithms.density(empty, pixel);
            field.red.push(red);
            field.green.push(green);
            column += 1;
            if column == width {
                column = 0;
                row += 1;
                light = background.row(row as f32, height as f32);
            }
        });
        field
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
