//! The reliability diagram (Niculescu-Mizil and Caruana 2005) in the bins of the calibration error.

use kuva::plot::{Histogram, LegendPosition, LinePlot, MarkerShape, ScatterPlot};
use kuva::render::figure::Figure;
use kuva::render::layout::TickFormat;
use kuva::render::render::Scene;

use super::axes::{BLUE, GREY, HEIGHT, TITLE, WIDTH, axes, baseline, shares, whole_ticks};
use super::measured::Measured;
use crate::metrics::{self, BINS, Bin};

pub(super) const NAME: &str = "reliability";

/// Height of the histogram below the diagram.
const COUNTS: f64 = 200.0;
/// Left and right margins of both, so that they are aligned.
const MARGINS: (f64, f64) = (80.0, 24.0);

/// Mean probability and share of positives of each bin with images, where both classes weigh the same.
pub(super) fn curve(bins: &[Bin]) -> Vec<(f64, f64)> {
    bins.iter()
        .filter(|bin| bin.images > 0)
        .map(|bin| (bin.expected / bin.weight, bin.positives / bin.weight))
        .collect()
}

pub(super) fn draw(measured: &Measured) -> Scene {
    let bins = metrics::bins(measured.judged);
    let curve = curve(&bins);
    let edges = (0..=BINS).map(|edge| edge as f64 / BINS as f64).collect();
    let counts: Vec<f64> = bins.iter().map(|bin| bin.images as f64).collect();
    let most = counts.iter().copied().fold(1.0, f64::max);
    let line = LinePlot::new()
        .with_data(curve.iter().copied())
        .with_color(BLUE);
    let points = ScatterPlot::new()
        .with_data(curve)
        .with_color(BLUE)
        .with_size(5.0)
        .with_marker(MarkerShape::Circle)
        .with_legend("images of a bin");
    let plots = vec![
        baseline((0.0, 0.0), (1.0, 1.0), "perfect calibration"),
        line.into(),
        points.into(),
    ];
    let above = shares(&plots, LegendPosition::InsideTopLeft)
        .with_force_margins(MARGINS.0, MARGINS.1)
        .with_x_label("mean probability of a bin, 0 to 1")
        .with_y_label("share of positives, classes weighted equally, 0 to 1");
    let below = axes(above.x_range, (0.0, 1.1 * most))
        .with_force_margins(MARGINS.0, MARGINS.1)
        .with_x_tick_step(0.2)
        .with_x_tick_format(TickFormat::Fixed(1))
        .with_y_tick_step(whole_ticks(most))
        .with_x_label("probability, 0 to 1")
        .with_y_label("images");
    Figure::new(2, 1)
        .with_title(measured.title("Expected calibration error", "calibration_error"))
        .with_title_size(TITLE)
        .with_plots(vec![
            plots,
            vec![Histogram::from_bins(edges, counts).with_color(GREY).into()],
        ])
        .with_layouts(vec![above, below])
        .with_row_height(1, COUNTS)
        .with_figure_size(WIDTH, HEIGHT + COUNTS)
        .render()
}
