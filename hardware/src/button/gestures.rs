//! From the edges of one push-button to what the operator means by them.
//!
//! | gesture | event | reported |
//! |---|---|---|
//! | short press | [`ButtonEvent::Press`] | once no second press can follow any more |
//! | two short presses | [`ButtonEvent::Repeat`] | when the second closes the contact |
//! | held [`LONG`] | [`ButtonEvent::NextSlide`] | when that is reached, so that the operator lets go |
//! | held [`WARNING`] | [`ButtonEvent::ShutdownAhead`] | when that is reached |
//! | let go after the warning | [`ButtonEvent::ShutdownAverted`] | when the contact opens |
//! | held [`SHUTDOWN`] | [`ButtonEvent::Shutdown`] | when that is reached |
//!
//! A hold that goes on to the shutdown has closed the slide on its way. It does no harm, since
//! switching off closes the slide too, and waiting for the release instead would leave the operator
//! without an answer for as long as the button is held.
//!
//! Nothing here reads a clock: edges bring their instants, and [`Recogniser::deadline`] says when
//! the next word of the clock is wanted.

use std::time::{Duration, Instant};

/// A contact that has not changed for so long has come to rest. Push-buttons bounce for some
/// milliseconds, and no finger is so fast.
pub const DEBOUNCE: Duration = Duration::from_millis(20);
/// From the end of a short press to the second press of a double one.
pub const DOUBLE: Duration = Duration::from_millis(350);
/// Held so long, a press is a long one.
pub const LONG: Duration = Duration::from_millis(1500);
/// Held so long, the shutdown is announced.
pub const WARNING: Duration = Duration::from_secs(4);
/// Held so long, the appliance switches off.
pub const SHUTDOWN: Duration = Duration::from_secs(8);

/// What the operator meant with the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonEvent {
    /// Analyse a field (short press); the contact closed at this moment.
    Press(Instant),
    /// Close the slide and begin the next (long press).
    NextSlide,
    /// Show the last display again (double press).
    Repeat,
    /// The button is still held, and if it stays so, [`ButtonEvent::Shutdown`] comes at this moment.
    ShutdownAhead(Instant),
    /// The button was let go before that.
    ShutdownAverted,
    /// Switch off (held; on the simulated bench also `q`, or the end of the input).
    Shutdown,
}

/// The contact changed, or bounced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// When.
    pub at: Instant,
    /// Whether the contact is closed now.
    pub is_closed: bool,
}

/// What the operator meant, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gesture {
    /// What the operator meant.
    pub event: ButtonEvent,
    /// When the contact closed that began it.
    pub began: Instant,
}

/// Recognises gestures in the edges of one push-button, chatter included.
#[derive(Debug, Default)]
pub struct Recogniser {
    contact: Contact,
    phase: Phase,
}

/// The contact, with the chatter taken away.
#[derive(Debug, Default)]
struct Contact {
    is_closed: bool,
    /// An edge away from where the contact rested, and the last edge since.
    unrest: Option<Unrest>,
}

#[derive(Debug, Clone, Copy)]
struct Unrest {
    began: Instant,
    last: Edge,
}

impl Contact {
    fn edge(&mut self, edge: Edge) {
        match &mut self.unrest {
            Some(unrest) => unrest.last = edge,
            None if edge.is_closed != self.is_closed => {
                self.unrest = Some(Unrest {
                    began: edge.at,
                    last: edge,
                });
            }
            None => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.unrest.map(|unrest| unrest.last.at + DEBOUNCE)
    }

    /// The change that has come to rest by `now`, dated back to its first edge.
    fn rest(&mut self, now: Instant) -> Option<Edge> {
        let unrest = self
            .unrest
            .take_if(|unrest| unrest.last.at + DEBOUNCE <= now)?;
        let is_closed = unrest.last.is_closed;
        (std::mem::replace(&mut self.is_closed, is_closed) != is_closed).then_some(Edge {
            at: unrest.began,
            is_closed,
        })
    }
}

/// Where in a gesture the operator is.
#[derive(Debug, Clone, Copy, Default)]
enum Phase {
    #[default]
    Idle,
    /// The contact is closed.
    Held { since: Instant, told: Told },
    /// A short press is over; a second one may follow.
    Released { began: Instant, at: Instant },
}

/// What has been reported of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    /// It is a long press, or the second of two: its release means nothing more.
    Meaning,
    Warning,
    Shutdown,
}

/// After how long a hold is reported, as what, and what that says of one that began at an instant.
type Report = (Duration, Told, fn(Instant) -> ButtonEvent);

impl Told {
    fn next(self) -> Option<Report> {
        match self {
            Self::Nothing => Some((LONG, Self::Meaning, |_| ButtonEvent::NextSlide)),
            Self::Meaning => Some((WARNING, Self::Warning, |since| {
                ButtonEvent::ShutdownAhead(since + SHUTDOWN)
            })),
            Self::Warning => Some((SHUTDOWN, Self::Shutdown, |_| ButtonEvent::Shutdown)),
            Self::Shutdown => None,
        }
    }
}

impl Recogniser {
    /// Takes an edge, which must not be older than those before, and reports what was complete
    /// before it. One from before the last [`Recogniser::advance`] takes back nothing.
    pub fn edge(&mut self, edge: Edge, report: impl FnMut(Gesture)) {
        self.advance(edge.at, report);
        self.contact.edge(edge);
    }

