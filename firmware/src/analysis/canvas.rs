//! A picture to draw on, with a font and lines of its size.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X13, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyleBuilder};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};
use image::{Rgb, RgbImage};

/// Pictures with a longer side have a large font.
const LARGE_FROM: u32 = 1200;

/// A picture to draw on.
pub(super) struct Canvas<'a> {
    image: &'a mut RgbImage,
    font: &'static MonoFont<'static>,
    /// Width of lines in pixels.
    pub(super) stroke: u32,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(image: &'a mut RgbImage) -> Self {
        let side = image.width().max(image.height());
        Self {
            image,
            font: if side >= LARGE_FROM {
                &FONT_10X20
            } else {
                &FONT_6X13
            },
            stroke: (side / 500).max(2),
        }
    }

    /// Width and height of a text.
    pub(super) fn size_of(&self, text: &str) -> Size {
        let Size { width, height } = self.font.character_size;
        Size::new(text.chars().count() as u32 * width, height)
    }

    /// Writes a text with its upper left corner at this point.
    pub(super) fn write(&mut self, text: &str, at: Point, colour: Rgb888, ground: Rgb888) {
        let style = MonoTextStyleBuilder::new()
            .font(self.font)
            .text_color(colour)
            .background_color(ground)
            .build();
        let Ok(_) = Text::with_baseline(text, at, style, Baseline::Top).draw(self);
    }
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.image.width(), self.image.height())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(Point { x, y }, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
                continue;
            };
            if let Some(pixel) = self.image.get_pixel_mut_checked(x, y) {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}
