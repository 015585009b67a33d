//! The processor's cores, among which an analysis divides its work.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Most threads of an analyst: as many as a Raspberry Pi has cores.
const MAX_THREADS: usize = 4;

/// Threads of one analyst. They start with its first analysis, and have the priority of the thread that asks for it.
#[derive(Default)]
pub(crate) struct Cores(Option<Arc<ThreadPool>>);

impl Cores {
    /// The threads, on which `install` runs work that is divided among them.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub(crate) fn threads(&mut self) -> Result<Arc<ThreadPool>, ThreadPoolBuildError> {
        if let Some(threads) = &self.0 {
            return Ok(Arc::clone(threads));
        }
        let cores = available_parallelism().map_or(1, NonZero::get);
        let threads = ThreadPoolBuilder::new()
            .num_threads(cores.min(MAX_THREADS))
            .thread_name(|number| format!("analysis-{number}"))
            .build()?;
        Ok(Arc::clone(self.0.insert(Arc::new(threads))))
    }
}
