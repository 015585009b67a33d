//! A push-button whose contact is watched by a dedicated thread.

use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::board::backoff::Backoff;
use crate::board::faults::Faults;
use crate::board::reconnecting::{FIRST_DELAY, MAX_DELAY};
use crate::button::gestures::{Edge, Gesture, GestureRecogniser};
use crate::button::queue::PressSender;
use crate::error::HardwareError;
use crate::ports::Button;

/// Longest wait for an edge before the thread checks whether it must stop.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// A contact as its driver reports it; bounces need not be filtered out.
pub(crate) trait Contact {
    /// Waits for the next edge, for no longer than `timeout`.
    ///
    /// # Errors
    /// [`HardwareError::Lost`] if the contact can no longer be watched.
    fn next_edge(&mut self, timeout: Duration) -> Result<Option<Edge>, HardwareError>;
}

/// Converts a kernel timestamp (`CLOCK_MONOTONIC`, time since boot, as on GPIO events) to an [`Instant`].
///
/// On a busy machine an event is read long after it happened; dating it by the kernel's timestamp keeps the
/// length of a press exact.
pub(crate) fn instant(since_boot: Duration) -> Instant {
    /// The same moment on both clocks. All edges use one pair, so the intervals between them are exact.
    static REFERENCE: LazyLock<(Duration, Instant)> = LazyLock::new(|| {
        let clock = clock_gettime(ClockId::Monotonic);
        (
            Duration::try_from(clock).unwrap_or_default(),
            Instant::now(),
        )
    });
    let (clock, moment) = *REFERENCE;
    let happened = if since_boot >= clock {
        moment.checked_add(since_boot.saturating_sub(clock))
    } else {
        moment.checked_sub(clock.saturating_sub(since_boot))
    };
    let now = Instant::now();
    // A timestamp in the future comes from another clock.
    happened.map_or(now, |happened| happened.min(now))
}

/// A push-button. Its contact is opened when watching starts and reopened when it is lost.
pub(crate) struct ContactButton<F> {
    description: String,
    open: Option<F>,
    faults: Faults,
    watch: Option<Watch>,
}

struct Watch {
    /// Dropped to end the thread.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl<F> ContactButton<F> {
    pub(crate) fn new(description: String, faults: &Faults, open: F) -> Self {
        Self {
            description,
            open: Some(open),
            faults: faults.clone(),
            watch: None,
        }
    }
}

