//! What the charts say, for people and programs.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::drift::chart::{MIN_REFERENCE, Point, RECENT, chart};
use crate::drift::day::{DayValue, values};
use crate::drift::figure::{DriftFigure, FieldFigures};

/// Standard deviations within which most days lie.
const USUAL: f64 = 3.0;

/// The drift watch: a chart of each figure.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct DriftReport {
    /// When the watch was started anew (RFC 3339, UTC); null if it never was.
    #[schema(required, format = DateTime)]
    pub(crate) restarted_at: Option<String>,
    /// The charts.
    pub(crate) charts: Vec<DriftChart>,
}

/// The chart of a figure over the last weeks.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct DriftChart {
    /// What is watched.
    pub(crate) figure: DriftFigure,
    /// What drifts and what to do, in words; null if it does not.
    #[schema(required)]
    pub(crate) warning: Option<String>,
    /// Number of days that the chart still needs; 0 once the figure is watched.
    pub(crate) missing_days: usize,
    /// The weeks before the last days; null until the figure is watched.
    #[schema(required)]
    pub(crate) reference: Option<DriftReference>,
    /// The days, oldest first.
    pub(crate) days: Vec<DriftDay>,
}

/// The reference of the newest day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct DriftReference {
    /// Mean.
    pub(crate) mean: f64,
    /// Lower and upper end of the usual values of a day: three standard deviations from the mean.
    pub(crate) usual: [f64; 2],
    /// The average of the last days that is compared with it.
    pub(crate) recent: f64,
}

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct DriftDay {
    /// Its date, UTC.
    #[schema(value_type = String, format = Date)]
    pub(crate) date: Date,
    /// Number of its fields.
    pub(crate) fields: u32,
    /// Its value: light relative to others (0 to 1, divided by microseconds of exposure and by gain where they are known),
    /// the gate's figures `focus` and `nucleus_contrast`, or the share of refused fields, 0 to 1.
    pub(crate) value: f64,
    /// The difference between the average of the days up to it and their reference, in standard deviations of that average.
    /// Null while the figure is not watched.
    #[schema(required)]
    pub(crate) score: Option<f64>,
    /// Whether that is a drift that matters: beyond ±4.5, and to the side that is watched.
    pub(crate) is_drift: bool,
}

impl DriftReport {
    /// The charts of fields in the order of their dates.
    pub(super) fn of(fields: &[FieldFigures], restarted_at: Option<String>) -> Self {
        let chart = |figure| DriftChart::of(figure, &values(figure, fields));
        Self {
            restarted_at,
            charts: DriftFigure::ALL.map(chart).into(),
        }
    }

    /// What drifts, in words; empty if nothing does.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &str> {
        let charts = self.charts.iter();
        charts.filter_map(|chart| chart.warning.as_deref())
    }
}

impl DriftChart {
    fn of(figure: DriftFigure, days: &[DayValue]) -> Self {
        let points = chart(days);
        let last = points.last().copied().flatten();
        let shown = |value| figure.shown(value);
        Self {
            figure,
            warning: last.and_then(|point| warning(figure, &point)),
            missing_days: (MIN_REFERENCE + RECENT).saturating_sub(days.len()),
            reference: last.map(|point| DriftReference {
                mean: shown(point.mean),
                usual: [-USUAL, USUAL].map(|times| shown(usual(figure, &point, times))),
                recent: shown(point.average),
            }),
            days: days
                .iter()
                .zip(&points)
                .map(|(day, point)| DriftDay {
                    date: day.date,
                    fields: day.fields,
                    value: shown(day.value),
                    score: point.map(|point| point.score),
                    is_drift: point.is_some_and(|point| figure.tells(point.side())),
                })
                .collect(),
        }
    }
}

/// The value that is this many standard deviations from the mean.
fn usual(figure: DriftFigure, point: &Point, times: f64) -> f64 {
    let value = point.mean + times * point.deviation;
    match figure {
        // Beyond these angles the share would turn back.
        DriftFigure::Refused => value.clamp(0.0, std::f64::consts::FRAC_PI_2),
        DriftFigure::Light | DriftFigure::Focus | DriftFigure::Stain => value,
    }
}

/// What drifts and what to do, if the figure is beyond a limit that matters.
fn warning(figure: DriftFigure, point: &Point) -> Option<String> {
    let [before, now] = [point.mean, point.average].map(|value| figure.shown(value));
    let percent = 100.0 * (now / before - 1.0).abs();
    let side = point.side();
    let word = |down, up| if side < 0 { down } else { up };
    figure.tells(side).then(|| match figure {
        DriftFigure::Light => format!(
            "the light is {percent:.0} % {} than in the weeks before; check lamp and condenser",
            word("darker", "brighter")
        ),
        DriftFigure::Focus => format!(
            "pictures are {percent:.0} % less sharp than in the weeks before; clean objective and camera"
        ),
        DriftFigure::Stain => format!(
            "nuclei are stained {percent:.0} % {} than in the weeks before; check the stain",
            word("weaker", "stronger")
        ),
        DriftFigure::Refused => format!(
            "{:.0} % of the fields are refused, {:.0} % in the weeks before; their reasons are under Slides",
            100.0 * now,
            100.0 * before
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(mean: f64, average: f64, score: f64) -> Point {
        Point {
            mean,
            deviation: 0.01,
            average,
            score,
        }
    }

    #[test]
    fn a_drift_is_told_with_its_size_and_its_remedy() {
        let light = |by: f64, score| warning(DriftFigure::Light, &point(-0.2, -0.2 + by, score));
        assert_eq!(light(-0.04, -4.4), None);
        let darker = "the light is 7 % darker than in the weeks before; check lamp and condenser";
        assert_eq!(light(-0.07, -5.0).unwrap(), darker);
        assert!(light(0.07, 5.0).unwrap().contains("7 % brighter"));
        let refused = point(0.2, 0.5, 5.0);
        let refused = warning(DriftFigure::Refused, &refused).unwrap();
        assert!(
            refused.starts_with("23 % of the fields are refused, 4 %"),
            "{refused}"
        );
        for (figure, score) in [(DriftFigure::Focus, 9.0), (DriftFigure::Refused, -9.0)] {
            assert_eq!(warning(figure, &point(0.1, 0.2, score)), None, "{figure:?}");
        }
    }
}
