//! Background work that repeats at intervals.

use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Repeats work on a separate thread until the work returns `Break` or the task is dropped.
///
/// Dropping it waits for the thread to end: the last connection to the database checkpoints its log when it closes,
/// which must happen before the process exits.
pub(super) struct PeriodicTask {
    signals: mpsc::Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

enum Signal {
    Run,
    End,
}

/// Lets a task work before its period is over.
pub(super) struct Waker(mpsc::Sender<Signal>);

impl Waker {
    /// Wakes the task, unless it has ended.
    pub(super) fn wake(&self) {
        // An error means that the task has ended.
        let _ = self.0.send(Signal::Run);
    }
}

impl PeriodicTask {
    /// Runs `work` at once, then again `period` after each run has ended.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(super) fn start(
        name: &str,
        period: Duration,
        mut work: impl FnMut() -> ControlFlow<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (signals, received) = mpsc::channel();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            while work().is_continue() {
                match received.recv_timeout(period) {
                    Ok(Signal::Run) | Err(RecvTimeoutError::Timeout) => {}
                    Ok(Signal::End) | Err(RecvTimeoutError::Disconnected) => return,
                }
                // One run serves all that woke it, and the end does not wait for it.
                if received
                    .try_iter()
                    .any(|signal| matches!(signal, Signal::End))
                {
                    return;
                }
            }
        })?;
        Ok(Self {
            signals,
            thread: Some(thread),
        })
    }

    /// Wakes the task before its period is over.
    pub(super) fn waker(&self) -> Waker {
        Waker(self.signals.clone())
    }
}

impl Drop for PeriodicTask {
    fn drop(&mut self) {
        // An error means that the thread has ended.
        let _ = self.signals.send(Signal::End);
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked; the panic is already in the log.
            let _ = thread.join();
        }
    }
}