impl<C: Contact, F> Button for ContactButton<F>
where
    F: FnMut() -> Result<C, HardwareError> + Send + 'static,
{
    fn watch(&mut self, presses: PressSender) -> Result<(), HardwareError> {
        let unusable = |remedy: &str, source: Option<std::io::Error>| HardwareError::Open {
            part: "button",
            at: self.description.clone(),
            remedy: remedy.into(),
            source: source.map(Into::into),
        };
        let mut open = self
            .open
            .take()
            .ok_or_else(|| unusable("it is already being watched", None))?;
        let faults = self.faults.clone();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("button".into())
            .spawn(move || watch(&mut open, &presses, &faults, &stopped))
            .map_err(|error| {
                unusable("no thread could be started; free some memory", Some(error))
            })?;
        self.watch = Some(Watch { stop, thread });
        Ok(())
    }

    fn check(&mut self) -> Result<(), HardwareError> {
        match &mut self.open {
            Some(open) => open().map(drop),
            // It is being watched already, and problems are reported in the board's faults.
            None => Ok(()),
        }
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

impl<F> Drop for ContactButton<F> {
    fn drop(&mut self) {
        if let Some(Watch { stop, thread }) = self.watch.take() {
            drop(stop);
            // The thread itself has already reported a panic.
            let _ = thread.join();
        }
    }
}

fn watch<C: Contact>(
    open: &mut impl FnMut() -> Result<C, HardwareError>,
    presses: &PressSender,
    faults: &Faults,
    stopped: &Receiver<()>,
) {
    let mut backoff = Backoff::new(FIRST_DELAY, MAX_DELAY);
    loop {
        let lost = open().and_then(|mut contact| {
            backoff.reset();
            faults.report("button", &Ok(()));
            listen(&mut contact, presses, stopped)
        });
        if lost.is_ok() {
            return;
        }
        faults.report("button", &lost);
        if stopped.recv_timeout(backoff.next_delay()) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Reports gestures until the thread is stopped or the contact is lost.
fn listen(
    contact: &mut impl Contact,
    presses: &PressSender,
    stopped: &Receiver<()>,
) -> Result<(), HardwareError> {
    let mut recogniser = GestureRecogniser::default();
    let report = |gesture| {
        presses.send_gesture(gesture);
    };
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        step(contact, &mut recogniser, Instant::now(), report)?;
    }
    Ok(())
}

/// Waits for the next edge or deadline, counted from `now`, and reports the gestures that are complete.
fn step(
    contact: &mut impl Contact,
    recogniser: &mut GestureRecogniser,
    now: Instant,
    report: impl FnMut(Gesture),
) -> Result<(), HardwareError> {
    let latest = now + STOP_CHECK_INTERVAL;
    let until = recogniser
        .deadline()
        .map_or(latest, |due| due.clamp(now, latest));
    match contact.next_edge(until.saturating_duration_since(now))? {
        Some(edge) => recogniser.edge(edge, report),
        // Advance to the deadline only: this thread may wake up late and edges may be waiting.
        None => recogniser.advance(until, report),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::button::gestures::ButtonEvent;
    use crate::button::gestures::SHUTDOWN;
    use crate::button::queue::press_queue;

    #[test]
    fn kernel_timestamps_become_instants() {
        let before = Instant::now();
        let clock = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap();
        let ago = |ms| instant(clock.saturating_sub(Duration::from_millis(ms)));
        assert_eq!(ago(1000) - ago(1300), Duration::from_millis(300));
        assert!(ago(1000) + Duration::from_secs(1) >= before);
        // A timestamp of another clock is replaced by the current time.
        let before = Instant::now();
        let unknown = instant(clock + Duration::from_hours(1));
        assert!(unknown >= before && unknown <= Instant::now());
    }

    #[test]
    fn a_short_press_that_is_read_late_stays_short() {
        /// Results of the successive waits.
        struct Waits(std::vec::IntoIter<Option<Edge>>);

        impl Contact for Waits {
            fn next_edge(&mut self, _timeout: Duration) -> Result<Option<Edge>, HardwareError> {
                Ok(self.0.next().unwrap())
            }
        }

        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let edge = |ms, is_closed| {
            let at = at(ms);
            Some(Edge { at, is_closed })
        };
        // The thread wakes up after the time of a long press and then reads that the contact opened before.
        let waits = [
            (0, edge(0, true)),
            (10, None),
            (1250, None),
            (1550, edge(1450, false)),
            (1550, None),
            (1900, None),
        ];
        let mut contact = Waits(waits.map(|(_, edge)| edge).to_vec().into_iter());
        let mut recogniser = GestureRecogniser::default();
        let mut events = Vec::new();
        for (now, _) in waits {
            let report = |gesture: Gesture| events.push(gesture.event);
            step(&mut contact, &mut recogniser, at(now), report).unwrap();
        }
        assert_eq!(events, [ButtonEvent::Press(zero)]);
    }

    /// Edges sent by a test; the contact is lost when the test drops the sender.
    struct Script(Receiver<Edge>);

    impl Contact for Script {
        fn next_edge(&mut self, timeout: Duration) -> Result<Option<Edge>, HardwareError> {
            match self.0.recv_timeout(timeout) {
                Ok(edge) => Ok(Some(edge)),
                Err(RecvTimeoutError::Timeout) => Ok(None),
                Err(RecvTimeoutError::Disconnected) => Err(HardwareError::Lost {
                    part: "button",
                    remedy: "check its wires".into(),
                    source: None,
                }),
            }
        }
    }

    /// A button that takes its contacts from a channel; an empty channel is a missing contact.
    fn button(faults: &Faults) -> (Sender<Script>, impl Button + use<>) {
        let (contacts, opened) = mpsc::channel();
        let open = move || {
            opened.try_recv().map_err(|_| HardwareError::Open {
                part: "button",
                at: "line 5".into(),
                remedy: "check its wires".into(),
                source: None,
            })
        };
        (contacts, ContactButton::new("test".into(), faults, open))
    }

    fn closed_long_ago() -> Edge {
        Edge {
            at: Instant::now().checked_sub(SHUTDOWN).unwrap(),
            is_closed: true,
        }
    }

    #[tokio::test]
    async fn edges_of_a_contact_that_is_opened_late_become_events() {
        let faults = Faults::default();
        let (contacts, mut button) = button(&faults);
        let (presses, mut events) = press_queue();
        let (edges, script) = mpsc::channel();
        button.watch(presses).unwrap();
        edges.send(closed_long_ago()).unwrap();
        contacts.send(Script(script)).unwrap();
        // Earlier events are dropped unless the receiver happens to be waiting.
        while events.next().await != ButtonEvent::Shutdown {}
        assert!(
            button.watch(press_queue().0).is_err(),
            "a second watch is refused"
        );
    }

    #[tokio::test]
    async fn a_lost_contact_is_a_fault_until_another_is_opened() {
        let faults = Faults::default();
        let (contacts, mut button) = button(&faults);
        let (presses, mut events) = press_queue();
        let (edges, script) = mpsc::channel();
        drop(edges);
        contacts.send(Script(script)).unwrap();
        button.watch(presses).unwrap();
        while faults.check().is_empty() {
            std::thread::yield_now();
        }
        assert!(faults.check()[0].contains("check its wires"));
        let (edges, script) = mpsc::channel();
        edges.send(closed_long_ago()).unwrap();
        contacts.send(Script(script)).unwrap();
        // Earlier events are dropped unless the receiver happens to be waiting.
        while events.next().await != ButtonEvent::Shutdown {}
        assert_eq!(faults.check(), Vec::<String>::new());
    }

    #[test]
    fn a_check_opens_the_contact() {
        let (contacts, mut button) = button(&Faults::default());
        assert!(button.check().is_err());
        contacts.send(Script(mpsc::channel().1)).unwrap();
        button.check().unwrap();
    }

    #[test]
    fn dropping_the_button_ends_its_thread() {
        let (contacts, mut button) = button(&Faults::default());
        let (edges, script) = mpsc::channel();
        contacts.send(Script(script)).unwrap();
        button.watch(press_queue().0).unwrap();
        drop(button);
        let edge = closed_long_ago();
        assert!(edges.send(edge).is_err(), "the receiver is gone");
    }
}
