//! Recognises gestures in the edges of a push-button.
//!
//! | gesture | event | reported |
//! |---|---|---|
//! | short press | [`ButtonEvent::Press`] | after [`DOUBLE`], when no second press can follow |
//! | two short presses | [`ButtonEvent::Repeat`] | when the second press begins |
//! | held for [`LONG`] | [`ButtonEvent::NextSlide`] | at once, while the button is still held |
//! | held for [`WARNING`] | [`ButtonEvent::ShutdownPending`] | at once |
//! | released after the warning | [`ButtonEvent::ShutdownCancelled`] | on release |
//! | held for [`SHUTDOWN`] | [`ButtonEvent::Shutdown`] | at once |
//!
//! A press that is held until the shutdown therefore closes the slide first. That is harmless, because the
//! shutdown closes the slide too, and it gives the operator feedback while the button is still held.
//!
//! This module never reads a clock: every edge carries its time, and [`GestureRecogniser::deadline`] says
//! when to call [`GestureRecogniser::advance`].
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use smearscope_hardware::ButtonEvent;
//! use smearscope_hardware::button::gestures::{Edge, GestureRecogniser, LONG};
//!
//! let pressed = Instant::now();
//! let mut recogniser = GestureRecogniser::default();
//! let mut events = Vec::new();
//! recogniser.edge(Edge { at: pressed, is_closed: true }, |gesture| events.push(gesture.event));
//! recogniser.advance(pressed + LONG, |gesture| events.push(gesture.event));
//! assert_eq!(events, [ButtonEvent::NextSlide]);
//! ```

use std::time::{Duration, Instant};

/// A contact that has not changed for this long has stopped bouncing. Push-buttons bounce for a few
/// milliseconds, and no finger is that fast.
pub const DEBOUNCE: Duration = Duration::from_millis(20);
/// Longest gap between the two presses of a double press.
pub const DOUBLE: Duration = Duration::from_millis(350);
/// Hold time of a long press.
pub const LONG: Duration = Duration::from_millis(1500);
/// Hold time until the shutdown is announced.
pub const WARNING: Duration = Duration::from_secs(4);
/// Hold time until the appliance switches off.
pub const SHUTDOWN: Duration = Duration::from_secs(8);

/// What the operator requests with the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonEvent {
    /// Analyse a field (short press). Holds the time at which the contact closed.
    Press(Instant),
    /// Close the slide and start the next one (long press).
    NextSlide,
    /// Show the last verdict again (double press).
    Repeat,
    /// The button is held. [`ButtonEvent::Shutdown`] follows at this time unless it is released.
    ShutdownPending(Instant),
    /// The button was released before the shutdown.
    ShutdownCancelled,
    /// Switch off (held; on the simulated bench also the key `q` or the end of the input).
    Shutdown,
}

/// A change of the contact, possibly a bounce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Time of the change, on the clock of [`Instant`].
    pub at: Instant,
    /// Whether the contact is closed after the change.
    pub is_closed: bool,
}

/// A recognised gesture with the time at which it began, which decides whether it is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gesture {
    /// What it asks the appliance to do.
    pub event: ButtonEvent,
    /// Time at which the contact first closed.
    pub began: Instant,
}

/// Recognises gestures in the edges of one push-button; filters out bounces.
#[derive(Debug, Default)]
pub struct GestureRecogniser {
    debouncer: Debouncer,
    phase: Phase,
}

/// Filters the bounces out of the edges.
#[derive(Debug, Default)]
struct Debouncer {
    is_closed: bool,
    /// The change in progress.
    bounce: Option<Bounce>,
}

/// A burst of edges that starts with a change of the contact.
#[derive(Debug, Clone, Copy)]
struct Bounce {
    began: Instant,
    last: Edge,
}

impl Debouncer {
    fn edge(&mut self, edge: Edge) {
        match &mut self.bounce {
            Some(bounce) => bounce.last = edge,
            None if edge.is_closed != self.is_closed => {
                self.bounce = Some(Bounce {
                    began: edge.at,
                    last: edge,
                });
            }
            None => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.bounce.map(|bounce| bounce.last.at + DEBOUNCE)
    }

    /// The change that has settled by `now`, with the time of its first edge.
    fn settled(&mut self, now: Instant) -> Option<Edge> {
        let bounce = self
            .bounce
            .take_if(|bounce| bounce.last.at + DEBOUNCE <= now)?;
        let is_closed = bounce.last.is_closed;
        (std::mem::replace(&mut self.is_closed, is_closed) != is_closed).then_some(Edge {
            at: bounce.began,
            is_closed,
        })
    }
}

/// Progress of the current gesture.
#[derive(Debug, Clone, Copy, Default)]
enum Phase {
    #[default]
    Idle,
    /// The contact is closed.
    Held { since: Instant, reported: Reported },
    /// A short press has ended; a second one may follow.
    Released { began: Instant, at: Instant },
}

/// What has been reported about a press that is still held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reported {
    Nothing,
    /// A long press, or the second of two: its release has no further meaning.
    Gesture,
    Warning,
    Shutdown,
}

