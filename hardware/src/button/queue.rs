//! The way of a press from the button to the appliance loop: a bounded queue that never allocates
//! and never lets a press from a busy time through.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use heapless::Deque;
use tokio::sync::Notify;

use crate::button::gestures::{ButtonEvent, Gesture};

struct Queue {
    events: Deque<ButtonEvent, 4>,
    /// The loop waits for a press; presses at any other time are the operator's impatience.
    armed: bool,
    closed: bool,
    /// When the loop last did something else than waiting, or does so since.
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

    /// The loop is there and does something else than waiting for a press.
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

    /// Whether the loop waits now, and was not busy when a gesture began: a double press takes a
    /// while to recognise, in which the loop may have become ready.
    fn wants(&self, began: Instant) -> bool {
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
        // The queue is valid after every statement, so a panicked holder leaves nothing torn.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a queue: the sender goes to [`Button::watch`](crate::Button::watch), the receiver to the
/// appliance loop.
pub fn press_queue() -> (PressSender, PressReceiver) {
    let shared = Arc::new(Shared {
        queue: Mutex::new(Queue::new(Instant::now())),
        arrived: Notify::new(),
        armed: Condvar::new(),
    });
    (PressSender(Arc::clone(&shared)), PressReceiver(shared))
}

/// The button's end of the queue.
#[derive(Clone)]
pub struct PressSender(Arc<Shared>);

impl PressSender {
    /// Reports what was recognised. Returns `false`, and forgets it, if the loop is not waiting, or
    /// was not when the gesture began. The end of a slide and a shutdown are always heard, and done
    /// when the loop waits again.
    pub fn gesture(&self, gesture: Gesture) -> bool {
        self.deliver(self.0.lock(), gesture)
    }

    /// Reports what an operator asks for at this moment.
    pub fn tell(&self, event: ButtonEvent) -> bool {
        self.deliver(self.0.lock(), at_this_moment(event))
    }

    /// Reports a press at this moment.
    pub fn press(&self) -> bool {
        self.tell(ButtonEvent::Press(Instant::now()))
    }

    /// Waits until the loop is ready for a press, then reports what `event` makes of that moment:
    /// for scripts, which cannot see the screen. Returns `false` if the loop is gone.
    pub fn tell_when_ready(&self, event: impl FnOnce(Instant) -> ButtonEvent) -> bool {
        let queue = self.0.armed.wait_while(self.0.lock(), Queue::is_busy);
        let queue = queue.unwrap_or_else(PoisonError::into_inner);
        self.deliver(queue, at_this_moment(event(Instant::now())))
    }

    /// The same with an end to the patience; `None` if the loop was not ready in time.
    pub(crate) fn tell_within(
        &self,
        patience: Duration,
        event: impl FnOnce(Instant) -> ButtonEvent,
    ) -> Option<bool> {
        let queue = self.ready_within(patience)?;
        Some(self.deliver(queue, at_this_moment(event(Instant::now()))))
    }

    /// Waits until the loop is ready for a press; `None` if it was not in time.
    pub(crate) fn wait_within(&self, patience: Duration) -> Option<Instant> {
        self.ready_within(patience).map(|_| Instant::now())
    }

    fn ready_within(&self, patience: Duration) -> Option<MutexGuard<'_, Queue>> {
        let armed = &self.0.armed;
        let (queue, waited) = armed
            .wait_timeout_while(self.0.lock(), patience, Queue::is_busy)
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.timed_out()).then_some(queue)
    }

    /// Asks the loop to end, after what it is doing now.
    pub fn shutdown(&self) -> bool {
        self.tell(ButtonEvent::Shutdown)
    }

    fn deliver(&self, mut queue: MutexGuard<'_, Queue>, gesture: Gesture) -> bool {
        // What is asked for must not be forgotten: a field of the next slide would count for this one.
        let is_always_wanted = matches!(
            gesture.event,
            ButtonEvent::Shutdown | ButtonEvent::ShutdownAverted | ButtonEvent::NextSlide
        );
        let is_wanted = is_always_wanted || queue.wants(gesture.began);
        let is_accepted =
            is_wanted && !queue.closed && queue.events.push_back(gesture.event).is_ok();
        if is_accepted && !is_always_wanted {
            // One for each wait: the next is accepted only after the loop asks again.
            queue.disarm(Instant::now());
        }
        drop(queue);
        if is_accepted {
            self.0.arrived.notify_one();
        }
        is_accepted
    }
}

fn at_this_moment(event: ButtonEvent) -> Gesture {
    Gesture {
        event,
        began: Instant::now(),
    }
}

/// The loop's end of the queue.
pub struct PressReceiver(Arc<Shared>);

impl PressReceiver {
    /// Waits for the next event. Only while somebody waits here are presses accepted. Cancel-safe:
    /// dropping the future loses no event, and one accepted meanwhile is returned by the next call.
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

/// Closes the queue for presses when a waiting future ends or is dropped.
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
    fn presses_count_only_while_somebody_waits() {
        let (sender, mut receiver) = press_queue();
        assert!(!sender.press(), "nobody has waited yet");
        {
            let mut next = pin!(receiver.next());
            let mut context = Context::from_waker(Waker::noop());
            assert!(next.as_mut().poll(&mut context).is_pending());
            assert!(sender.press());
            assert!(!sender.press(), "one press for each wait");
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
    fn shutdown_is_heard_at_any_time_and_overflow_is_refused() {
        let (sender, mut receiver) = press_queue();
        assert!((0..4).all(|_| sender.shutdown()));
        assert!(!sender.shutdown());
        assert_eq!(poll(&mut receiver), Poll::Ready(ButtonEvent::Shutdown));
    }

    #[test]
    fn a_gesture_that_began_while_the_loop_was_busy_is_forgotten() {
        let (sender, mut receiver) = press_queue();
        let gesture = |began| Gesture {
            event: ButtonEvent::Repeat,
            began,
        };
        let mut next = pin!(receiver.next());
        let mut context = Context::from_waker(Waker::noop());
        let before = Instant::now();
        assert!(next.as_mut().poll(&mut context).is_pending());
        assert!(!sender.gesture(gesture(before)), "the loop was starting");
        assert!(sender.gesture(gesture(Instant::now())));
        assert_eq!(
            next.as_mut().poll(&mut context),
            Poll::Ready(ButtonEvent::Repeat)
        );
    }

    #[test]
    fn a_gesture_outlives_a_wait_that_is_renewed() {
        let (sender, mut receiver) = press_queue();
        let mut context = Context::from_waker(Waker::noop());
        let began = {
            let mut next = pin!(receiver.next());
            assert!(next.as_mut().poll(&mut context).is_pending());
            Instant::now()
        };
        let mut next = pin!(receiver.next());
        assert!(next.as_mut().poll(&mut context).is_pending());
        assert!(sender.gesture(Gesture {
            event: ButtonEvent::NextSlide,
            began,
        }));
    }

    #[test]
    fn a_waiting_script_learns_that_the_loop_is_gone() {
        let (sender, receiver) = press_queue();
        let waiting = std::thread::spawn({
            let sender = sender.clone();
            move || sender.tell_when_ready(ButtonEvent::Press)
        });
        drop(receiver);
        assert!(!waiting.join().unwrap());
        assert!(!sender.shutdown());
    }
}
