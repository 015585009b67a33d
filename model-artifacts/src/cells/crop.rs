//! One cell, cut out of its field.

use image::RgbImage;

use super::cell_site::CellSite;
use crate::image::background::{Background, relative};
use crate::image::contract::ResizeFilter;
use crate::image::density::Grid;
use crate::image::logarithms::Logarithms;
use crate::image::resample::{Part, Resampler};
use crate::manifest::cells::CropInput;

/// Smallest and largest side of a crop in the field, in pixels: with fewer, a nucleus has no texture; more are no
/// field of a microscope.
const SOURCE_SIDES: std::ops::RangeInclusive<f32> = 24.0..=4096.0;

/// Optical density around one cell, whose centre is the middle of the square.
#[derive(Debug, Clone, PartialEq)]
pub struct CellCrop {
    /// Number of columns and of rows.
    pub side: usize,
    /// Size of a pixel, µm.
    pub um_per_pixel: f32,
    /// `side × side` densities in red light, row by row from the top; 0 outside the field.
    pub red: Vec<f32>,
    /// The same in green light.
    pub green: Vec<f32>,
}

/// Cuts cells out of fields; reuses its buffers.
#[derive(Debug)]
pub struct Cropper {
    input: CropInput,
    resampler: Resampler,
    logarithms: Logarithms,
}

impl Cropper {
    /// A cropper for the input of one network.
    pub fn new(input: CropInput) -> Self {
        let side = input.side as usize;
        Self {
            input,
            resampler: Resampler::new(ResizeFilter::Area, side, side),
            logarithms: Logarithms::new(),
        }
    }

    /// Cuts out a cell. Its place is in pixels of the image, whose scale is `um_per_pixel`; the crop's border lies
    /// on borders of pixels, up to half a pixel from where it should. `None` if a crop has too few or too many
    /// pixels at this scale, or the cell does not lie in the field.
    pub fn cut(
        &mut self,
        image: &RgbImage,
        background: &Background,
        um_per_pixel: f32,
        site: &CellSite,
    ) -> Option<CellCrop> {
        let source_side = self.input.side as f32 * self.input.um_per_pixel / um_per_pixel;
        let (width, height) = image.dimensions();
        let is_in_field = site.is_centred_in(width as f32, height as f32);
        if !SOURCE_SIDES.contains(&source_side) || !is_in_field {
            return None;
        }
        let source_side = source_side.round() as i64;
        let start = |centre: f32| (centre - source_side as f32 / 2.0).round() as i64;
        let (left, top) = (start(site.x), start(site.y));
        let source_pixels = source_side as usize;
        let step = source_side as f32 / self.input.side as f32;
        // The middle of each pixel of the crop in the field.
        let places = |start: i64, length: f32| -> Vec<f32> {
            let place = |at: u32| start as f32 + (at as f32 + 0.5) * step - 0.5;
            (0..self.input.side)
                .map(|at| relative(place(at), length))
                .collect()
        };
        let grid = Grid {
            columns: places(left, width as f32),
            rows: places(top, height as f32),
        };
        let within = |start: i64, length: u32| {
            let start = usize::try_from(start).ok()?;
            (start + source_pixels <= length as usize).then_some(start)
        };
        let pixels = match (within(left, width), within(top, height)) {
            (Some(left), Some(top)) => {
                let part = Part {
                    corner: [left, top],
                    size: [source_pixels; 2],
                };
                self.resampler.resize_part(image, part)
            }
            _ => self
                .resampler
                .resize(&square(image, [left, top], source_pixels)),
        };
        let [red, green] = grid.densities(pixels, background, &self.logarithms);
        Some(CellCrop {
            side: self.input.side as usize,
            um_per_pixel: self.input.um_per_pixel,
            red,
            green,
        })
    }
}

