//! The common style of all plots.

use kuva::plot::{LegendPosition, LinePlot, LineStyle};
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::collect_legend_entries;

/// A palette for colour-blind readers (Okabe and Ito 2008).
pub(super) const BLUE: &str = "#0072b2";
pub(super) const VERMILION: &str = "#d55e00";
pub(super) const GREY: &str = "#767676";

/// PNGs use the `DejaVu` Sans that the library includes.
pub(super) const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 540.0;
/// Sizes of text in pixels.
pub(super) const TITLE: u32 = 19;
pub(super) const TEXT: u32 = 16;

/// Margin around shares of 0 and 1, so that lines on the edge are visible.
const ROOM: f64 = 0.02;

/// Axes with these ranges.
pub(super) fn axes(x: (f64, f64), y: (f64, f64)) -> Layout {
    Layout::new(x, y)
        .with_width(WIDTH)
        .with_height(HEIGHT)
        .with_x_axis_min(x.0)
        .with_x_axis_max(x.1)
        .with_y_axis_min(y.0)
        .with_y_axis_max(y.1)
        .with_box_axes()
        .with_title_size(TITLE)
        .with_label_size(TEXT)
        .with_tick_size(TEXT - 2)
        .with_body_size(TEXT - 2)
        .with_font_family(FONT)
}

/// Axes of two shares, each from 0 to 1.
pub(super) fn shares(plots: &[Plot], legend: LegendPosition) -> Layout {
    let range = (-ROOM, 1.0 + ROOM);
    axes(range, range)
        .with_x_tick_step(0.2)
        .with_y_tick_step(0.2)
        .with_tick_format(TickFormat::Fixed(1))
        .with_legend_entries(collect_legend_entries(plots))
        .with_legend_position(legend)
}

/// Length of dashes and of the gaps between them. The library's PNGs have them half as long.
pub(super) const DASHES: &str = "12 7";

/// Distance between ticks at integers.
pub(super) fn whole_ticks(highest: f64) -> f64 {
    let magnitude = 10_f64.powf((highest / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
    let step = steps.into_iter().find(|step| highest / step <= 6.0);
    step.unwrap_or(highest).max(1.0)
}

/// A dashed reference line.
pub(super) fn baseline(from: (f64, f64), to: (f64, f64), name: &str) -> Plot {
    LinePlot::new()
        .with_data([from, to])
        .with_color(GREY)
        .with_line_style(LineStyle::Custom(DASHES.into()))
        .with_legend(name)
        .into()
}
