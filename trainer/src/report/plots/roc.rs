//! The receiver operating characteristic (Fawcett 2006).

use kuva::plot::{LegendPosition, LinePlot, MarkerShape, ScatterPlot};
use kuva::render::plots::Plot;
use kuva::render::render::{Scene, render_multiple};

use super::axes::{BLUE, VERMILION, baseline, shares};
use super::measured::Measured;
use crate::metrics::{self, Confusion};

pub(super) const NAME: &str = "roc";

/// False-positive and true-positive rate with each distinct score as threshold, from (0, 0) to (1, 1);
/// equal scores make a slope. Empty if a class is missing.
pub(super) fn curve(scores: &[(f32, bool)]) -> Vec<(f64, f64)> {
    let positives = metrics::positives(scores);
    let negatives = scores.len() - positives;
    if positives == 0 || negatives == 0 {
        return Vec::new();
    }
    let (mut found, mut alarmed) = (0, 0);
    let steps = metrics::ordered(scores);
    let steps = metrics::ties(&steps).rev().map(|tied| {
        let more = metrics::positives(tied);
        found += more;
        alarmed += tied.len() - more;
        (
            alarmed as f64 / negatives as f64,
            found as f64 / positives as f64,
        )
    });
    std::iter::once((0.0, 0.0)).chain(steps).collect()
}

/// Draws the curve and the point of the actual calls. Since each fold has its own decision rule, the
/// point need not be on the curve, which uses one threshold for all folds.
pub(super) fn draw(measured: &Measured) -> Scene {
    let curve = curve(&metrics::scores(measured.judged));
    let mut plots: Vec<Plot> = vec![baseline((0.0, 0.0), (1.0, 1.0), "chance")];
    if !curve.is_empty() {
        let Confusion {
            true_positives,
            false_negatives,
            true_negatives,
            false_positives,
        } = Confusion::of(measured.judged);
        let sensitivity = true_positives as f64 / (true_positives + false_negatives) as f64;
        let specificity = true_negatives as f64 / (true_negatives + false_positives) as f64;
        let line = LinePlot::new()
            .with_data(curve)
            .with_color(BLUE)
            .with_stroke_width(2.5)
            .with_legend("all thresholds");
        let calls = ScatterPlot::new()
            .with_data([(1.0 - specificity, sensitivity)])
            .with_color(VERMILION)
            .with_size(7.0)
            .with_marker(MarkerShape::Diamond)
            .with_legend(format!(
                "calls made: sensitivity {sensitivity:.3}, specificity {specificity:.3}"
            ));
        plots.extend([line.into(), calls.into()]);
    }
    let layout = shares(&plots, LegendPosition::InsideBottomRight)
        .with_title(measured.title("AUROC", "auroc"))
        .with_x_label("false-positive rate (1 − specificity), 0 to 1")
        .with_y_label("true-positive rate (sensitivity), 0 to 1");
    render_multiple(plots, layout)
}
