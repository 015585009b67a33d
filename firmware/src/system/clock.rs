//! The system clock: whether it is set and synchronized, whether it is behind the records, and when it jumps.

use std::path::Path;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A day before the first release: an earlier date means that the clock is not set.
pub(crate) const FIRST_DAY: Date = Date::constant(2026, 1, 1);
/// systemd-timesyncd creates this file when it sets the clock.
const TIMESYNC: &str = "/run/systemd/timesync/synchronized";
/// How far behind the newest record the clock may be: uploads and captures are recorded in the order in which they
/// finish.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Smallest step of the clock that counts as a jump. A time server corrects smaller deviations gradually.
const JUMP: SignedDuration = SignedDuration::from_secs(1);

/// What is known about the system clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// A time server set it since the machine started.
    Synchronized,
    /// No time server set it, as on a machine without a network. It may be right all the same.
    Unsynchronized,
    /// It is not synchronized and earlier than the newest record, so it went back.
    BehindRecords,
    /// Its date is before the first release of this program.
    NotSet,
}

impl ClockState {
    /// The state at `now` by the clock, when the newest record has the time `newest`.
    pub(crate) fn at(now: Timestamp, newest: Option<Timestamp>) -> Self {
        Self::of(now, newest, is_synchronized())
    }

    fn of(now: Timestamp, newest: Option<Timestamp>, is_synchronized: bool) -> Self {
        if !is_set(now) {
            Self::NotSet
        } else if is_synchronized {
            Self::Synchronized
        } else if newest.is_some_and(|newest| is_behind(now, newest)) {
            Self::BehindRecords
        } else {
            Self::Unsynchronized
        }
    }

    /// The state in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Synchronized => "clock synchronized",
            Self::Unsynchronized => "clock not synchronized",
            Self::BehindRecords => "clock behind the newest record",
            Self::NotSet => "clock not set",
        }
    }

    /// Whether times by this clock are known to be wrong.
    pub fn is_wrong(self) -> bool {
        matches!(self, Self::BehindRecords | Self::NotSet)
    }
}

/// Whether `now` is noticeably earlier than the newest record.
pub(crate) fn is_behind(now: Timestamp, newest: Timestamp) -> bool {
    newest.duration_since(now) > TOLERANCE
}

/// Whether the clock is set. A Pi without a network starts in the past.
pub(crate) fn is_set(now: Timestamp) -> bool {
    now.to_zoned(TimeZone::UTC).date() >= FIRST_DAY
}

/// Whether a time server set the clock: according to the kernel, or to systemd-timesyncd where the kernel may not be
/// asked.
fn is_synchronized() -> bool {
    kernel_is_synchronized().unwrap_or_else(|| Path::new(TIMESYNC).exists())
}

/// Whether the kernel considers the clock synchronized; `None` if a system-call filter forbids the question.
fn kernel_is_synchronized() -> Option<bool> {
    #[expect(unsafe_code, reason = "no well-kept crate asks the kernel")]
    // SAFETY: a `timex` consists of integers, for which zero is valid. With `modes` 0, adjtimex(2) only writes to it.
    let (result, state) = unsafe {
        let mut state: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut state), state)
    };
    (result >= 0).then_some(result != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0)
}

/// Notices when the clock is set to another time.
#[derive(Debug, Default)]
pub(crate) struct JumpDetector {
    /// The time by the clock when the machine started, as of the last check.
    booted: Option<Timestamp>,
}

impl JumpDetector {
    /// Logs a jump since the last check.
    pub(crate) fn check(&mut self) {
        let since_boot = clock_gettime(ClockId::Boottime);
        let since_boot = Duration::new(since_boot.tv_sec as u64, since_boot.tv_nsec as u32);
        if let Some(jump) = self.observe(Timestamp::now(), since_boot) {
            let direction = if jump.is_negative() {
                "back"
            } else {
                "forward"
            };
            let length = SignedDuration::from_secs(jump.abs().as_secs());
            log::warn!("the clock jumped {direction} by {length:#}");
        }
    }

    /// How far the clock jumped since the last observation, if it did.
    fn observe(&mut self, now: Timestamp, since_boot: Duration) -> Option<SignedDuration> {
        let booted = now.checked_sub(since_boot).ok()?;
        let before = self.booted.replace(booted)?;
        let jump = booted.duration_since(before);
        (jump.abs() >= JUMP).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_state_is_what_is_known() {
        use ClockState::{BehindRecords, NotSet, Synchronized, Unsynchronized};
        let newest = time("2026-05-01T12:00:00Z");
        for (now, newest, is_synchronized, expected) in [
            ("2026-05-01T12:00:01Z", Some(newest), true, Synchronized),
            ("2026-05-01T12:00:01Z", Some(newest), false, Unsynchronized),
            // An upload that was recorded first may be a little later.
            ("2026-05-01T11:59:30Z", Some(newest), false, Unsynchronized),
            ("2026-05-01T11:00:00Z", Some(newest), false, BehindRecords),
            // A time server knows better than a record.
            ("2026-05-01T11:00:00Z", Some(newest), true, Synchronized),
            ("2026-01-01T00:00:00Z", None, false, Unsynchronized),
            ("1970-01-01T00:02:00Z", None, false, NotSet),
            ("2025-12-31T23:59:59Z", Some(newest), true, NotSet),
        ] {
            let state = ClockState::of(time(now), newest, is_synchronized);
            assert_eq!(state, expected, "{now} {is_synchronized}");
            assert_eq!(state.is_wrong(), [BehindRecords, NotSet].contains(&state));
        }
        let json = serde_json::to_string(&[BehindRecords, NotSet]).unwrap();
        assert_eq!(json, r#"["behind_records","not_set"]"#);
    }

    #[test]
    fn a_jump_is_noticed_once() {
        let start = time("2026-05-01T12:00:00Z");
        let mut detector = JumpDetector::default();
        let mut observe = |wall: i64, since_boot: u64| {
            let now = start + SignedDuration::from_millis(wall);
            detector.observe(now, Duration::from_millis(1_000_000 + since_boot))
        };
        assert_eq!(observe(0, 0), None);
        assert_eq!(observe(500, 500), None);
        assert_eq!(observe(1_400, 1_000), None, "gradual correction");
        let hour = SignedDuration::from_hours(1);
        assert_eq!(observe(1_900 - 3_600_000, 1_500), Some(-hour));
        assert_eq!(observe(2_400 - 3_600_000, 2_000), None);
        assert_eq!(observe(2_900, 2_500), Some(hour));
    }
}
