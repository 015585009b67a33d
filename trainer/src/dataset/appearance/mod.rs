//! What a picture looks like apart from the shapes in it: what may tell a data set, and its label, without any cell.

mod grey;
mod jpeg_tables;
mod noise;
mod region;

use image::RgbImage;

use grey::Grey;
use jpeg_tables::JpegTables;
use noise::BANDS;
use region::{Frame, mean_colour, mean_corners};

/// Columns and rows in the middle of a picture in which sharpness and noise are measured.
const MIDDLE: u32 = 256;

/// The look of a picture, in numbers that do not depend on its size.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Appearance {
    /// Mean and standard deviation of red, green and blue, 0 to 255.
    pub(crate) colour: [f32; 6],
    /// The same of the pixels along the sides.
    pub(crate) border: [f32; 6],
    /// Mean red, green and blue of each corner, 0 to 255.
    pub(crate) corners: [f32; 12],
    /// Logarithm of the variance of the Laplacian in the middle of the picture, and in a copy of half its size.
    pub(crate) sharpness: [f32; 2],
    /// Logarithm of the mean power of the middle at some spatial frequencies, from low to high.
    pub(crate) noise: [f32; BANDS],
    /// Entries of the quantisation tables; zeros if the file is no JPEG.
    pub(crate) jpeg_tables: JpegTables,
}

impl Appearance {
    /// The look of a picture that these bytes of a file hold.
    pub(crate) fn of(picture: &RgbImage, bytes: &[u8]) -> Self {
        let middle = Grey::middle(picture, MIDDLE);
        let frame = Frame::of(picture.dimensions());
        Self {
            colour: mean_colour(picture, |_, _| true),
            border: mean_colour(picture, |x, y| frame.contains(x, y)),
            corners: mean_corners(picture),
            sharpness: middle.sharpness(|_, _| true),
            noise: noise::spectrum(&middle),
            jpeg_tables: JpegTables::of(bytes),
        }
    }
}

/// The look of the margin of a crop in whose middle a cell lies: colour and sharpness along the sides, colour of the
/// corners, and the quantisation tables of the file that the crop is from. None of it sees the cell.
pub(crate) fn look_of_margin(crop: &RgbImage, bytes: &[u8]) -> Vec<f32> {
    let (width, height) = crop.dimensions();
    let frame = Frame::of((width, height));
    let whole = Grey::middle(crop, width.max(height));
    let sharpness = whole.sharpness(|x, y| frame.contains(x, y));
    let mut look = mean_colour(crop, |x, y| frame.contains(x, y)).to_vec();
    look.extend(mean_corners(crop));
    look.extend(sharpness);
    look.extend(JpegTables::of(bytes).entries());
    look
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, Rgb};

    use super::*;

    const COLOUR: [f32; 6] = [127.4664, 127.8088, 126.5467, 73.9045, 73.5886, 71.9589];
    const BORDER: [f32; 6] = [127.2657, 128.6317, 124.4098, 73.9093, 73.0701, 70.8057];
    const CORNERS: [f32; 12] = [
        125.227, 113.3929, 34.0000, 126.8827, 167.2772, 36.0000, 124.7781, 94.6633, 206.0000,
        127.6378, 167.4558, 208.0000,
    ];
    const SHARPNESS: [f32; 2] = [9.5153, 8.3747];
    const NOISE: [f32; 6] = [11.4065, 9.3061, 7.2779, 6.8051, 6.7244, 6.5681];

    fn picture() -> RgbImage {
        RgbImage::from_fn(300, 200, |x, y| {
            let value = x * 7 + y * 13 + (x * y) % 11 * 5;
            Rgb([value % 256, (value / 3) % 256, (x + y) % 256].map(|value| value as u8))
        })
    }

    fn assert_near(found: &[f32], expected: &[f32], name: &str) {
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, expected) in found.iter().zip(expected) {
            // Sums of a few ten thousand values in single precision.
            let limit = 1e-3 * expected.abs().max(1.0);
            assert!(
                (found - expected).abs() < limit,
                "{name}: {found} {expected}"
            );
        }
    }

    /// The expected values are NumPy's: means and deviations of the slices, `numpy.fft.fft2` of the patches with
    /// `numpy.hanning(130)[1:-1]`, and sums of shifted arrays for the Laplacian.
    #[test]
    fn a_picture_looks_as_numpy_says() {
        let look = Appearance::of(&picture(), b"");
        assert_near(&look.colour, &COLOUR, "colour");
        assert_near(&look.border, &BORDER, "border");
        assert_near(&look.corners, &CORNERS, "corners");
        assert_near(&look.sharpness, &SHARPNESS, "sharpness");
        assert_near(&look.noise, &NOISE, "noise");
        assert_eq!(look.jpeg_tables, JpegTables::default());
    }

    #[test]
    fn the_margin_does_not_see_the_cell() {
        let plain = RgbImage::from_pixel(96, 96, Rgb([220, 200, 210]));
        let mut cell = plain.clone();
        for (x, y, pixel) in cell.enumerate_pixels_mut() {
            // A cell that nearly fills a crop, with one dark and one light half.
            if (x as f32 - 47.5).hypot(y as f32 - 47.5) < 42.0 {
                *pixel = Rgb([[90, 30, 120], [180, 140, 190]][x as usize % 2]);
            }
        }
        assert_eq!(look_of_margin(&cell, b""), look_of_margin(&plain, b""));
        let speck = |x, y| {
            let mut with = plain.clone();
            with.put_pixel(x, y, Rgb([0; 3]));
            look_of_margin(&with, b"")
        };
        for (x, y) in [(1, 48), (48, 94), (3, 3), (93, 93)] {
            assert_ne!(speck(x, y), look_of_margin(&plain, b""), "{x} {y}");
        }
    }

    #[test]
    fn the_smallest_pictures_have_finite_looks() {
        for (width, height) in [(1, 1), (2, 1), (1, 3), (5, 2)] {
            let picture = RgbImage::new(width, height);
            let look = Appearance::of(&picture, b"");
            assert!(
                look.sharpness
                    .iter()
                    .chain(&look.noise)
                    .chain(&look.corners)
                    .all(|value| value.is_finite())
            );
            let margin = look_of_margin(&picture, b"");
            assert!(margin.iter().all(|value| value.is_finite()), "{margin:?}");
        }
    }

    #[test]
    fn two_qualities_differ_in_their_tables() {
        let flat = RgbImage::from_pixel(64, 64, Rgb([200; 3]));
        let look = |quality| {
            let mut bytes = Vec::new();
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
                .encode(&flat, 64, 64, ExtendedColorType::Rgb8)
                .unwrap();
            Appearance::of(&flat, &bytes)
        };
        let (fine, coarse) = (look(90), look(60));
        assert_ne!(fine.jpeg_tables, coarse.jpeg_tables);
        let without_tables = Appearance {
            jpeg_tables: coarse.jpeg_tables,
            ..fine
        };
        assert_eq!(without_tables, coarse);
    }
}
