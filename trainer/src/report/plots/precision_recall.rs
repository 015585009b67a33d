//! The precision–recall curve (Davis and Goadrich 2006), in steps as average precision sums it.

use kuva::plot::{LegendPosition, LinePlot, MarkerShape, ScatterPlot};
use kuva::render::plots::Plot;
use kuva::render::render::{Scene, render_multiple};

use super::axes::{BLUE, VERMILION, baseline, shares};
use super::measured::Measured;
use crate::metrics::{self, Confusion};

pub(super) const NAME: &str = "precision-recall";

/// Recall and precision with each distinct score as threshold, from the highest on. Empty without
/// positives.
pub(super) fn curve(scores: &[(f32, bool)]) -> Vec<(f64, f64)> {
    let positives = metrics::positives(scores);
    if positives == 0 {
        return Vec::new();
    }
    let (mut found, mut called) = (0, 0);
    let ordered = metrics::ordered(scores);
    metrics::ties(&ordered)
        .rev()
        .map(|tied| {
            found += metrics::positives(tied);
            called += tied.len();
            (
                found as f64 / positives as f64,
                found as f64 / called as f64,
            )
        })
        .collect()
}

/// The corners of the step curve whose area is the average precision: each precision applies from the
/// previous recall on.
pub(super) fn corners(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let before = std::iter::once(0.0).chain(curve.iter().map(|(recall, _)| *recall));
    curve
        .iter()
        .zip(before)
        .flat_map(|(&(recall, precision), before)| [(before, precision), (recall, precision)])
        .collect()
}

pub(super) fn draw(measured: &Measured) -> Scene {
    let scores = metrics::scores(measured.judged);
    let curve = curve(&scores);
    let mut plots: Vec<Plot> = Vec::new();
    if !curve.is_empty() {
        let prevalence = metrics::positives(&scores) as f64 / scores.len() as f64;
        let name = format!("prevalence {prevalence:.3}");
        plots.push(baseline((0.0, prevalence), (1.0, prevalence), &name));
        let line = LinePlot::new()
            .with_data(corners(&curve))
            .with_color(BLUE)
            .with_stroke_width(2.5)
            .with_legend("all thresholds");
        plots.push(line.into());
        let Confusion {
            true_positives,
            false_negatives,
            false_positives,
            ..
        } = Confusion::of(measured.judged);
        if true_positives + false_positives > 0 {
            let recall = true_positives as f64 / (true_positives + false_negatives) as f64;
            let precision = true_positives as f64 / (true_positives + false_positives) as f64;
            let calls = ScatterPlot::new()
                .with_data([(recall, precision)])
                .with_color(VERMILION)
                .with_size(7.0)
                .with_marker(MarkerShape::Diamond)
                .with_legend(format!(
                    "calls made: recall {recall:.3}, precision {precision:.3}"
                ));
            plots.push(calls.into());
        }
    }
    let layout = shares(&plots, LegendPosition::InsideBottomLeft)
        .with_title(measured.title("Average precision", "auprc"))
        .with_x_label("recall (sensitivity), 0 to 1")
        .with_y_label("precision, 0 to 1");
    render_multiple(plots, layout)
}