    /// Takes note that it is `now`, and reports what is complete.
    pub fn advance(&mut self, now: Instant, mut report: impl FnMut(Gesture)) {
        while let Some(due) = self.deadline().filter(|due| *due <= now) {
            match self.contact.rest(due) {
                Some(change) if change.is_closed => self.closed(change.at, &mut report),
                Some(change) => self.opened(change.at, &mut report),
                None => self.passed(due, &mut report),
            }
        }
    }

    /// Until when to wait for an edge before calling [`Recogniser::advance`]; without an instant,
    /// for as long as it takes.
    pub fn deadline(&self) -> Option<Instant> {
        // A contact that has not come to rest may be about to change what the time would complete.
        self.contact.deadline().or(match self.phase {
            Phase::Idle => None,
            Phase::Held { since, told } => told.next().map(|(held, ..)| since + held),
            Phase::Released { at, .. } => Some(at + DOUBLE),
        })
    }

    fn closed(&mut self, at: Instant, report: &mut impl FnMut(Gesture)) {
        self.passed(at, report);
        let told = match self.phase {
            Phase::Released { began, .. } => {
                report(Gesture {
                    event: ButtonEvent::Repeat,
                    began,
                });
                Told::Meaning
            }
            _ => Told::Nothing,
        };
        self.phase = Phase::Held { since: at, told };
    }

    fn opened(&mut self, at: Instant, report: &mut impl FnMut(Gesture)) {
        self.passed(at, report);
        let Phase::Held { since, told } = std::mem::take(&mut self.phase) else {
            return;
        };
        match told {
            Told::Nothing => self.phase = Phase::Released { began: since, at },
            Told::Warning => report(Gesture {
                event: ButtonEvent::ShutdownAverted,
                began: since,
            }),
            Told::Meaning | Told::Shutdown => {}
        }
    }

    /// Reports what the time alone has completed by `now`.
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
        while let Phase::Held { since, told } = self.phase
            && let Some((held, told, event)) = told.next()
            && since + held <= now
        {
            self.phase = Phase::Held { since, told };
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

    /// What is recognised when the contact changes at these milliseconds, first closing, and then
    /// rests for a minute; instants as milliseconds.
    fn recognised(changes: &[u64]) -> Vec<(&'static str, u64)> {
        let edges = changes.iter().zip([true, false].into_iter().cycle());
        recognised_edges(edges.map(|(at, is_closed)| (*at, is_closed)))
    }

    fn recognised_edges(edges: impl IntoIterator<Item = (u64, bool)>) -> Vec<(&'static str, u64)> {
        let zero = Instant::now();
        let mut recogniser = Recogniser::default();
        let mut events = Vec::new();
        let mut report = |gesture: Gesture| {
            let ms = |at: Instant| at.duration_since(zero).as_millis() as u64;
            events.push(match gesture.event {
                ButtonEvent::Press(at) => ("press", ms(at)),
                ButtonEvent::Repeat => ("repeat", ms(gesture.began)),
                ButtonEvent::NextSlide => ("next", ms(gesture.began)),
                ButtonEvent::ShutdownAhead(at) => ("ahead", ms(at)),
                ButtonEvent::ShutdownAverted => ("averted", ms(gesture.began)),
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
    fn a_hold_is_long_from_one_and_a_half_seconds_on() {
        assert_eq!(recognised(&[0, 1499]), [("press", 0)]);
        assert_eq!(recognised(&[0, 1500]), [("next", 0)]);
        assert_eq!(
            recognised(&[0, 3999, 4200, 4300]),
            [("next", 0), ("press", 4200)]
        );
    }

    #[test]
    fn a_shutdown_is_announced_and_may_be_averted() {
        assert_eq!(
            recognised(&[0, 7999]),
            [("next", 0), ("ahead", 8000), ("averted", 0)]
        );
        let held = [("next", 0), ("ahead", 8000), ("shutdown", 0)];
        assert_eq!(recognised(&[0, 8000]), held);
        assert_eq!(recognised(&[0]), held, "also if nobody ever lets go");
    }

    #[test]
    fn the_second_of_two_presses_may_be_held_until_the_shutdown_and_is_no_long_one() {
        assert_eq!(recognised(&[0, 100, 300, 3000]), [("repeat", 0)]);
        assert_eq!(
            recognised(&[0, 100, 300]),
            [("repeat", 0), ("ahead", 8300), ("shutdown", 300)]
        );
    }

    #[test]
    fn what_the_time_completes_is_reported_without_an_edge() {
        let zero = Instant::now();
        let mut recogniser = Recogniser::default();
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
    fn an_edge_that_comes_late_takes_back_nothing() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let mut recogniser = Recogniser::default();
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
    fn chatter_is_one_press_that_began_with_its_first_edge() {
        let closing = (0..10).map(|n| (100 + 3 * n, n % 2 == 0));
        let settled = [(130, true)];
        let opening = (0..9).map(|n| (300 + 5 * n, n % 2 == 1));
        let edges = closing.chain(settled).chain(opening);
        assert_eq!(recognised_edges(edges), [("press", 100)]);
    }

    #[test]
    fn chatter_does_not_lengthen_a_press() {
        let edges = [(0, true), (1495, false), (1503, true), (1511, false)];
        assert_eq!(recognised_edges(edges), [("press", 0)]);
    }

    #[test]
    fn a_spike_neither_presses_nor_lets_go() {
        assert_eq!(recognised(&[100, 105]), []);
        assert_eq!(recognised(&[0, 700, 710, 1600]), [("next", 0)]);
    }

    #[test]
    fn a_release_alone_and_repeated_levels_mean_nothing() {
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
