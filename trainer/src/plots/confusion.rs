//! The confusion matrix: counts, shares of each truth, and how many of them got a verdict.

use kuva::plot::ColorMap;
use kuva::render::render::{Primitive, Scene, TextAnchor};

use super::Measured;
use super::axes::{FONT, TEXT, TITLE};
use crate::metrics::Confusion;

pub(super) const NAME: &str = "confusion-matrix";

/// Width and height of a cell, and the room left of, above and around the cells, without the
/// letters of a class.
const CELL: (f64, f64) = (225.0, 150.0);
const LEFT: f64 = 90.0;
const TOP: f64 = 110.0;
const MARGIN: f64 = 25.0;
const LETTER: f64 = 9.5;
/// Size of counts.
const COUNT: u32 = 36;
/// The share from which on text is white.
const DARK: f64 = 0.55;

/// A row for each truth, a column for each call.
pub(super) fn draw(measured: &Measured) -> Scene {
    let rows = |confusion: Confusion| {
        let Confusion {
            true_positives,
            false_negatives,
            true_negatives,
            false_positives,
        } = confusion;
        [
            [true_positives, false_negatives],
            [false_positives, true_negatives],
        ]
    };
    let all = rows(Confusion::of(measured.judged));
    let decided = measured.judged.iter().filter(|judged| judged.decided);
    let decided = rows(Confusion::of(decided));
    let names = [&measured.labels.positive, &measured.labels.negative];

    let longest = names.map(|name| name.chars().count()).into_iter().max();
    let left = LEFT + LETTER * longest.unwrap_or(0) as f64;
    let width = left + 2.0 * CELL.0 + MARGIN;
    let mut scene = Scene::new(width, TOP + 2.0 * CELL.1 + MARGIN);
    scene.font_family = Some(FONT.into());
    let title = measured.title("Accuracy", "accuracy");
    text(&mut scene, title, (width / 2.0, 34.0), TITLE, "black");
    for (index, name) in names.into_iter().enumerate() {
        let (column, row) = centre(left, index, index);
        text(
            &mut scene,
            format!("call: {name}"),
            (column, TOP - 22.0),
            TEXT,
            "black",
        );
        let truth = format!("truth: {name}");
        text(&mut scene, truth, (left / 2.0, row), TEXT, "black");
    }
    for (row, (counts, decided)) in all.iter().zip(decided).enumerate() {
        let images: usize = counts.iter().sum();
        for (column, (&count, decided)) in counts.iter().zip(decided).enumerate() {
            let share = count as f64 / images.max(1) as f64;
            let (x, y) = centre(left, column, row);
            scene.add(Primitive::Rect {
                x: x - CELL.0 / 2.0,
                y: y - CELL.1 / 2.0,
                width: CELL.0,
                height: CELL.1,
                fill: ColorMap::Blues.map(share).into(),
                stroke: Some("white".into()),
                stroke_width: Some(3.0),
                opacity: None,
            });
            let colour = if share < DARK { "black" } else { "white" };
            let percent = 100.0 * share;
            for (line, down, size) in [
                (count.to_string(), -12.0, COUNT),
                (format!("{percent:.1} % of {images}"), 20.0, TEXT),
                (format!("({decided} with a verdict)"), 46.0, TEXT),
            ] {
                text(&mut scene, line, (x, y + down), size, colour);
            }
        }
    }
    scene
}

fn centre(left: f64, column: usize, row: usize) -> (f64, f64) {
    (
        left + (column as f64 + 0.5) * CELL.0,
        TOP + (row as f64 + 0.5) * CELL.1,
    )
}

fn text(scene: &mut Scene, text: String, (x, y): (f64, f64), size: u32, colour: &str) {
    scene.add(Primitive::Text {
        x,
        y,
        content: text,
        size,
        anchor: TextAnchor::Middle,
        rotate: None,
        bold: false,
        color: Some(colour.into()),
    });
}
