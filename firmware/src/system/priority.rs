//! Priority of background threads, which must not delay the microscope bench.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// The lowest priority (`nice(2)`).
const NICE: i32 = 19;

/// Gives this thread, and those that it starts, the lowest priority.
pub(crate) fn lower_priority() {
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        log::warn!("the priority of a background thread cannot be lowered: {error}");
    }
}
