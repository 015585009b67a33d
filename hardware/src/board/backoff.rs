//! How long to leave a part alone that has failed.

use std::time::{Duration, Instant};

/// After the first failure.
const FIRST: Duration = Duration::from_millis(500);
/// After many.
const LONGEST: Duration = Duration::from_secs(30);

/// Twice as long after each failure in a row, up to half a minute.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// Whether it is time for a try.
    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Takes note of a failure; gives how long to wait from now on.
    pub fn failed(&mut self, now: Instant) -> Duration {
        let wait = LONGEST.min(FIRST * 2_u32.saturating_pow(self.failures.min(16)));
        self.failures += 1;
        self.until = Some(now + wait);
        wait
    }

    /// Takes note that the part works.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_a_success_ends_them() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        assert!(backoff.is_over(now));
        let waits: Vec<_> = (0..8).map(|_| backoff.failed(now).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert!(!backoff.is_over(now + Duration::from_millis(29_999)));
        assert!(backoff.is_over(now + LONGEST));
        backoff.succeeded();
        assert!(backoff.is_over(now));
        assert_eq!(backoff.failed(now), FIRST);
    }

    #[test]
    fn failing_for_years_does_not_overflow() {
        let mut backoff = Backoff {
            failures: 1_000_000,
            until: None,
        };
        assert_eq!(backoff.failed(Instant::now()), LONGEST);
    }
}
