//! A limit on how fast commands are accepted.

use std::time::Duration;

use tokio::time::Instant;

/// Commands that are accepted at once.
const BURST: u32 = 5;
/// Interval after which one more command is accepted.
const REFILL: Duration = Duration::from_secs(1);

/// A token bucket: a burst of commands at once, then one a second.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    tokens: u32,
    refilled_at: Instant,
    dropped: u64,
}

impl RateLimiter {
    /// A limiter that accepts a full burst.
    pub(crate) fn new() -> Self {
        Self {
            tokens: BURST,
            refilled_at: Instant::now(),
            dropped: 0,
        }
    }

    /// Whether to accept one more command now.
    pub(crate) fn accept(&mut self) -> bool {
        let refill = (self.refilled_at.elapsed().as_secs_f64() / REFILL.as_secs_f64()) as u32;
        if refill > 0 {
            self.refilled_at += REFILL * refill;
            self.tokens = self.tokens.saturating_add(refill).min(BURST);
        }
        if self.tokens > 0 {
            self.tokens -= 1;
            return true;
        }
        self.dropped += 1;
        if self.dropped.is_power_of_two() {
            log::warn!("{} commands came too fast and were dropped", self.dropped);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_accepted_and_then_one_command_a_second() {
        let mut limiter = RateLimiter::new();
        let accepted = (0..20).filter(|_| limiter.accept()).count();
        assert_eq!(accepted, 5);
        tokio::time::advance(Duration::from_millis(2100)).await;
        assert_eq!((0..20).filter(|_| limiter.accept()).count(), 2);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!((0..20).filter(|_| limiter.accept()).count(), 5);
    }
}
