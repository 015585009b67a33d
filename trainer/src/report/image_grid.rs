//! Small pictures with captions on one large one.

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

/// What a sheet has room for.
#[derive(Debug)]
pub(crate) struct Format {
    /// Pictures in a row.
    columns: u32,
    /// Largest width and height of a picture.
    picture: (u32, u32),
    font: &'static MonoFont<'static>,
}

/// For many pictures, and for few that are looked at closely.
pub(crate) const SMALL: Format = Format {
    columns: 12,
    picture: (128, 96),
    font: &FONT_6X10,
};
pub(crate) const LARGE: Format = Format {
    columns: 6,
    picture: (256, 192),
    font: &FONT_9X15,
};

/// The frame around a picture.
const FRAME: u32 = 3;
const GROUND: Rgb<u8> = Rgb([255, 255, 255]);

/// Colours of frames.
pub(crate) const POSITIVE: Rgb<u8> = Rgb([200, 30, 30]);
pub(crate) const NEGATIVE: Rgb<u8> = Rgb([30, 140, 60]);
pub(crate) const PLAIN: Rgb<u8> = Rgb([120, 120, 120]);

/// A sheet of pictures, filled row by row.
pub(crate) struct Sheet {
    format: &'static Format,
    paper: Paper,
    filled: u32,
}

struct Paper(RgbImage);

impl Format {
    /// An empty sheet for some pictures.
    pub(crate) fn sheet(&'static self, title: &str, pictures: usize) -> Sheet {
        let (width, height) = self.tile();
        let rows = (pictures as u32).div_ceil(self.columns);
        let (width, height) = (self.columns * width, rows * height + self.line());
        let mut paper = Paper(RgbImage::from_pixel(width, height, GROUND));
        paper.write(self.font, title, 2, 1);
        Sheet {
            format: self,
            paper,
            filled: 0,
        }
    }

    /// As large as the room allows, with the proportions kept.
    pub(crate) fn shrink(&self, image: &RgbImage) -> RgbImage {
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let scale = (f64::from(self.picture.0) / width).min(f64::from(self.picture.1) / height);
        let side = |length: f64| ((length * scale) as u32).max(1);
        imageops::thumbnail(image, side(width), side(height))
    }

    /// Height of a line of text.
    fn line(&self) -> u32 {
        self.font.character_size.height + 2
    }

    /// Width and height of a picture with all that is around it.
    fn tile(&self) -> (u32, u32) {
        let (width, height) = self.picture;
        (width + 2 * FRAME + 4, height + 2 * FRAME + self.line() + 4)
    }
}

impl Sheet {
    /// Adds a picture that was [shrunk](Format::shrink), or leaves its place empty.
    pub(crate) fn add(&mut self, picture: Option<&RgbImage>, frame: Rgb<u8>, caption: &str) {
        let format = self.format;
        let (width, height) = format.tile();
        let left = self.filled % format.columns * width;
        let top = self.filled / format.columns * height + format.line();
        self.filled += 1;
        if let Some(picture) = picture {
            self.paper.frame(picture, left, top, frame);
        }
        let most = format.picture.0 / format.font.character_size.width;
        let caption: String = caption.chars().take(most as usize).collect();
        let below = top + format.picture.1 + 2 * FRAME + 1;
        self.paper.write(format.font, &caption, left + FRAME, below);
    }

    /// Puts another sheet below this one.
    pub(crate) fn append(&mut self, other: &Sheet) {
        let (upper, lower) = (&self.paper.0, &other.paper.0);
        let width = upper.width().max(lower.width());
        let height = upper.height() + lower.height();
        let mut paper = RgbImage::from_pixel(width, height, GROUND);
        imageops::replace(&mut paper, upper, 0, 0);
        imageops::replace(&mut paper, lower, 0, upper.height().into());
        self.paper.0 = paper;
    }

    /// Writes the sheet as PNG.
    ///
    /// # Errors
    /// [`TrainError::Output`] if it cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<(), TrainError> {
        self.paper
            .0
            .save_with_format(path, ImageFormat::Png)
            .map_err(|error| TrainError::output(path, std::io::Error::other(error)))
    }
}

impl Paper {
    fn frame(&mut self, picture: &RgbImage, left: u32, top: u32, colour: Rgb<u8>) {
        let (width, height) = picture.dimensions();
        let frame = RgbImage::from_pixel(width + 2 * FRAME, height + 2 * FRAME, colour);
        imageops::replace(&mut self.0, &frame, left.into(), top.into());
        let inside = (left + FRAME, top + FRAME);
        imageops::replace(&mut self.0, picture, inside.0.into(), inside.1.into());
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

impl OriginDimensions for Paper {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Paper {
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
