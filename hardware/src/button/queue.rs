//! The queue between the button and the appliance loop.
//!
//! It is bounded, never allocates, and drops every press that begins while the loop is busy: an impatient
//! operator must not trigger a capture later.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use heapless::Deque;
use tokio::sync::Notify;

use crate::button::gestures::{ButtonEvent, Gesture};

struct Queue {
    events: Deque<ButtonEvent, 4>,
    /// The loop waits for a press. Presses at any other time are dropped.
    armed: bool,
    closed: bool,
    /// The latest time span in which the loop was busy; without an end if it still is.
    busy: (Instant, Option<Instant>),
}

impl Queue {
    fn new(now: Instant) -> Self {
        Self {
            events: Deque::new(),
            armed: false,
            closed: false,
            busy: (now, None),
        }
    }

    /// Whether the loop runs and does not wait for a press.
    fn is_busy(&mut self) -> bool {
        !self.armed && !self.closed
    }

    fn arm(&mut self, now: Instant) {
        if !self.armed {
            self.armed = true;
            self.busy.1 = Some(now);
        }
    }

    fn disarm(&mut self, now: Instant) {
        if self.armed {
            self.armed = false;
            self.busy = (now, None);
        }
    }

    /// Whether the loop waits now and was not busy when the gesture began. A double press takes a while
    /// to recognise, and the loop may become ready in between.
    fn accepts(&self, began: Instant) -> bool {
        let (from, until) = self.busy;
        self.armed && !(from <= began && until.is_none_or(|until| began < until))
    }
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Notify,
    armed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The queue is valid after every statement, so it can be used after a panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates a queue. The sender goes to [`Button::watch`](crate::Button::watch), the receiver to the
/// appliance loop.
pub fn press_queue() -> (PressSender, PressReceiver) {
    let shared = Arc::new(Shared {
        queue: Mutex::new(Queue::new(Instant::now())),
        arrived: Notify::new(),
        armed: Condvar::new(),
    });
    (PressSender(Arc::clone(&shared)), PressReceiver(shared))
}

/// The sending half of the queue. Clones send into the same queue.
#[derive(Clone)]
pub struct PressSender(Arc<Shared>);

impl PressSender {
    /// Sends a recognised gesture. Returns `false` if it was dropped because the loop is not waiting, or
    /// was not waiting when the gesture began. [`ButtonEvent::NextSlide`], [`ButtonEvent::Shutdown`] and
    /// [`ButtonEvent::ShutdownCancelled`] are always queued and handled when the loop waits again.
    pub fn send_gesture(&self, gesture: Gesture) -> bool {
        self.deliver(self.0.lock(), gesture)
    }

    /// Sends an event that begins now. Returns `false` if it was dropped, as [`PressSender::send_gesture`] does.
    pub fn send(&self, event: ButtonEvent) -> bool {
        self.deliver(self.0.lock(), gesture_now(event))
    }

    /// Sends a press that begins now. Returns `false` if it was dropped.
    pub fn press(&self) -> bool {
        self.send(ButtonEvent::Press(Instant::now()))
    }

    /// Waits until the loop is ready for a press and sends `event` of that moment. For scripts, which
    /// cannot see the screen. Returns `false` if the loop has ended.
    pub fn send_when_ready(&self, event: impl FnOnce(Instant) -> ButtonEvent) -> bool {
        let queue = self.0.armed.wait_while(self.0.lock(), Queue::is_busy);
        let queue = queue.unwrap_or_else(PoisonError::into_inner);
        self.deliver(queue, gesture_now(event(Instant::now())))
    }

    /// Asks the loop to end after its current work. Returns `false` if the loop has ended or the queue is full.
    pub fn shutdown(&self) -> bool {
        self.send(ButtonEvent::Shutdown)
    }

    fn deliver(&self, mut queue: MutexGuard<'_, Queue>, gesture: Gesture) -> bool {
        // A dropped NextSlide would make the fields of the next slide count for this one.
        let is_always_accepted = matches!(
            gesture.event,
            ButtonEvent::Shutdown | ButtonEvent::ShutdownCancelled | ButtonEvent::NextSlide
        );
        let is_eligible = is_always_accepted || queue.accepts(gesture.began);
        let is_accepted =
            is_eligible && !queue.closed && queue.events.push_back(gesture.event).is_ok();
        if is_accepted && !is_always_accepted {
            // One press per wait: the next one is accepted when the loop waits again.
            queue.disarm(Instant::now());
        }
        drop(queue);
        if is_accepted {
            self.0.arrived.notify_one();
        }
        is_accepted
    }
}

/// Waits with a time-out, for the mock button.
#[cfg(any(test, feature = "test-support"))]
impl PressSender {
    /// As [`PressSender::send_when_ready`]; `None` if the loop is not ready within `timeout`.
    pub(crate) fn send_within(
        &self,
        timeout: std::time::Duration,
        event: impl FnOnce(Instant) -> ButtonEvent,
    ) -> Option<bool> {
        let queue = self.ready_within(timeout)?;
        Some(self.deliver(queue, gesture_now(event(Instant::now()))))
    }

