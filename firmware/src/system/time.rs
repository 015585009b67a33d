//! Formats and parses times.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Formats a time as in records: RFC 3339 in UTC with milliseconds, so that the text sorts chronologically.
pub fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Parses a time, or a date, which means its first moment in the local time zone.
pub(crate) fn time(text: &str) -> Result<Timestamp, jiff::Error> {
    match text.parse::<Date>() {
        Ok(date) if !text.contains(['T', ' ']) => {
            let midnight: Zoned = date.to_zoned(TimeZone::system())?;
            Ok(midnight.timestamp())
        }
        _ => text.parse(),
    }
}
