//! Small pictures with captions on one large one.

use std::convert::Infallible;
use std::path::Path;

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::text::{Baseline, Text};
use image::{ImageFormat, Rgb, RgbImage, imageops};

use crate::error::TrainError;

const COLUMNS: u32 = 12;
/// Room of a picture in its tile, the frame around it, and the line below.
const PICTURE: (u32, u32) = (128, 96);
const FRAME: u32 = 3;
const CAPTION: u32 = 12;
const TILE: (u32, u32) = (
    PICTURE.0 + 2 * FRAME + 4,
    PICTURE.1 + 2 * FRAME + CAPTION + 4,
);
/// Characters of the caption's font that fit below a picture.
const CAPTION_CHARS: usize = (PICTURE.0 / 6) as usize;
const GROUND: Rgb<u8> = Rgb([255, 255, 255]);

/// Colours of frames.
pub(crate) const POSITIVE: Rgb<u8> = Rgb([200, 30, 30]);
pub(crate) const NEGATIVE: Rgb<u8> = Rgb([30, 140, 60]);
pub(crate) const PLAIN: Rgb<u8> = Rgb([120, 120, 120]);

/// A sheet of pictures, filled row by row.
pub(crate) struct Sheet {
    paper: Paper,
    filled: u32,
}

struct Paper(RgbImage);

impl Sheet {
    /// An empty sheet for some pictures.
    pub(crate) fn new(title: &str, pictures: usize) -> Self {
        let rows = (pictures as u32).div_ceil(COLUMNS);
        let (width, height) = (COLUMNS * TILE.0, rows * TILE.1 + CAPTION);
        let mut paper = Paper(RgbImage::from_pixel(width, height, GROUND));
        paper.write(title, 2, 1);
        Self { paper, filled: 0 }
    }

    /// Adds a picture that was [shrunk](shrink), or leaves its place empty.
    pub(crate) fn add(&mut self, picture: Option<&RgbImage>, frame: Rgb<u8>, caption: &str) {
        let left = self.filled % COLUMNS * TILE.0;
        let top = self.filled / COLUMNS * TILE.1 + CAPTION;
        self.filled += 1;
        if let Some(picture) = picture {
            self.paper.frame(picture, left, top, frame);
        }
        let caption: String = caption.chars().take(CAPTION_CHARS).collect();
        let below = top + PICTURE.1 + 2 * FRAME + 1;
        self.paper.write(&caption, left + FRAME, below);
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

/// As large as the room allows, with the proportions kept.
pub(crate) fn shrink(image: &RgbImage) -> RgbImage {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let scale = (f64::from(PICTURE.0) / width).min(f64::from(PICTURE.1) / height);
    let side = |length: f64| ((length * scale) as u32).max(1);
    imageops::thumbnail(image, side(width), side(height))
}

impl Paper {
    fn frame(&mut self, picture: &RgbImage, left: u32, top: u32, colour: Rgb<u8>) {
        let (width, height) = picture.dimensions();
        let frame = RgbImage::from_pixel(width + 2 * FRAME, height + 2 * FRAME, colour);
        imageops::replace(&mut self.0, &frame, left.into(), top.into());
        let inside = (left + FRAME, top + FRAME);
        imageops::replace(&mut self.0, picture, inside.0.into(), inside.1.into());
    }

    fn write(&mut self, text: &str, left: u32, top: u32) {
        let style = MonoTextStyle::new(&FONT_6X10, Rgb888::BLACK);
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
