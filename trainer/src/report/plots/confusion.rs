//! The confusion matrix: counts, shares per label, and numbers of verdicts.

use kuva::plot::ColorMap;
use kuva::render::render::{Primitive, Scene, TextAnchor};

use super::axes::{FONT, GREY, TEXT, TITLE};
use super::measured::Measured;
use crate::metrics::Confusion;

pub(super) const NAME: &str = "confusion-matrix";

/// Smallest width of a cell, and its height.
const CELL: (f64, f64) = (225.0, 150.0);
/// Space above the cells, around them, between a cell and its label, and per letter of a label.
const TOP: f64 = 100.0;
const MARGIN: f64 = 25.0;
const GAP: f64 = 12.0;
const LETTER: f64 = 9.5;
/// Font size of counts.
const COUNT: u32 = 36;
/// Share from which white text is more readable than black.
const DARK: f64 = 0.75;

/// Draws one row per label and one column per call.
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

    let [calls, truths] = ["call", "truth"].map(|of| names.map(|name| format!("{of}: {name}")));
    let room = |names: &[String; 2]| {
        let letters = names.iter().map(|name| name.chars().count());
        LETTER * letters.max().unwrap_or_default() as f64 + 2.0 * GAP
    };
    let cell = CELL.0.max(room(&calls));
    let left = room(&truths);
    let centre = |column: usize, row: usize| {
        (
            left + (column as f64 + 0.5) * cell,
            TOP + (row as f64 + 0.5) * CELL.1,
        )
    };
    let width = left + 2.0 * cell + MARGIN;
    let mut scene = Scene::new(width, TOP + 2.0 * CELL.1 + MARGIN);
    scene.font_family = Some(FONT.into());
    let title = measured.title("Accuracy", "accuracy");
    let top = (width / 2.0, 34.0);
    text(&mut scene, title, top, TextAnchor::Middle, TITLE, "black");
    for (index, (call, truth)) in calls.into_iter().zip(truths).enumerate() {
        let (column, row) = centre(index, index);
        let above = (column, TOP - GAP);
        text(&mut scene, call, above, TextAnchor::Middle, TEXT, "black");
        let beside = (left - GAP, row);
        text(&mut scene, truth, beside, TextAnchor::End, TEXT, "black");
    }
    for (row, (counts, decided)) in all.iter().zip(decided).enumerate() {
        let images: usize = counts.iter().sum();
        for (column, (&count, decided)) in counts.iter().zip(decided).enumerate() {
            let share = count as f64 / images.max(1) as f64;
            let (x, y) = centre(column, row);
            scene.add(Primitive::Rect {
                x: x - cell / 2.0,
                y: y - CELL.1 / 2.0,
                width: cell,
                height: CELL.1,
                fill: ColorMap::Blues.map(share).into(),
                stroke: Some(GREY.into()),
                stroke_width: Some(1.0),
                opacity: None,
            });
            let colour = if share < DARK { "black" } else { "white" };
            let part = match images {
                0 => "of no image".into(),
                _ => format!("{:.1} % of {images}", 100.0 * share),
            };
            for (line, down, size) in [
                (count.to_string(), -12.0, COUNT),
                (part, 20.0, TEXT),
                (format!("({decided} with a verdict)"), 46.0, TEXT),
            ] {
                let at = (x, y + down);
                text(&mut scene, line, at, TextAnchor::Middle, size, colour);
            }
        }
    }
    scene
}

fn text(
    scene: &mut Scene,
    text: String,
    (x, y): (f64, f64),
    anchor: TextAnchor,
    size: u32,
    colour: &str,
) {
    scene.add(Primitive::Text {
        x,
        y,
        content: text,
        size,
        anchor,
        rotate: None,
        bold: false,
        color: Some(colour.into()),
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use smearscope_artifacts::{Evaluation, Labels};

    use super::*;

    #[test]
    fn long_names_fit() {
        let evaluation = Evaluation {
            dataset: "test".into(),
            protocol: "test".into(),
            positives: 0,
            negatives: 0,
            figures: BTreeMap::new(),
            intervals: BTreeMap::new(),
            warnings: Vec::new(),
        };
        let labels = Labels {
            negative: "n".repeat(64),
            positive: "p".repeat(50),
            positive_index: 1,
        };
        let scene = draw(&Measured {
            judged: &[],
            evaluation: &evaluation,
            labels: &labels,
            histories: &[],
        });
        let place = |wanted: &str| {
            let found = scene.elements.iter().find_map(|element| match element {
                Primitive::Text { x, content, .. } if content == wanted => Some(*x),
                _ => None,
            });
            found.unwrap()
        };
        // Calls are centred above their cells; labels end before theirs.
        let half = |name: &String| LETTER * name.chars().count() as f64 / 2.0;
        let [left, right] =
            [&labels.positive, &labels.negative].map(|name| format!("call: {name}"));
        assert!(place(&left) + half(&left) < place(&right) - half(&right));
        assert!(place(&right) + half(&right) < scene.width);
        let truth = format!("truth: {}", labels.negative);
        assert!(place(&truth) - 2.0 * half(&truth) > 0.0);
        assert!(place(&truth) < place(&left) - half(&left));
    }
}
