//! Which events are on their way, so that each arrives, in order, and none is forgotten.

use std::collections::VecDeque;

/// Events that are on their way at the same time.
pub(crate) const WINDOW: usize = 16;

/// The events between what was delivered and what is not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Up to which all were delivered.
    delivered: i64,
    /// What is on its way, in order, and whether it has arrived.
    flying: VecDeque<(i64, bool)>,
    /// Up to which it was noted.
    noted: i64,
}

impl Delivery {
    /// All up to `delivered` were.
    pub(crate) fn from(delivered: i64) -> Self {
        Self {
            delivered,
            flying: VecDeque::new(),
            noted: delivered,
        }
    }

    /// What was on its way is to be sent again: its connection is gone.
    pub(crate) fn land(&mut self) {
        self.flying.clear();
    }

    /// How many may be sent now.
    pub(crate) fn room(&self) -> usize {
        WINDOW - self.flying.len()
    }

    /// The event after which the next one is to be sent.
    pub(crate) fn sent(&self) -> i64 {
        self.flying.back().map_or(self.delivered, |(seq, _)| *seq)
    }

    /// Up to which all were delivered.
    pub(crate) fn delivered(&self) -> i64 {
        self.delivered
    }

    /// An event is on its way.
    pub(crate) fn send(&mut self, seq: i64) {
        self.flying.push_back((seq, false));
    }

    /// An event has arrived. What arrived before one that did not counts only once that one has, too.
    pub(crate) fn arrive(&mut self, seq: i64) {
        if let Some((_, has_arrived)) = self.flying.iter_mut().find(|(flying, _)| *flying == seq) {
            *has_arrived = true;
        }
        while let Some((seq, true)) = self.flying.front() {
            self.delivered = *seq;
            self.flying.pop_front();
        }
    }

    /// Up to which it should be noted now that all were delivered: not for each, since that costs.
    pub(crate) fn to_note(&self) -> Option<i64> {
        let is_due = self.flying.is_empty() || self.delivered - self.noted >= WINDOW as i64;
        self.to_note_at_last().filter(|_| is_due)
    }

    /// The same where there will be no better time.
    pub(crate) fn to_note_at_last(&self) -> Option<i64> {
        (self.delivered > self.noted).then_some(self.delivered)
    }

    /// That was noted.
    pub(crate) fn note(&mut self, seq: i64) {
        self.noted = self.noted.max(seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_out_of_order_waits_for_what_was_before() {
        let mut delivery = Delivery::from(10);
        for seq in [12, 13, 17] {
            delivery.send(seq);
        }
        assert_eq!((delivery.sent(), delivery.room()), (17, WINDOW - 3));
        delivery.arrive(13);
        assert_eq!((delivery.delivered(), delivery.to_note()), (10, None));
        delivery.arrive(12);
        assert_eq!((delivery.delivered(), delivery.to_note()), (13, None));
        assert_eq!(delivery.to_note_at_last(), Some(13));
        delivery.arrive(99);
        delivery.arrive(17);
        assert_eq!(delivery.to_note(), Some(17));
        delivery.note(17);
        assert_eq!(delivery.to_note_at_last(), None);
    }

    #[test]
    fn what_was_on_its_way_when_the_connection_broke_is_sent_again() {
        let mut delivery = Delivery::from(0);
        for seq in 1..=4 {
            delivery.send(seq);
        }
        delivery.arrive(1);
        delivery.arrive(3);
        delivery.land();
        assert_eq!((delivery.sent(), delivery.room()), (1, WINDOW));
        delivery.arrive(2);
        assert_eq!(
            delivery.delivered(),
            1,
            "that one belonged to another connection"
        );
    }
}
