//! All images of a dataset on one picture, group by group.

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
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::decode::{self, Limits};

use crate::dataset::{Groups, Surveyed};
use crate::error::TrainError;

/// More images are thinned out evenly.
const MOST_TILES: usize = 400;
const COLUMNS: u32 = 12;
/// Room of a picture in its tile, the frame that tells its class, and the line below.
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
const POSITIVE: Rgb<u8> = Rgb([200, 30, 30]);
const NEGATIVE: Rgb<u8> = Rgb([30, 140, 60]);

/// Draws the sheet: red frames are positive, green ones negative; below each the number of its group
/// and its file name.
///
/// # Errors
/// [`TrainError::Output`] if it cannot be written.
pub(crate) fn draw(path: &Path, images: &[Surveyed], groups: &Groups) -> Result<(), TrainError> {
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by_key(|&index| groups.of[index]);
    let shown = order.len().min(MOST_TILES);
    let chosen: Vec<usize> = (0..shown)
        .map(|tile| order[tile * order.len() / shown])
        .collect();
    let tiles: Vec<Option<RgbImage>> = chosen
        .par_iter()
        .map(|&index| {
            let image = decode::read(&images[index].file.path, &Limits::default()).ok()?;
            Some(shrink(&image))
        })
        .collect();

    let rows = (shown as u32).div_ceil(COLUMNS);
    let mut sheet = Sheet(RgbImage::from_pixel(
        COLUMNS * TILE.0,
        rows * TILE.1 + CAPTION,
        GROUND,
    ));
    let title = format!(
        "{shown} of {} images; red: positive, green: negative; number: group",
        images.len()
    );
    sheet.write(&title, 2, 1);
    for (number, (&index, tile)) in (0_u32..).zip(chosen.iter().zip(&tiles)) {
        let left = number % COLUMNS * TILE.0;
        let top = number / COLUMNS * TILE.1 + CAPTION;
        let file = &images[index].file;
        // A file that has gone since it was surveyed leaves its tile empty.
        if let Some(picture) = tile {
            let colour = if file.positive { POSITIVE } else { NEGATIVE };
            sheet.frame(picture, left, top, colour);
        }
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let caption: String = format!("{} {name}", groups.of[index] + 1)
            .chars()
            .take(CAPTION_CHARS)
            .collect();
        sheet.write(&caption, left + FRAME, top + PICTURE.1 + 2 * FRAME + 1);
    }
    sheet
        .0
        .save_with_format(path, ImageFormat::Png)
        .map_err(|error| TrainError::output(path, std::io::Error::other(error)))
}

/// As large as the room allows, with the proportions kept.
fn shrink(image: &RgbImage) -> RgbImage {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let scale = (f64::from(PICTURE.0) / width).min(f64::from(PICTURE.1) / height);
    let side = |length: f64| ((length * scale) as u32).max(1);
    imageops::thumbnail(image, side(width), side(height))
}

struct Sheet(RgbImage);

impl Sheet {
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

impl OriginDimensions for Sheet {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Sheet {
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
