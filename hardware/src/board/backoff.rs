//! Exponential backoff.

use std::time::Duration;

/// Delays between retries: each is twice as long as the one before, up to a maximum.
///
/// ```
/// use std::time::Duration;
///
/// use smearscope_hardware::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(2));
/// let delays = [(); 4].map(|()| backoff.next_delay().as_millis());
/// assert_eq!(delays, [500, 1000, 2000, 2000]);
/// backoff.reset();
/// assert_eq!(backoff.next_delay().as_millis(), 500);
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts with a delay of `first`; no delay is longer than `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        let next = first.min(max);
        Self { first, max, next }
    }

    /// Returns how long to wait after another failure.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(self.max);
        delay
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        *self = Self::new(self.first, self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let delays: Vec<_> = (0..8).map(|_| backoff.next_delay().as_millis()).collect();
        assert_eq!(
            delays,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
        );
        backoff.reset();
        assert_eq!(backoff.next_delay().as_millis(), 500);
    }

    #[test]
    fn extreme_durations_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            assert_eq!(backoff.next_delay(), Duration::MAX);
        }
        let mut short = Backoff::new(Duration::from_secs(5), Duration::from_secs(1));
        assert_eq!(short.next_delay(), Duration::from_secs(1));
    }
}
