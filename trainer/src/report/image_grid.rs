//! Grids of small images with captions.

use std::convert::Infallible;
use std::path::Path;

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_9X15};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::text::{Baseline, Text};
use image::{ImageFormat, Rgb, RgbImage, imageops};

use crate::error::TrainError;

/// The layout of a grid.
#[derive(Debug)]
pub(crate) struct GridFormat {
    /// Images per row.
    columns: u32,
    /// Largest width and height of an image.
    image: (u32, u32),
    font: &'static MonoFont<'static>,
    /// Lines of a caption.
    lines: u32,
}

/// For many images, or for few that are examined closely.
pub(crate) const SMALL: GridFormat = GridFormat {
    columns: 12,
    image: (128, 96),
    font: &FONT_6X10,
    lines: 2,
};
pub(crate) const LARGE: GridFormat = GridFormat {
    columns: 6,
    image: (256, 192),
    font: &FONT_9X15,
    lines: 1,
};

/// Width of the frame around an image.
const FRAME: u32 = 3;
const BACKGROUND: Rgb<u8> = Rgb([255, 255, 255]);

/// Colours of frames.
pub(crate) const POSITIVE: Rgb<u8> = Rgb([200, 30, 30]);
pub(crate) const NEGATIVE: Rgb<u8> = Rgb([30, 140, 60]);
pub(crate) const PLAIN: Rgb<u8> = Rgb([120, 120, 120]);

/// A grid of images, filled row by row.
pub(crate) struct ImageGrid {
    format: &'static GridFormat,
    canvas: Canvas,
    filled: u32,
}

struct Canvas(RgbImage);

impl GridFormat {
    /// An empty grid for a number of images.
    pub(crate) fn grid(&'static self, title: &str, images: usize) -> ImageGrid {
        let (width, height) = self.cell();
        let rows = (images as u32).div_ceil(self.columns);
        let (width, height) = (self.columns * width, rows * height + self.line());
        let mut canvas = Canvas(RgbImage::from_pixel(width, height, BACKGROUND));
        canvas.write(self.font, title, 2, 1);
        ImageGrid {
            format: self,
            canvas,
            filled: 0,
        }
    }

    /// Scales an image to fit a cell, keeping its proportions.
    pub(crate) fn shrink(&self, image: &RgbImage) -> RgbImage {
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let scale = (f64::from(self.image.0) / width).min(f64::from(self.image.1) / height);
        let side = |length: f64| ((length * scale) as u32).max(1);
        imageops::thumbnail(image, side(width), side(height))
    }

    /// Height of a line of text.
    fn line(&self) -> u32 {
        self.font.character_size.height + 2
    }

    /// Width and height of a cell: an image with its frame and caption.
    fn cell(&self) -> (u32, u32) {
        let (width, height) = self.image;
        (
            width + 2 * FRAME + 4,
            height + 2 * FRAME + self.lines * self.line() + 4,
        )
    }
}

impl ImageGrid {
    /// Adds an image that was [shrunk](GridFormat::shrink), or an empty cell.
    pub(crate) fn add(&mut self, image: Option<&RgbImage>, frame: Rgb<u8>, caption: &str) {
        let format = self.format;
        let (width, height) = format.cell();
        let left = self.filled % format.columns * width;
        let top = self.filled / format.columns * height + format.line();
        self.filled += 1;
        if let Some(image) = image {
            self.canvas.frame(image, left, top, frame);
        }
        let length = (format.image.0 / format.font.character_size.width) as usize;
        let caption: Vec<char> = shorten(caption, format.lines as usize * length)
            .chars()
            .collect();
        let mut below = top + format.image.1 + 2 * FRAME + 1;
        for line in caption.chunks(length) {
            let line: String = line.iter().collect();
            self.canvas.write(format.font, &line, left + FRAME, below);
            below += format.line();
        }
    }

    /// Appends another grid below this one.
    pub(crate) fn append(&mut self, other: &ImageGrid) {
        let (upper, lower) = (&self.canvas.0, &other.canvas.0);
        let width = upper.width().max(lower.width());
        let height = upper.height() + lower.height();
        let mut canvas = RgbImage::from_pixel(width, height, BACKGROUND);
        imageops::replace(&mut canvas, upper, 0, 0);
        imageops::replace(&mut canvas, lower, 0, upper.height().into());
        self.canvas.0 = canvas;
    }

    /// Writes the grid as PNG.
    ///
    /// # Errors
    /// [`TrainError::Output`] if it cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<(), TrainError> {
        self.canvas
            .0
            .save_with_format(path, ImageFormat::Png)
            .map_err(|error| TrainError::output(path, std::io::Error::other(error)))
    }
}

/// Cuts a text in the middle, since the ends of file names differ most.
fn shorten(text: &str, max_chars: usize) -> String {
    const CUT: [char; 2] = ['.'; 2];
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= max_chars {
        return text.into();
    }
    let kept = max_chars.saturating_sub(CUT.len());
    let head = &chars[..kept / 3];
    let tail = &chars[chars.len() - (kept - head.len())..];
    head.iter().chain(&CUT).chain(tail).collect()
}

impl Canvas {
    fn frame(&mut self, image: &RgbImage, left: u32, top: u32, colour: Rgb<u8>) {
        let (width, height) = image.dimensions();
        let frame = RgbImage::from_pixel(width + 2 * FRAME, height + 2 * FRAME, colour);
        imageops::replace(&mut self.0, &frame, left.into(), top.into());
        let inside = (left + FRAME, top + FRAME);
        imageops::replace(&mut self.0, image, inside.0.into(), inside.1.into());
    }

    fn write(&mut self, font: &MonoFont, text: &str, left: u32, top: u32) {
        let style = MonoTextStyle::new(font, Rgb888::BLACK);
        let place = Point::new(left as i32, top as i32);
        match Text::with_baseline(text, place, style, Baseline::Top).draw(self) {
            Ok(_) => {}
            Err(never) => match never {},
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, colour) in pixels {
            let place = u32::try_from(x).ok().zip(u32::try_from(y).ok());
            if let Some(pixel) = place.and_then(|(x, y)| self.0.get_pixel_mut_checked(x, y)) {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("3 a.png", 21), "3 a.png");
        let long = "17 ward-seven_2026-10-04_patient0012_field0345.jpg";
        assert_eq!(shorten(long, 26), "17 ward-..12_field0345.jpg");
        assert_eq!(shorten("äöüäöü", 5), "ä..öü");
    }
}
