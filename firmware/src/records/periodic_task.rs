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
    /// Dropped to end the thread.
    alive: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
        let (alive, ended) = mpsc::channel();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            while work().is_continue() {
                if ended.recv_timeout(period) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        })?;
        Ok(Self {
            alive: Some(alive),
            thread: Some(thread),
        })
    }
}

impl Drop for PeriodicTask {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked; the panic is already in the log.
            let _ = thread.join();
        }
    }
}
