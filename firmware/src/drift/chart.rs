//! The chart of a figure: an exponentially weighted moving average of the last days, against the days before.

use std::array::from_fn;

use crate::drift::day::DayValue;

/// Weight of the newest day, relative to all days before it.
pub(super) const WEIGHT: f64 = 0.3;
/// Days of the average.
pub(super) const RECENT: usize = 7;
/// Days of the reference.
pub(super) const REFERENCE: usize = 28;
/// Fewest days of a reference.
pub(super) const MIN_REFERENCE: usize = 14;
/// Limit of the average, in its standard deviations.
pub(super) const LIMIT: f64 = 4.5;

/// What the chart says of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Mean of the reference.
    pub(super) mean: f64,
    /// Standard deviation of a day of the reference.
    pub(super) deviation: f64,
    /// The average of the last days.
    pub(super) average: f64,
    /// The difference of average and mean, in its standard deviations.
    pub(super) score: f64,
}

impl Point {
    /// Whether the average is beyond its limit: 1 above, −1 below, 0 within.
    pub(super) fn side(&self) -> i8 {
        if self.score > LIMIT {
            1
        } else if self.score < -LIMIT {
            -1
        } else {
            0
        }
    }
}

/// What the chart says of each day; `None` of days with too few before them.
pub(super) fn chart(days: &[DayValue]) -> Vec<Option<Point>> {
    // Of the newest day first.
    let weights: [f64; RECENT] = from_fn(|age| WEIGHT * (1.0 - WEIGHT).powi(age as i32));
    (0..days.len())
        .map(|day| {
            let (before, recent) = days[..=day].split_at((day + 1).checked_sub(RECENT)?);
            let reference = &before[before.len().saturating_sub(REFERENCE)..];
            (reference.len() >= MIN_REFERENCE).then(|| point(reference, recent, &weights))
        })
        .collect()
}

fn point(reference: &[DayValue], recent: &[DayValue], weights: &[f64; RECENT]) -> Point {
    let count = reference.len() as f64;
    let mean = reference.iter().map(|day| day.value).sum::<f64>() / count;
    let squares = reference.iter().map(|day| (day.value - mean).powi(2));
    let variance = squares.sum::<f64>() / (count - 1.0);
    let floors = recent.iter().map(|day| day.min_deviation);
    let deviation = floors.fold(variance.sqrt(), f64::max);
    let sum: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
    let newest_first = recent.iter().rev().zip(weights);
    let difference: f64 = newest_first
        .map(|(day, weight)| weight * (day.value - mean))
        .sum();
    Point {
        mean,
        deviation,
        average: mean + difference / sum,
        score: difference / (deviation * (squares + sum * sum / count).sqrt()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;

    use super::*;

    fn days(values: &[f64]) -> Vec<DayValue> {
        let first = date(2026, 1, 1);
        let dates = (0..).map(|day: i64| first + day.days());
        let days = values.iter().zip(dates).map(|(&value, date)| DayValue {
            date,
            fields: 20,
            value,
            min_deviation: 0.005,
        });
        days.collect()
    }

    /// The figures of the chart by hand: fourteen days that alternate, then seven of which the last three are lower.
    #[test]
    fn the_average_is_compared_with_the_days_before() {
        let mut values: Vec<f64> = (0..18).map(|day| f64::from(day % 2)).collect();
        values.extend([-1.0, -2.0, -3.0]);
        let points = chart(&days(&values));
        assert!(points[..20].iter().all(Option::is_none));
        let last = points[20].unwrap();
        assert!((last.mean - 0.5).abs() < 1e-12);
        assert!((last.deviation - (14.0_f64 * 0.25 / 13.0).sqrt()).abs() < 1e-12);
        // 0.3 × (−3.5 − 0.7 × 2.5 − 0.49 × 1.5 + 0.343 × 0.5 − 0.2401 × 0.5 + 0.16807 × 0.5 − 0.117649 × 0.5)
        let difference = 0.3
            * (-3.5 - 0.7 * 2.5 - 0.49 * 1.5 + 0.343 * 0.5 - 0.2401 * 0.5 + 0.16807 * 0.5
                - 0.117_649 * 0.5);
        let sum = 1.0 - 0.7_f64.powi(7);
        assert!((last.average - (0.5 + difference / sum)).abs() < 1e-12);
        let squares = 0.09 * (1.0 - 0.49_f64.powi(7)) / 0.51;
        let deviation = last.deviation * (squares + sum * sum / 14.0).sqrt();
        assert!((last.score - difference / deviation).abs() < 1e-9);
        assert_eq!(last.side(), -1);
    }

    #[test]
    fn days_that_do_not_differ_are_within_the_limit() {
        let points = chart(&days(&[0.25; 40]));
        assert!(points[39].unwrap().score.abs() < 1e-12);
        assert_eq!(points[39].unwrap().side(), 0);
        // By the smallest deviation that is believed.
        let mut values = [0.25; 40];
        values[39] = 0.26;
        let last = chart(&days(&values))[39].unwrap();
        assert!(last.score > 0.0 && last.side() == 0, "{last:?}");
    }
}
