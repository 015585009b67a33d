//! Losses and AUROC by epoch.

use kuva::plot::{
    ColorMap, LegendEntry, LegendShape, LinePlot, LineStyle, MarkerShape, ScatterPlot,
};
use kuva::render::figure::Figure;
use kuva::render::plots::Plot;
use kuva::render::render::Scene;

use super::axes::{DASHES, GREY, TITLE, axes, whole_ticks};
use super::measured::Measured;
use crate::metrics;
use crate::training::{Epoch, History};

pub(super) const NAME: &str = "training-curves";

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 760.0;
/// Left and right margins of both panels; the legend is on the right.
const MARGINS: (f64, f64) = (80.0, 200.0);

/// Largest number of trainings in the legend; of more, it names only the first and the last.
const MAX_NAMES: usize = 12;

/// Colours from dark blue to green; yellow is too faint on white.
fn colour(index: usize, count: usize) -> String {
    let share = index as f64 / (count.max(2) - 1) as f64;
    ColorMap::Viridis.map(0.8 * share)
}

/// A line over the epochs, and a mark on the epoch that was kept.
fn line(history: &History, colour: &str, value: impl Fn(&Epoch) -> Option<f64>) -> [Plot; 2] {
    let points: Vec<(f64, f64)> = (1..)
        .zip(&history.epochs)
        .filter_map(|(number, epoch)| Some((f64::from(number), value(epoch)?)))
        .collect();
    let kept = points
        .iter()
        .copied()
        .filter(|&(number, _)| number as usize == history.best);
    let kept = ScatterPlot::new()
        .with_data(kept)
        .with_color(colour)
        .with_size(6.0)
        .with_marker(MarkerShape::Circle);
    let line = LinePlot::new().with_data(points).with_color(colour);
    [line.into(), kept.into()]
}

pub(super) fn draw(measured: &Measured) -> Scene {
    let histories = measured.histories;
    let leaky = metrics::leaky_prefix(&measured.evaluation.figures);
    let epochs = || histories.iter().flat_map(|(_, history)| &history.epochs);
    let last = histories
        .iter()
        .map(|(_, history)| history.epochs.len())
        .max();
    let last = last.unwrap_or(1).max(2) as f64;
    let highest = epochs()
        .flat_map(|epoch| [epoch.loss, epoch.validation_loss])
        .fold(0.0, f64::max);
    let lowest = epochs()
        .filter_map(|epoch| epoch.validation("auroc"))
        .fold(1.0, f64::min);

    let (mut losses, mut aurocs, mut legend) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (name, history)) in histories.iter().enumerate() {
        let colour = colour(index, histories.len());
        let trained = (1..).zip(&history.epochs);
        let trained: Vec<(f64, f64)> = trained
            .map(|(number, epoch)| (f64::from(number), epoch.loss))
            .collect();
        let trained = LinePlot::new()
            .with_data(trained)
            .with_color(&colour)
            .with_stroke_width(1.5)
            .with_line_style(LineStyle::Custom(DASHES.into()));
        losses.push(trained.into());
        losses.extend(line(history, &colour, |epoch| Some(epoch.validation_loss)));
        aurocs.extend(line(history, &colour, |epoch| epoch.validation("auroc")));
        if histories.len() <= MAX_NAMES || [0, histories.len() - 1].contains(&index) {
            legend.push(entry(name, &colour, LegendShape::Line, None));
        }
    }
    legend.extend([
        entry("training images", GREY, LegendShape::Line, Some(DASHES)),
        entry("validation images", GREY, LegendShape::Line, None),
        entry(
            "kept epoch",
            GREY,
            LegendShape::Marker(MarkerShape::Circle),
            None,
        ),
    ]);
    let panel = |y, label: &str| {
        axes((0.5, last + 0.5), y)
            .with_force_margins(MARGINS.0, MARGINS.1)
            .with_x_tick_step(whole_ticks(last))
            .with_x_label("epoch")
            .with_y_label(label)
    };
    Figure::new(2, 1)
        .with_title(format!("{}Training, epoch by epoch", leaky.to_uppercase()))
        .with_title_size(TITLE)
        .with_plots(vec![losses, aurocs])
        .with_layouts(vec![
            panel(
                (0.0, 1.05 * highest),
                &format!("{leaky}loss (cross-entropy), nats"),
            )
            .with_legend_entries(legend),
            panel(
                (lowest - 0.02, 1.01),
                &format!("{leaky}validation AUROC, 0 to 1"),
            ),
        ])
        .with_figure_size(WIDTH, HEIGHT)
        .render()
}

fn entry(label: &str, colour: &str, shape: LegendShape, dasharray: Option<&str>) -> LegendEntry {
    LegendEntry {
        label: label.into(),
        color: colour.into(),
        shape,
        dasharray: dasharray.map(Into::into),
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "values are passed on")]
mod tests {
    use super::*;

    #[test]
    fn the_kept_epoch_is_marked_and_missing_values_are_left_out() {
        let epochs = [(0.9, None), (0.3, Some(0.8)), (0.5, Some(0.7))];
        let history = History {
            best: 2,
            epochs: epochs
                .map(|(loss, auroc)| Epoch::example(1.0, loss, auroc))
                .into(),
            seconds: vec![1.0; 3],
        };
        let [Plot::Line(line), Plot::Scatter(kept)] =
            line(&history, "black", |epoch| epoch.validation("auroc"))
        else {
            panic!("a line and its mark");
        };
        let points: Vec<(f64, f64)> = line.data.iter().map(Into::into).collect();
        assert_eq!(points, [(2.0, 0.8), (3.0, 0.7)]);
        let kept: Vec<(f64, f64)> = kept.data.iter().map(Into::into).collect();
        assert_eq!(kept, [(2.0, 0.8)]);
    }

    #[test]
    fn ticks_are_at_whole_numbers() {
        for (highest, step) in [
            (2.0, 1.0),
            (6.0, 1.0),
            (15.0, 5.0),
            (60.0, 10.0),
            (108.0, 20.0),
        ] {
            assert_eq!(whole_ticks(highest), step, "{highest}");
        }
    }
}
