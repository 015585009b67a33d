//! A scale bar in a picture: black on a white plate, so that it is seen on any ground.

use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use image::RgbImage;

use crate::analysis::canvas::Canvas;

/// Lengths of the bar, µm.
const LENGTHS: [u16; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
/// Greatest length, as a share of the picture's width.
const SHARE: f32 = 0.2;

/// Draws a scale bar in the lower left corner of a picture whose pixels have this size in µm; none if the picture is too small.
pub(super) fn draw(image: &mut RgbImage, um_per_pixel: f32) {
    let mut canvas = Canvas::new(image);
    let Size { width, height } = canvas.size();
    let pixels = |um: u16| f32::from(um) / um_per_pixel;
    let fitting = |um: &u16| pixels(*um) <= SHARE * width as f32;
    let Some(um) = LENGTHS.into_iter().rfind(fitting) else {
        return;
    };
    let text = format!("{um} µm");
    let (written, stroke) = (canvas.size_of(&text), canvas.stroke);
    let bar = Size::new((pixels(um).round() as u32).max(1), 2 * stroke);
    let margin = 2 * stroke;
    let plate = Size::new(
        bar.width.max(written.width) + 2 * margin,
        bar.height + written.height + 2 * margin,
    );
    if plate.width + margin > width || plate.height + margin > height {
        return;
    }
    let corner = Point::new(margin as i32, (height - plate.height - margin) as i32);
    let centred = |width: u32| corner.x + (plate.width - width) as i32 / 2;
    let mut fill = |at: Point, size: Size, colour: Rgb888| {
        let rectangle = Rectangle::new(at, size);
        let Ok(()) = rectangle
            .into_styled(PrimitiveStyle::with_fill(colour))
            .draw(&mut canvas);
    };
    fill(corner, plate, Rgb888::WHITE);
    let below = corner.y + (margin + written.height) as i32;
    fill(Point::new(centred(bar.width), below), bar, Rgb888::BLACK);
    let at = Point::new(centred(written.width), corner.y + margin as i32);
    canvas.write(&text, at, Rgb888::BLACK, Rgb888::WHITE);
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const BLACK: Rgb<u8> = Rgb([0; 3]);
    const WHITE: Rgb<u8> = Rgb([255; 3]);

    /// Columns and rows of the bar: the longest run of black pixels, and how often it occurs.
    fn bar(image: &RgbImage) -> (usize, usize) {
        let longest = |row: Vec<&Rgb<u8>>| {
            let runs = row.split(|pixel| **pixel != BLACK);
            runs.map(<[_]>::len).max().unwrap_or(0)
        };
        let rows: Vec<usize> = image.rows().map(|row| longest(row.collect())).collect();
        let length = rows.iter().copied().max().unwrap_or(0);
        (length, rows.iter().filter(|row| **row == length).count())
    }

    #[test]
    fn the_bar_has_its_length_at_most_a_fifth_of_the_width_on_any_ground() {
        for ground in [0x10, 0x80, 0xf0] {
            for (width, um_per_pixel, length) in [
                (800, 0.15, 133),  // 20 µm
                (800, 0.125, 160), // 20 µm, just a fifth
                (800, 0.124, 81),  // 10 µm
                (2592, 0.1, 500),  // 50 µm
            ] {
                let mut image = RgbImage::from_pixel(width, width / 2, Rgb([ground; 3]));
                draw(&mut image, um_per_pixel);
                assert_eq!(bar(&image).0, length, "{width} {um_per_pixel}");
                assert_eq!(bar(&image).1, if width > 2000 { 10 } else { 4 });
                let white = image.pixels().filter(|pixel| **pixel == WHITE).count();
                assert!(white > length, "the plate on {ground}: {white}");
            }
        }
    }

    #[test]
    fn a_picture_that_is_too_small_stays_as_it_is() {
        for (width, height, um_per_pixel) in [
            (20, 20, 0.5),
            (300, 15, 0.15),
            (100, 100, 0.01),
            (1, 1, 1.0),
        ] {
            let plain = RgbImage::from_pixel(width, height, Rgb([90; 3]));
            let mut image = plain.clone();
            draw(&mut image, um_per_pixel);
            assert_eq!(image, plain, "{width}x{height}");
        }
    }
}