/// Hold time, the state after reporting it, and the event for a press that began at an instant.
type NextReport = (Duration, Reported, fn(Instant) -> ButtonEvent);

impl Reported {
    fn next(self) -> Option<NextReport> {
        match self {
            Self::Nothing => Some((LONG, Self::Gesture, |_| ButtonEvent::NextSlide)),
            Self::Gesture => Some((WARNING, Self::Warning, |since| {
                ButtonEvent::ShutdownPending(since + SHUTDOWN)
            })),
            Self::Warning => Some((SHUTDOWN, Self::Shutdown, |_| ButtonEvent::Shutdown)),
            Self::Shutdown => None,
        }
    }
}

impl GestureRecogniser {
    /// Processes an edge, which must not be older than the previous ones, and reports the gestures that
    /// were complete before it. An edge older than the last [`GestureRecogniser::advance`] does not revoke
    /// what was reported.
    pub fn edge(&mut self, edge: Edge, report: impl FnMut(Gesture)) {
        self.advance(edge.at, report);
        self.debouncer.edge(edge);
    }

    /// Reports the gestures that are complete at `now`.
    pub fn advance(&mut self, now: Instant, mut report: impl FnMut(Gesture)) {
        while let Some(due) = self.deadline().filter(|due| *due <= now) {
            match self.debouncer.settled(due) {
                Some(change) if change.is_closed => self.closed(change.at, &mut report),
                Some(change) => self.opened(change.at, &mut report),
                None => self.passed(due, &mut report),
            }
        }
    }

    /// When to call [`GestureRecogniser::advance`] if no edge arrives before; `None`: nothing is pending.
    pub fn deadline(&self) -> Option<Instant> {
        // While the contact bounces, the gesture may still change.
        self.debouncer.deadline().or(match self.phase {
            Phase::Idle => None,
            Phase::Held { since, reported } => reported.next().map(|(held, ..)| since + held),
            Phase::Released { at, .. } => Some(at + DOUBLE),
        })
    }

    fn closed(&mut self, at: Instant, report: &mut impl FnMut(Gesture)) {
        self.passed(at, report);
        let reported = match self.phase {
            Phase::Released { began, .. } => {
                report(Gesture {
                    event: ButtonEvent::Repeat,
                    began,
                });
                Reported::Gesture
            }
            _ => Reported::Nothing,
        };
        self.phase = Phase::Held {
            since: at,
            reported,
        };
    }

    fn opened(&mut self, at: Instant, report: &mut impl FnMut(Gesture)) {
        self.passed(at, report);
        let Phase::Held { since, reported } = std::mem::take(&mut self.phase) else {
            return;
        };
        match reported {
            Reported::Nothing => self.phase = Phase::Released { began: since, at },
            Reported::Warning => report(Gesture {
                event: ButtonEvent::ShutdownCancelled,
                began: since,
            }),
            Reported::Gesture | Reported::Shutdown => {}
        }
    }

