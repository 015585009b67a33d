//! The drift watch: light, focus, stain and the share of refused fields of each day, against the weeks before. A lamp that
//! ages or a stain that goes off is told before pictures become unusable.
//!
//! Each figure is watched by a chart of exponentially weighted moving averages (EWMA; Roberts, "Control Chart Tests Based on
//! Geometric Moving Averages", Technometrics 1, 1959; Lucas and Saccucci, "Exponentially Weighted Moving Average Control
//! Schemes", Technometrics 32, 1990), with these parameters:
//!
//! | parameter | value |
//! |---|---|
//! | a day | at least [5](day::MIN_FIELDS) fields on one date, UTC, which is over; its value is the mean of the middle half of its fields |
//! | weight λ of the newest day | [0.3](chart::WEIGHT), over the last [7](chart::RECENT) days |
//! | reference | mean and standard deviation of the [28](chart::REFERENCE) days before those, at least [14](chart::MIN_REFERENCE) |
//! | limit | [4.5](chart::LIMIT) standard deviations of the average, that of the reference's mean included |
//!
//! Days without fields are left out, so a weekend makes the weeks longer. Only fields of one camera, mode, objective and
//! light calibration are compared: those of the newest field.
//!
//! A field's light is the linear brightness of its background, divided by exposure time and gain where they are known, in
//! logarithms; focus and stain are logarithms of the gate's figures `focus` and `nucleus_contrast`. The background of
//! fields that one microscope photographed with fixed settings differs by 2.8 % (standard deviation of 21 micrographs of
//! BCCD). With 3 % between fields and 0.5 % between days, a lamp that dims by 1 % a day is called within five days in 99 of
//! 100 cases (see the tests, which simulate 1,000 years).

mod chart;
mod day;
mod figure;
mod report;
mod setup;
mod watch;

#[cfg(test)]
mod simulation;

pub(crate) use report::DriftReport;
pub use watch::DriftWatch;