    /// Waits until the loop is ready for a press and returns that time; `None` if it is not ready within
    /// `timeout`.
    pub(crate) fn wait_within(&self, timeout: std::time::Duration) -> Option<Instant> {
        self.ready_within(timeout).map(|_| Instant::now())
    }

    fn ready_within(&self, timeout: std::time::Duration) -> Option<MutexGuard<'_, Queue>> {
        let armed = &self.0.armed;
        let (queue, waited) = armed
            .wait_timeout_while(self.0.lock(), timeout, Queue::is_busy)
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.timed_out()).then_some(queue)
    }
}

fn gesture_now(event: ButtonEvent) -> Gesture {
    Gesture {
        event,
        began: Instant::now(),
    }
}

/// The receiving half of the queue.
pub struct PressReceiver(Arc<Shared>);

impl PressReceiver {
    /// Waits for the next event. Presses are accepted only during this wait. Cancel-safe: if the future
    /// is dropped, an event that was accepted before is returned by the next call.
    pub async fn next(&mut self) -> ButtonEvent {
        loop {
            {
                let mut queue = self.0.lock();
                if let Some(event) = queue.events.pop_front() {
                    queue.disarm(Instant::now());
                    return event;
                }
                queue.arm(Instant::now());
                self.0.armed.notify_all();
            }
            let _disarm = Disarm(&self.0);
            self.0.arrived.notified().await;
        }
    }
}

/// Stops accepting presses when a waiting future ends or is dropped.
struct Disarm<'a>(&'a Shared);

impl Drop for Disarm<'_> {
    fn drop(&mut self) {
        self.0.lock().disarm(Instant::now());
    }
}

impl Drop for PressReceiver {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.armed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll(receiver: &mut PressReceiver) -> Poll<ButtonEvent> {
        pin!(receiver.next()).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn presses_are_accepted_only_during_a_wait() {
        let (sender, mut receiver) = press_queue();
        assert!(!sender.press(), "no wait has begun");
        {
            let mut next = pin!(receiver.next());
            let mut context = Context::from_waker(Waker::noop());
            assert!(next.as_mut().poll(&mut context).is_pending());
            assert!(sender.press());
            assert!(!sender.press(), "one press per wait");
            assert!(matches!(
                next.as_mut().poll(&mut context),
                Poll::Ready(ButtonEvent::Press(_))
            ));
        }
        assert!(!sender.press(), "the loop is busy");
    }

    #[test]
    fn a_cancelled_wait_loses_nothing() {
        let (sender, mut receiver) = press_queue();
        {
            let mut next = pin!(receiver.next());
            let mut context = Context::from_waker(Waker::noop());
            assert!(next.as_mut().poll(&mut context).is_pending());
            assert!(sender.press());
        }
        assert!(matches!(
            poll(&mut receiver),
            Poll::Ready(ButtonEvent::Press(_))
        ));
        assert!(poll(&mut receiver).is_pending());
        assert!(!sender.press(), "the wait was cancelled");
    }

    #[test]
    fn shutdown_is_accepted_at_any_time_until_the_queue_is_full() {
        let (sender, mut receiver) = press_queue();
        assert!((0..4).all(|_| sender.shutdown()));
        assert!(!sender.shutdown());
        assert_eq!(poll(&mut receiver), Poll::Ready(ButtonEvent::Shutdown));
    }

    #[test]
    fn a_gesture_that_began_while_the_loop_was_busy_is_dropped() {
        let (sender, mut receiver) = press_queue();
        let gesture = |began| Gesture {
            event: ButtonEvent::Repeat,
            began,
        };
        let mut next = pin!(receiver.next());
        let mut context = Context::from_waker(Waker::noop());
        let before = Instant::now();
        assert!(next.as_mut().poll(&mut context).is_pending());
        assert!(
            !sender.send_gesture(gesture(before)),
            "the loop was starting"
        );
        assert!(sender.send_gesture(gesture(Instant::now())));
        assert_eq!(
            next.as_mut().poll(&mut context),
            Poll::Ready(ButtonEvent::Repeat)
        );
    }

    #[test]
    fn a_gesture_may_span_two_waits() {
        let (sender, mut receiver) = press_queue();
        let mut context = Context::from_waker(Waker::noop());
        let began = {
            let mut next = pin!(receiver.next());
            assert!(next.as_mut().poll(&mut context).is_pending());
            Instant::now()
        };
        let mut next = pin!(receiver.next());
        assert!(next.as_mut().poll(&mut context).is_pending());
        assert!(sender.send_gesture(Gesture {
            event: ButtonEvent::NextSlide,
            began,
        }));
    }

    #[test]
    fn a_waiting_script_returns_when_the_loop_ends() {
        let (sender, receiver) = press_queue();
        let waiting = std::thread::spawn({
            let sender = sender.clone();
            move || sender.send_when_ready(ButtonEvent::Press)
        });
        drop(receiver);
        assert!(!waiting.join().unwrap());
        assert!(!sender.shutdown());
    }
}
