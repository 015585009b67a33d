//! How many commands are listened to.

use std::time::Duration;

use tokio::time::Instant;

/// Commands at once.
const BURST: u32 = 5;
/// After which there may be one more.
const REFILL: Duration = Duration::from_secs(1);

/// Lets some through at once and then one a second.
#[derive(Debug)]
pub(crate) struct Rate {
    left: u32,
    since: Instant,
    refused: u64,
}

impl Rate {
    pub(crate) fn new() -> Self {
        Self {
            left: BURST,
            since: Instant::now(),
            refused: 0,
        }
    }

    /// Whether one more may come through now.
    pub(crate) fn admits(&mut self) -> bool {
        let refilled = (self.since.elapsed().as_secs_f64() / REFILL.as_secs_f64()) as u32;
        if refilled > 0 {
            self.since += REFILL * refilled;
            self.left = self.left.saturating_add(refilled).min(BURST);
        }
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        self.refused += 1;
        if self.refused.is_power_of_two() {
            log::warn!("{} commands came too fast and were dropped", self.refused);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_come_through_at_once_and_then_one_a_second() {
        let mut rate = Rate::new();
        let admitted = (0..20).filter(|_| rate.admits()).count();
        assert_eq!(admitted, 5);
        tokio::time::advance(Duration::from_millis(2100)).await;
        assert_eq!((0..20).filter(|_| rate.admits()).count(), 2);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!((0..20).filter(|_| rate.admits()).count(), 5);
    }
}
