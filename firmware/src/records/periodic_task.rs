//! Work that is done from time to time, beside everything else.

use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Does its work again and again, on a thread of its own, until that is done for good or this is dropped.
pub(super) struct PeriodicTask {
    /// Dropped to end the thread.
    alive: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PeriodicTask {
    /// Begins at once, and does it again `period` after it was done.
    ///
    /// # Errors
    /// If the system has no room for a thread.
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

/// Whoever closes the database last puts its log away; that must not be left to the moment at which the
/// program ends.
impl Drop for PeriodicTask {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(thread) = self.thread.take() {
            // An error says that it panicked, which the log has told.
            let _ = thread.join();
        }
    }
}
