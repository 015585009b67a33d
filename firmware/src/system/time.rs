//! Formats and parses times.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Formats a time as in records: RFC 3339 in UTC with milliseconds, so that the text sorts chronologically.
pub fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a time; give a date such as 2026-05-01, or a time with its zone such as 2026-05-01T08:00:00Z"
)]
pub(crate) struct InvalidTime;

/// Parses a time, or a date, which means its first moment in the local time zone.
pub(crate) fn time(text: &str) -> Result<Timestamp, InvalidTime> {
    let midnight = |date: Date| date.to_zoned(TimeZone::system());
    match text.parse::<Date>() {
        Ok(date) if !text.contains(['T', ' ']) => midnight(date)
            .map(|midnight| midnight.timestamp())
            .map_err(|_| InvalidTime),
        _ => text.parse().map_err(|_| InvalidTime),
    }
}
