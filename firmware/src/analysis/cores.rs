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

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::process::getpriority_process;
    use rustix::thread::gettid;

    use super::*;
    use crate::system::priority::lower_priority;

    fn priority(cores: &mut Cores) -> i32 {
        let threads = cores.threads().unwrap();
        threads.install(|| getpriority_process(Some(gettid())).unwrap())
    }

    #[test]
    fn threads_have_the_priority_of_the_one_that_first_asks() {
        let mut bench = Cores::default();
        let before = priority(&mut bench);
        let network = thread::spawn(move || {
            lower_priority();
            [priority(&mut Cores::default()), priority(&mut bench)]
        });
        let [of_network, of_bench] = network.join().unwrap();
        assert_eq!(of_network, 19);
        assert_eq!(of_bench, before);
    }
}
