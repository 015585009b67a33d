//! The way of a press from the button's interrupt to the appliance loop: a bounded queue that
//! never allocates and never lets a press from a busy time through.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use heapless::Deque;
use tokio::sync::Notify;

/// What the operator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonEvent {
    /// A press, at the moment at which the debounced contact closed.
    Press(Instant),
    /// The operator asked to switch off (on the simulated bench: `q`, or the end of the input).
    Shutdown,
}

#[derive(Default)]
struct Queue {
    events: Deque<ButtonEvent, 4>,
    /// The loop waits for a press; presses at any other time are the operator's impatience.
    armed: bool,
    closed: bool,
}

impl Queue {
    /// The loop is there and does something else than waiting for a press.
    fn is_busy(&mut self) -> bool {
        !self.armed && !self.closed
    }
}

#[derive(Default)]
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
    let shared = Arc::<Shared>::default();
    (PressSender(Arc::clone(&shared)), PressReceiver(shared))
}

/// The button's end of the queue.
#[derive(Clone)]
pub struct PressSender(Arc<Shared>);

impl PressSender {
    /// Reports a press. Returns `false`, and forgets it, if the loop is not waiting for one.
    pub fn press(&self) -> bool {
        self.send(ButtonEvent::Press(Instant::now()))
    }

    /// Waits until the loop is ready for a press, then reports one: for scripts, which cannot see
    /// the screen. Returns `false` if the loop is gone.
    pub fn press_when_ready(&self) -> bool {
        let queue = self.0.armed.wait_while(self.0.lock(), Queue::is_busy);
        let queue = queue.unwrap_or_else(PoisonError::into_inner);
        self.deliver(queue, ButtonEvent::Press(Instant::now()))
    }

    /// The same with an end to the patience; `None` if the loop was not ready in time.
    pub(crate) fn press_within(&self, patience: Duration) -> Option<bool> {
        let armed = &self.0.armed;
        let (queue, waited) = armed
            .wait_timeout_while(self.0.lock(), patience, Queue::is_busy)
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.timed_out()).then(|| self.deliver(queue, ButtonEvent::Press(Instant::now())))
    }

    /// Asks the loop to end, after what it is doing now.
    pub fn shutdown(&self) -> bool {
        self.send(ButtonEvent::Shutdown)
    }

    fn send(&self, event: ButtonEvent) -> bool {
        self.deliver(self.0.lock(), event)
    }

    fn deliver(&self, mut queue: MutexGuard<'_, Queue>, event: ButtonEvent) -> bool {
        let is_wanted = match event {
            // One press for each wait: the next is accepted only after the loop asks again.
            ButtonEvent::Press(_) => std::mem::take(&mut queue.armed),
            ButtonEvent::Shutdown => true,
        };
        let is_accepted = is_wanted && !queue.closed && queue.events.push_back(event).is_ok();
        drop(queue);
        if is_accepted {
            self.0.arrived.notify_one();
        }
        is_accepted
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
                    queue.armed = false;
                    return event;
                }
                queue.armed = true;
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
        self.0.lock().armed = false;
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
    fn a_waiting_script_learns_that_the_loop_is_gone() {
        let (sender, receiver) = press_queue();
        let waiting = std::thread::spawn({
            let sender = sender.clone();
            move || sender.press_when_ready()
        });
        drop(receiver);
        assert!(!waiting.join().unwrap());
        assert!(!sender.shutdown());
    }
}
