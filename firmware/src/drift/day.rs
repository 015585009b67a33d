//! The figures of a day, from those of its fields.

use jiff::civil::Date;

use crate::drift::figure::{DriftFigure, FieldFigures};

/// Fewest fields of a day that count.
pub(super) const MIN_FIELDS: usize = 5;
/// Smallest standard deviation between days that is believed: less is no reason to call a change of 2 %.
const MIN_DEVIATION: f64 = 0.005;

/// The value of a figure on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DayValue {
    pub(super) date: Date,
    /// Number of fields.
    pub(super) fields: u32,
    /// Mean of the middle half of the logarithms; of refused fields, the arcsine of the square root of their share.
    pub(super) value: f64,
    /// Smallest standard deviation that such a value can have.
    pub(super) min_deviation: f64,
}

/// The values of a figure on each day that has enough fields. The fields are in order of their dates.
pub(super) fn values(figure: DriftFigure, fields: &[FieldFigures]) -> Vec<DayValue> {
    let days = fields.chunk_by(|one, other| one.date == other.date);
    days.filter_map(|day| value(figure, day)).collect()
}

/// The value of a figure on a day.
pub(super) fn value(figure: DriftFigure, day: &[FieldFigures]) -> Option<DayValue> {
    let date = day.first()?.date;
    let of_fields = |of: fn(&FieldFigures) -> Option<f64>| {
        let mut values: Vec<f64> = day.iter().filter_map(of).collect();
        (values.len() >= MIN_FIELDS).then(|| DayValue {
            date,
            fields: values.len() as u32,
            value: midmean(&mut values),
            min_deviation: MIN_DEVIATION,
        })
    };
    match figure {
        DriftFigure::Light => of_fields(|field| field.light),
        DriftFigure::Focus => of_fields(|field| field.focus),
        DriftFigure::Stain => of_fields(|field| field.stain),
        DriftFigure::Refused => (day.len() >= MIN_FIELDS).then(|| {
            let refused = day.iter().filter(|field| field.is_refused).count();
            let fields = day.len() as f64;
            DayValue {
                date,
                fields: day.len() as u32,
                value: arcsine(refused as f64 / fields),
                min_deviation: 0.5 / fields.sqrt(),
            }
        }),
    }
}

/// Mean of the middle half: a field that differs from all others of its day does not count.
fn midmean(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 4;
    let middle = &values[cut..values.len() - cut];
    middle.iter().sum::<f64>() / middle.len() as f64
}

/// The arcsine of the square root of a share, 0 to π/2, whose variance hardly depends on the share (Bartlett, "The Use of
/// Transformations", Biometrics 3, 1947).
fn arcsine(share: f64) -> f64 {
    share.sqrt().asin()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn field(day: i8, light: f64, is_refused: bool) -> FieldFigures {
        FieldFigures {
            date: date(2026, 7, day),
            light: Some(light),
            focus: None,
            stain: Some(0.5),
            is_refused,
        }
    }

    #[test]
    fn a_day_has_the_mean_of_the_middle_half_of_its_fields() {
        let lights = [0.4, 9.0, 0.6, -9.0, 0.5];
        let fields = lights.map(|light| field(1, light, false));
        let found = values(DriftFigure::Light, &fields);
        assert_eq!(found.len(), 1);
        assert!((found[0].value - 0.5).abs() < 1e-12, "{found:?}");
        assert_eq!(values(DriftFigure::Focus, &fields), []);
        assert_eq!(values(DriftFigure::Light, &fields[1..]), []);
    }

    #[test]
    fn a_day_has_a_share_of_refused_fields() {
        let fields = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2].map(|day| field(day, 0.0, day == 2));
        let found = values(DriftFigure::Refused, &fields);
        let shares: Vec<_> = found
            .iter()
            .map(|day| (day.fields, DriftFigure::Refused.shown(day.value)))
            .collect();
        assert_eq!(shares, [(5, 0.0), (8, 1.0)]);
    }
}