/// The square of an image whose upper left corner this is. Beyond the image, its outermost pixels repeat, so that averaging
/// does not darken them.
fn square(image: &RgbImage, [left, top]: [i64; 2], side: usize) -> RgbImage {
    const CHANNELS: usize = 3;
    let (width, height) = (image.width() as usize, image.height() as usize);
    // Columns before, within and after the image.
    let before = usize::try_from(-left).unwrap_or(0).min(side);
    let first = usize::try_from(left).unwrap_or(0).min(width - 1);
    let within = (width - first).min(side - before);
    let mut square = RgbImage::new(side as u32, side as u32);
    for (row, pixels) in square.chunks_exact_mut(side * CHANNELS).enumerate() {
        let row = (top + row as i64).clamp(0, height as i64 - 1) as usize;
        let line = &image.as_raw()[row * width * CHANNELS..][..width * CHANNELS];
        let (left, rest) = pixels.split_at_mut(before * CHANNELS);
        let (middle, right) = rest.split_at_mut(within * CHANNELS);
        middle.copy_from_slice(&line[first * CHANNELS..][..within * CHANNELS]);
        for (pixels, border) in [(left, 0), (right, width - 1)] {
            for pixel in pixels.chunks_exact_mut(CHANNELS) {
                pixel.copy_from_slice(&line[border * CHANNELS..][..CHANNELS]);
            }
        }
    }
    square
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const INPUT: CropInput = CropInput {
        um_per_pixel: 0.25,
        side: 96,
        batch: 1,
    };

    /// A field of 0.1 µm per pixel with a disc of 6 µm that takes three quarters of the light.
    fn field(centre: [f32; 2]) -> RgbImage {
        RgbImage::from_fn(500, 400, |x, y| {
            let distance = (x as f32 + 0.5 - centre[0]).hypot(y as f32 + 0.5 - centre[1]);
            Rgb(if distance < 30.0 { [49; 3] } else { [199; 3] })
        })
    }

    fn cut(centre: [f32; 2], um_per_pixel: f32) -> Option<CellCrop> {
        let image = field(centre);
        let site = CellSite {
            x: centre[0],
            y: centre[1],
            diameter: 60.0,
            score: 1.0,
        };
        Cropper::new(INPUT).cut(&image, &Background::fit(&image), um_per_pixel, &site)
    }

    #[test]
    fn the_cell_is_in_the_middle_at_its_size() {
        let crop = cut([251.0, 202.5], 0.1).unwrap();
        let dark: Vec<usize> = (0..96 * 96).filter(|&at| crop.red[at] > 0.2).collect();
        // A disc of 6 µm in diameter is one of 24 pixels.
        let area = std::f32::consts::PI * 12.0 * 12.0;
        assert!(
            (dark.len() as f32 - area).abs() < 0.03 * area,
            "{}",
            dark.len()
        );
        let mean = |of: fn(usize) -> usize| {
            dark.iter().map(|&at| of(at) as f32 + 0.5).sum::<f32>() / dark.len() as f32
        };
        let (x, y) = (mean(|at| at % 96), mean(|at| at / 96));
        assert!((x - 48.0).abs() < 0.3 && (y - 48.0).abs() < 0.3, "{x} {y}");
        assert!((crop.green[48 * 96 + 48] - 4.0_f32.log10()).abs() < 0.01);
        assert!((crop.um_per_pixel - 0.25).abs() < 1e-6);
    }

    #[test]
    fn outside_the_field_there_is_nothing() {
        let crop = cut([0.0, 200.0], 0.1).unwrap();
        let row = &crop.red[48 * 96..49 * 96];
        assert!(row[..48].iter().all(|density| *density == 0.0));
        // The disc itself reaches the frame: no darker line lies there.
        assert!(
            row[48..59]
                .iter()
                .all(|density| (*density - row[53]).abs() < 0.02),
            "{row:?}"
        );
        assert!(row[49..59].iter().all(|density| *density > 0.5));
    }

    #[test]
    fn a_square_beyond_the_image_repeats_its_border() {
        let image = RgbImage::from_fn(7, 5, |x, y| Rgb([x as u8, y as u8, 9]));
        for corner in [[0, 0], [-3, -2], [4, 3], [-1, 2], [2, -1], [-9, 6], [6, -9]] {
            let found = square(&image, corner, 6);
            let expected = RgbImage::from_fn(6, 6, |x, y| {
                let x = (corner[0] + i64::from(x)).clamp(0, 6);
                let y = (corner[1] + i64::from(y)).clamp(0, 4);
                *image.get_pixel(x as u32, y as u32)
            });
            assert_eq!(found, expected, "{corner:?}");
        }
    }

    #[test]
    fn scales_at_which_nothing_can_be_seen_have_no_crop() {
        for um_per_pixel in [1.1, 1e-4, 0.0, -1.0, f32::NAN] {
            assert_eq!(cut([250.0, 200.0], um_per_pixel), None, "{um_per_pixel}");
        }
        assert_eq!(cut([-5.0, 200.0], 0.1), None);
        assert_eq!(cut([f32::NAN, 200.0], 0.1), None);
    }
}
