//! A picture with its cells marked: a circle around each, with class and probability.

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_6X13, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyleBuilder};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, PrimitiveStyle};
use embedded_graphics::text::{Baseline, Text};
use image::{Rgb, RgbImage};
use smearscope_artifacts::{Cell, CellCall};

use crate::analysis::reading::CellsReading;

/// Vermilion and blue of Okabe and Ito's palette, which people with impaired colour vision tell apart.
const BLAST: Rgb888 = Rgb888::new(213, 94, 0);
const OTHER_LEUKOCYTE: Rgb888 = Rgb888::new(0, 114, 178);
/// Cells that do not count.
const NOT_COUNTED: Rgb888 = Rgb888::new(110, 110, 110);
const LABEL: Rgb888 = Rgb888::WHITE;
/// Pictures with a longer side have a large font.
const LARGE_FROM: u32 = 1200;
/// The circle's diameter, in diameters of the cell: it does not cover the cell.
const AROUND: f32 = 1.25;

/// Marks the cells of a picture.
pub(crate) fn mark(image: RgbImage, reading: &CellsReading) -> RgbImage {
    let cells = &reading.field.cells;
    let side = image.width().max(image.height());
    let font = if side >= LARGE_FROM {
        &FONT_10X20
    } else {
        &FONT_6X13
    };
    let stroke = (side / 500).max(2);
    let mut canvas = Canvas(image);
    for cell in cells {
        canvas.encircle(cell, stroke);
    }
    // Above all circles.
    for cell in cells {
        canvas.write(&label(cell, reading.class(cell)), cell, font, stroke);
    }
    canvas.0
}

/// What stands beside a cell: its class and probability, or why it has none.
fn label(cell: &Cell, class: &str) -> String {
    let probability = cell.probabilities.get(cell.class).copied();
    match cell.call {
        CellCall::Novel | CellCall::Contradictory => cell.call.name().into(),
        CellCall::Blast | CellCall::OtherLeukocyte | CellCall::Artefact => format!(
            "{} {:.2}",
            class.replace('_', " "),
            probability.unwrap_or_default()
        ),
    }
}

struct Canvas(RgbImage);

impl Canvas {
    fn encircle(&mut self, cell: &Cell, stroke: u32) {
        let style = PrimitiveStyle::with_stroke(colour(cell), stroke);
        let circle = Circle::with_center(centre(cell), diameter(cell));
        let Ok(()) = circle.into_styled(style).draw(self);
    }

    /// Writes above a cell's circle, or below it at the upper edge.
    fn write(&mut self, text: &str, cell: &Cell, font: &MonoFont, stroke: u32) {
        let style = MonoTextStyleBuilder::new()
            .font(font)
            .text_color(LABEL)
            .background_color(colour(cell))
            .build();
        let size = self.size();
        let [width, height] = [
            text.len() as i32 * font.character_size.width as i32,
            font.character_size.height as i32,
        ];
        let centre = centre(cell);
        let reach = (diameter(cell) / 2 + stroke) as i32;
        let above = centre.y - reach - height;
        let y = if above >= 0 {
            above
        } else {
            (centre.y + reach).min(size.height as i32 - height)
        };
        let x = (centre.x - width / 2).clamp(0, (size.width as i32 - width).max(0));
        let text = Text::with_baseline(text, Point::new(x, y), style, Baseline::Top);
        let Ok(_) = text.draw(self);
    }
}

fn colour(cell: &Cell) -> Rgb888 {
    match cell.call {
        CellCall::Blast => BLAST,
        CellCall::OtherLeukocyte => OTHER_LEUKOCYTE,
        CellCall::Artefact | CellCall::Novel | CellCall::Contradictory => NOT_COUNTED,
    }
}

fn centre(cell: &Cell) -> Point {
    Point::new(cell.site.x as i32, cell.site.y as i32)
}

/// The diameter of a cell's circle.
fn diameter(cell: &Cell) -> u32 {
    (AROUND * cell.site.diameter) as u32
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(Point { x, y }, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
                continue;
            };
            if let Some(pixel) = self.0.get_pixel_mut_checked(x, y) {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}