    /// Reports what the elapsed time has completed by `now`.
    fn passed(&mut self, now: Instant, report: &mut impl FnMut(Gesture)) {
        if let Phase::Released { began, at } = self.phase
            && at + DOUBLE <= now
        {
            self.phase = Phase::Idle;
            report(Gesture {
                event: ButtonEvent::Press(began),
                began,
            });
        }
        while let Phase::Held { since, reported } = self.phase
            && let Some((held, reported, event)) = reported.next()
            && since + held <= now
        {
            self.phase = Phase::Held { since, reported };
            report(Gesture {
                event: event(since),
                began: since,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gestures recognised when the contact changes at these milliseconds, first closing, and then
    /// stays as it is for a minute; instants as milliseconds.
    fn recognised(changes: &[u64]) -> Vec<(&'static str, u64)> {
        let edges = changes.iter().zip([true, false].into_iter().cycle());
        recognised_edges(edges.map(|(at, is_closed)| (*at, is_closed)))
    }

    fn recognised_edges(edges: impl IntoIterator<Item = (u64, bool)>) -> Vec<(&'static str, u64)> {
        let zero = Instant::now();
        let mut recogniser = GestureRecogniser::default();
        let mut events = Vec::new();
        let mut report = |gesture: Gesture| {
            let ms = |at: Instant| at.duration_since(zero).as_millis() as u64;
            events.push(match gesture.event {
                ButtonEvent::Press(at) => ("press", ms(at)),
                ButtonEvent::Repeat => ("repeat", ms(gesture.began)),
                ButtonEvent::NextSlide => ("next", ms(gesture.began)),
                ButtonEvent::ShutdownPending(at) => ("pending", ms(at)),
                ButtonEvent::ShutdownCancelled => ("cancelled", ms(gesture.began)),
                ButtonEvent::Shutdown => ("shutdown", ms(gesture.began)),
            });
        };
        let mut last = zero;
        for (at, is_closed) in edges {
            last = zero + Duration::from_millis(at);
            let edge = Edge {
                at: last,
                is_closed,
            };
            recogniser.edge(edge, &mut report);
        }
        recogniser.advance(last + Duration::from_mins(1), &mut report);
        assert_eq!(recogniser.deadline(), None, "nothing is left to wait for");
        events
    }

    #[test]
    fn one_two_and_three_short_presses() {
        assert_eq!(recognised(&[100, 200]), [("press", 100)]);
        assert_eq!(recognised(&[100, 200, 400, 500]), [("repeat", 100)]);
        assert_eq!(
            recognised(&[100, 200, 400, 500, 700, 800]),
            [("repeat", 100), ("press", 700)]
        );
        assert_eq!(
            recognised(&[100, 200, 550, 650]),
            [("press", 100), ("press", 550)]
        );
        assert_eq!(recognised(&[100, 200, 549, 650]), [("repeat", 100)]);
    }

    #[test]
    fn a_press_is_long_from_one_and_a_half_seconds_on() {
        assert_eq!(recognised(&[0, 1499]), [("press", 0)]);
        assert_eq!(recognised(&[0, 1500]), [("next", 0)]);
        assert_eq!(
            recognised(&[0, 3999, 4200, 4300]),
            [("next", 0), ("press", 4200)]
        );
    }

    #[test]
    fn a_shutdown_is_announced_and_may_be_cancelled() {
        assert_eq!(
            recognised(&[0, 7999]),
            [("next", 0), ("pending", 8000), ("cancelled", 0)]
        );
        let held = [("next", 0), ("pending", 8000), ("shutdown", 0)];
        assert_eq!(recognised(&[0, 8000]), held);
        assert_eq!(recognised(&[0]), held, "also if it is never released");
    }

    #[test]
    fn the_second_of_two_presses_may_be_held_until_the_shutdown_and_is_not_a_long_press() {
        assert_eq!(recognised(&[0, 100, 300, 3000]), [("repeat", 0)]);
        assert_eq!(
            recognised(&[0, 100, 300]),
            [("repeat", 0), ("pending", 8300), ("shutdown", 300)]
        );
    }

    #[test]
    fn elapsed_time_completes_a_gesture_without_an_edge() {
        let zero = Instant::now();
        let mut recogniser = GestureRecogniser::default();
        let mut events = Vec::new();
        let mut report = |gesture: Gesture| events.push(gesture.event);
        assert_eq!(recogniser.deadline(), None);
        let edge = Edge {
            at: zero,
            is_closed: true,
        };
        recogniser.edge(edge, &mut report);
        assert_eq!(recogniser.deadline(), Some(zero + DEBOUNCE));
        recogniser.advance(zero + DEBOUNCE, &mut report);
        assert_eq!(recogniser.deadline(), Some(zero + LONG));
        recogniser.advance(zero + LONG, &mut report);
        assert_eq!(recogniser.deadline(), Some(zero + WARNING));
        assert_eq!(events, [ButtonEvent::NextSlide]);
    }

    #[test]
    fn a_late_edge_does_not_revoke_a_report() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let mut recogniser = GestureRecogniser::default();
        let mut events = Vec::new();
        let mut report = |gesture: Gesture| events.push(gesture.event);
        let edge = |ms, is_closed| {
            let at = at(ms);
            Edge { at, is_closed }
        };
        recogniser.edge(edge(0, true), &mut report);
        recogniser.advance(at(1600), &mut report);
        recogniser.edge(edge(1400, false), &mut report);
        recogniser.advance(at(5000), &mut report);
        recogniser.edge(edge(6000, true), &mut report);
        recogniser.edge(edge(6100, false), &mut report);
        recogniser.advance(at(7000), &mut report);
        assert_eq!(
            events,
            [ButtonEvent::NextSlide, ButtonEvent::Press(at(6000))]
        );
    }

    #[test]
    fn a_bouncing_press_is_one_press_that_began_with_its_first_edge() {
        let closing = (0..10).map(|n| (100 + 3 * n, n % 2 == 0));
        let settled = [(130, true)];
        let opening = (0..9).map(|n| (300 + 5 * n, n % 2 == 1));
        let edges = closing.chain(settled).chain(opening);
        assert_eq!(recognised_edges(edges), [("press", 100)]);
    }

    #[test]
    fn bounces_do_not_lengthen_a_press() {
        let edges = [(0, true), (1495, false), (1503, true), (1511, false)];
        assert_eq!(recognised_edges(edges), [("press", 0)]);
    }

    #[test]
    fn a_spike_neither_presses_nor_releases() {
        assert_eq!(recognised(&[100, 105]), []);
        assert_eq!(recognised(&[0, 700, 710, 1600]), [("next", 0)]);
    }

    #[test]
    fn a_lone_release_and_repeated_levels_are_ignored() {
        assert_eq!(recognised_edges([(5, false), (9, false)]), []);
        let twice = [
            (0, true),
            (0, true),
            (100, true),
            (200, false),
            (210, false),
        ];
        assert_eq!(recognised_edges(twice), [("press", 0)]);
    }
}
