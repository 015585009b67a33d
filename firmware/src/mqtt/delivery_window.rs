//! Which verdicts are in flight to the broker, so that each one is delivered, in order.

use std::collections::VecDeque;

/// Most verdicts in flight at the same time.
pub(crate) const WINDOW: usize = 16;

/// The verdicts between the last delivered one and the next one to send, by their numbers in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryWindow {
    /// All verdicts up to this number are delivered.
    delivered: i64,
    /// Verdicts in flight, in order, and whether the broker has acknowledged each.
    in_flight: VecDeque<(i64, bool)>,
    /// How many may be in flight: one on a new connection, and one more with each acknowledgement. So a connection that lasts
    /// for one verdict delivers it, where many at once would all be cut off.
    allowed: usize,
    /// The value of `delivered` that is stored in the outbox.
    stored: i64,
}

impl DeliveryWindow {
    /// All verdicts up to `delivered` are delivered, none is in flight.
    pub(crate) fn new(delivered: i64) -> Self {
        Self {
            delivered,
            in_flight: VecDeque::new(),
            allowed: 1,
            stored: delivered,
        }
    }

    /// Starts again after the last delivered verdict, because the connection is lost.
    pub(crate) fn rewind(&mut self) {
        self.in_flight.clear();
        self.allowed = 1;
    }

    /// How many more verdicts may be in flight.
    pub(crate) fn room(&self) -> usize {
        self.allowed.saturating_sub(self.in_flight.len())
    }

    /// The last verdict sent.
    pub(crate) fn last_sent(&self) -> i64 {
        self.in_flight
            .back()
            .map_or(self.delivered, |(seq, _)| *seq)
    }

    /// The verdict up to which all are delivered.
    pub(crate) fn delivered(&self) -> i64 {
        self.delivered
    }

    /// Adds a verdict that is about to be sent.
    pub(crate) fn push(&mut self, seq: i64) {
        self.in_flight.push_back((seq, false));
    }

    /// Marks a verdict as acknowledged. It counts as delivered once all before it are acknowledged, too.
    pub(crate) fn acknowledge(&mut self, seq: i64) {
        let mut in_flight = self.in_flight.iter_mut();
        if let Some((_, is_acknowledged)) = in_flight.find(|(sent, _)| *sent == seq) {
            *is_acknowledged = true;
            self.allowed = WINDOW.min(self.allowed + 1);
        }
        while let Some((seq, true)) = self.in_flight.front() {
            self.delivered = *seq;
            self.in_flight.pop_front();
        }
    }

    /// The value of [`Self::delivered`] if it should be stored now. Storing costs a write, so it is not done for
    /// each verdict.
    pub(crate) fn due(&self) -> Option<i64> {
        let is_due = self.in_flight.is_empty() || self.delivered - self.stored >= WINDOW as i64;
        self.unstored().filter(|_| is_due)
    }

    /// The value of [`Self::delivered`] if it is not stored yet.
    pub(crate) fn unstored(&self) -> Option<i64> {
        (self.delivered > self.stored).then_some(self.delivered)
    }

    /// Marks `seq` as stored.
    pub(crate) fn stored(&mut self, seq: i64) {
        self.stored = self.stored.max(seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_counts_once_all_earlier_ones_have_arrived() {
        let mut window = DeliveryWindow::new(10);
        for seq in [12, 13, 17] {
            window.push(seq);
        }
        assert_eq!(window.last_sent(), 17);
        window.acknowledge(13);
        assert_eq!((window.delivered(), window.due()), (10, None));
        window.acknowledge(12);
        assert_eq!((window.delivered(), window.due()), (13, None));
        assert_eq!(window.unstored(), Some(13));
        window.acknowledge(99);
        window.acknowledge(17);
        assert_eq!(window.due(), Some(17));
        window.stored(17);
        assert_eq!(window.unstored(), None);
    }

    #[test]
    fn verdicts_in_flight_are_sent_again_after_a_lost_connection() {
        let mut window = DeliveryWindow::new(0);
        for seq in 1..=4 {
            window.push(seq);
        }
        window.acknowledge(1);
        window.acknowledge(3);
        window.rewind();
        assert_eq!(window.last_sent(), 1);
        window.acknowledge(2);
        assert_eq!(
            window.delivered(),
            1,
            "an acknowledgement of the lost connection"
        );
    }

    #[test]
    fn each_acknowledgement_allows_one_more_in_flight() {
        let mut window = DeliveryWindow::new(0);
        for seq in 1..=20 {
            assert_eq!(window.room(), WINDOW.min(seq as usize), "{seq}");
            window.push(seq);
            window.acknowledge(seq);
        }
        window.push(21);
        assert_eq!(window.room(), WINDOW - 1);
        window.rewind();
        assert_eq!(window.room(), 1);
    }
}
