//! Priority of threads that must not delay the microscope bench.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// The lowest priority (`nice(2)`).
const LOWEST: i32 = 19;
/// The network's priority: below the bench's, above that of threads which work through images.
const NETWORK: i32 = 10;

/// Gives this thread, and those that it starts, the lowest priority.
pub(crate) fn lower_priority() {
    set(LOWEST);
}

/// Gives this thread, and those that it starts, the network's priority.
pub(crate) fn lower_network_priority() {
    set(NETWORK);
}

fn set(nice: i32) {
    if let Err(error) = setpriority_process(Some(gettid()), nice) {
        log::warn!("the priority of a background thread cannot be lowered: {error}");
    }
}
