//! A picture with its cells marked: a circle around each, with class and probability, and a scale bar.

use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, PrimitiveStyle};
use image::RgbImage;
use smearscope_artifacts::{Cell, CellCall};

use crate::analysis::canvas::Canvas;
use crate::analysis::reading::CellsReading;
use crate::analysis::scale_bar;

/// Vermilion and blue of Okabe and Ito's palette, which people with impaired colour vision tell apart.
const BLAST: Rgb888 = Rgb888::new(213, 94, 0);
const OTHER_LEUKOCYTE: Rgb888 = Rgb888::new(0, 114, 178);
/// Cells that do not count.
const NOT_COUNTED: Rgb888 = Rgb888::new(110, 110, 110);
const LABEL: Rgb888 = Rgb888::WHITE;
/// The circle's diameter, in diameters of the cell: it does not cover the cell.
const AROUND: f32 = 1.25;

/// Marks the cells of a picture, whose pixels have this size in µm if it is known.
pub(crate) fn mark(image: &mut RgbImage, reading: &CellsReading, um_per_pixel: Option<f32>) {
    let cells = &reading.field.cells;
    let mut canvas = Canvas::new(image);
    for cell in cells {
        encircle(&mut canvas, cell);
    }
    // Above all circles.
    for cell in cells {
        write(&mut canvas, &label(cell, reading.class(cell)), cell);
    }
    if let Some(um_per_pixel) = um_per_pixel {
        scale_bar::draw(image, um_per_pixel);
    }
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

fn encircle(canvas: &mut Canvas<'_>, cell: &Cell) {
    let style = PrimitiveStyle::with_stroke(colour(cell), canvas.stroke);
    let circle = Circle::with_center(centre(cell), diameter(cell));
    let Ok(()) = circle.into_styled(style).draw(canvas);
}

/// Writes above a cell's circle, or below it at the upper edge.
fn write(canvas: &mut Canvas<'_>, text: &str, cell: &Cell) {
    let size = canvas.size();
    let Size { width, height } = canvas.size_of(text);
    let [width, height] = [width as i32, height as i32];
    let centre = centre(cell);
    let reach = (diameter(cell) / 2 + canvas.stroke) as i32;
    let above = centre.y - reach - height;
    let y = if above >= 0 {
        above
    } else {
        (centre.y + reach).min(size.height as i32 - height)
    };
    let x = (centre.x - width / 2).clamp(0, (size.width as i32 - width).max(0));
    canvas.write(text, Point::new(x, y), LABEL, colour(cell));
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
