//! SIGHUP, with which the service manager asks for a reload. Until the program handles it, it would end the program.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};

/// Lets SIGHUP wait. The mask outlasts a replacement of the process by another program, so that no SIGHUP arrives
/// between that and its handler. Threads that this one starts inherit it.
pub(crate) fn hold() {
    report(only_hang_up().thread_block());
}

/// Delivers a SIGHUP that waited, and later ones at once, through this thread.
pub(crate) fn release() {
    report(only_hang_up().thread_unblock());
}

fn only_hang_up() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGHUP);
    signals
}

fn report(result: Result<(), Errno>) {
    if let Err(error) = result {
        log::warn!("SIGHUP cannot be held or released: {error}");
    }
}
