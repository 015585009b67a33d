//! The priority of threads that must give way to the microscope bench.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// The least urgent that a thread can be (`nice(2)`).
const NICE: i32 = 19;

/// Makes this thread, and those that are started from it, give way to the bench.
pub(crate) fn lower_priority() {
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        log::warn!("work for the network cannot stand back for the bench: {error}");
    }
}
