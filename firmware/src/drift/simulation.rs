//! A thousand simulated years of a laboratory: how often the watch calls what does not drift, and how soon a lamp that dims.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Normal};

use crate::drift::chart::{MIN_REFERENCE, Point, RECENT, REFERENCE, chart};
use crate::drift::day::{DayValue, value, values};
use crate::drift::figure::{DriftFigure, FieldFigures};

const YEARS: usize = 1000;
const DAYS: usize = 365;
/// Standard deviation between fields, of the logarithms.
const OF_FIELDS: f64 = 0.03;
/// Standard deviation between days.
const OF_DAYS: f64 = 0.005;
/// Fields of a day.
const FIELDS: std::ops::RangeInclusive<usize> = 10..=30;
/// Share of fields that are refused.
const REFUSED: f64 = 0.05;
/// Logarithm of the dimming of a day.
const DIMMING: f64 = -0.01;
/// Days within which it must be called.
const WITHIN: usize = 5;

struct Laboratory(StdRng);

impl Laboratory {
    fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        Normal::new(mean, deviation).unwrap().sample(&mut self.0)
    }

    fn day(&mut self, date: Date) -> Vec<FieldFigures> {
        let [light, focus, stain] = [-0.2, 0.6, -1.5].map(|mean| self.normal(mean, OF_DAYS));
        let count = self.0.random_range(FIELDS);
        (0..count)
            .map(|_| FieldFigures {
                date,
                light: Some(self.normal(light, OF_FIELDS)),
                focus: Some(self.normal(focus, OF_FIELDS)),
                stain: Some(self.normal(stain, OF_FIELDS)),
                is_refused: self.0.random_bool(REFUSED),
            })
            .collect()
    }

    fn year(&mut self) -> Vec<Vec<FieldFigures>> {
        let first = date(2026, 1, 1);
        (0..DAYS as i64)
            .map(|day| self.day(first + day.days()))
            .collect()
    }
}

/// What a chart calls on each day.
fn called(figure: DriftFigure, days: &[DayValue]) -> Vec<bool> {
    let is_called = |point: Option<Point>| point.is_some_and(|point| figure.tells(point.side()));
    chart(days).into_iter().map(is_called).collect()
}

/// Changes the light of fields; dimming is negative.
fn brighten(fields: &mut [FieldFigures], by: f64) {
    for field in fields {
        field.light = field.light.map(|light| light + by);
    }
}

/// Light that dims from `first` on, as far as it matters.
fn dimmed(year: &[Vec<FieldFigures>], first: usize) -> Vec<DayValue> {
    let days = &year[first - RECENT - REFERENCE..first + WITHIN];
    let dims = std::iter::repeat_n(0, RECENT + REFERENCE).chain(1..);
    days.iter()
        .zip(dims)
        .map(|(day, dims)| {
            let mut day = day.clone();
            let by = DIMMING * f64::from(dims);
            brighten(&mut day, by);
            value(DriftFigure::Light, &day).unwrap()
        })
        .collect()
}

#[test]
fn a_thousand_years_have_few_false_alarms_and_a_dimming_lamp_is_called_within_five_days() {
    let mut laboratory = Laboratory(StdRng::seed_from_u64(24));
    let (mut alarms, mut in_time) = ([0_usize; 4], 0);
    for _ in 0..YEARS {
        let year = laboratory.year();
        let fields = year.concat();
        for (figure, alarms) in DriftFigure::ALL.into_iter().zip(&mut alarms) {
            let called = called(figure, &values(figure, &fields));
            // An alarm that lasts is one.
            let begins = called.windows(2).filter(|days| !days[0] && days[1]);
            *alarms += begins.count();
        }
        let first = laboratory.0.random_range(RECENT + REFERENCE..DAYS - WITHIN);
        let called = called(DriftFigure::Light, &dimmed(&year, first));
        let is_in_time = called[RECENT + REFERENCE..].contains(&true);
        in_time += usize::from(is_in_time);
    }
    let per_year = alarms.iter().sum::<usize>() as f64 / YEARS as f64;
    println!(
        "false alarms: {alarms:?}, {per_year} a year; called within {WITHIN} days: {in_time} of {YEARS}"
    );
    assert!(per_year < 0.5, "{alarms:?}");
    assert!(in_time > 985, "{in_time}");
}

#[test]
fn a_lamp_that_keeps_dimming_is_called_until_it_stops() {
    let mut laboratory = Laboratory(StdRng::seed_from_u64(7));
    let mut year = laboratory.year();
    // It dims for 40 days from day 100 on, and stays.
    for (day, fields) in year.iter_mut().enumerate() {
        let by = DIMMING * day.saturating_sub(99).min(40) as f64;
        brighten(fields, by);
    }
    let called = called(
        DriftFigure::Light,
        &values(DriftFigure::Light, &year.concat()),
    );
    assert!(!called[..100].contains(&true));
    assert!(
        !called[105..140].contains(&false),
        "{:?}",
        &called[100..140]
    );
    assert!(!called[140 + RECENT + REFERENCE..].contains(&true));
    assert!(called.len() > MIN_REFERENCE);
}
