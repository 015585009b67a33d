//! Times as records and protocols write them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A time as records have it: RFC 3339, UTC, with milliseconds, so that text sorts as time does.
pub fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A time, or the beginning of a day where the appliance stands.
pub(crate) fn time(text: &str) -> Result<Timestamp, jiff::Error> {
    match text.parse::<Date>() {
        Ok(date) if !text.contains(['T', ' ']) => {
            let midnight: Zoned = date.to_zoned(TimeZone::system())?;
            Ok(midnight.timestamp())
        }
        _ => text.parse(),
    }
}
