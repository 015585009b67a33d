//! Makes a configured runtime known to the bindings.
//!
//! The bindings of the older interface, crate `openvino` 0.6, accept no path: they call `openvino-finder`,
//! which searches the environment and a few folders. Therefore the folder of a configured library is added
//! to `LD_LIBRARY_PATH` at the start of the program, while it has a single thread. Of the variables that
//! the finder reads, this is the only one that names a folder directly on every processor. The dynamic
//! linker has read it before the program started, so that other libraries of this process are not
//! affected. (After a reload, which keeps the environment, they may be; the libraries of the two versions
//! have different names.) The alternatives were worse: to rewrite the bindings, whose function for it is
//! private, or to restart the program with another environment each time.

use std::ffi::OsStr;

use super::library::{SEARCH_PATH, configured};
use crate::engine::config::{EngineChoice, EngineConfig};

/// Adds the folder of the configured library to the search path, if one is configured, if the stick may
/// be used, and if this is the only thread.
pub(crate) fn add_configured(config: &EngineConfig) {
    let may_use_stick = matches!(config.choice, EngineChoice::Auto | EngineChoice::Ncs2);
    let Some(Ok(library)) = configured(config).filter(|_| may_use_stick) else {
        return;
    };
    let Some(folder) = library.parent().filter(|_| has_one_thread()) else {
        return;
    };
    let before = std::env::var_os(SEARCH_PATH).unwrap_or_default();
    let others = std::env::split_paths(&before).filter(|other| other != folder);
    if let Ok(path) = std::env::join_paths(std::iter::once(folder.to_owned()).chain(others)) {
        set(&path);
    }
}

#[allow(
    unsafe_code,
    reason = "changing the environment is unsafe while other threads may read it"
)]
fn set(path: &OsStr) {
    // SAFETY: the caller has checked that this is the only thread, and only this thread could start another.
    unsafe { std::env::set_var(SEARCH_PATH, path) };
}

/// Whether this thread is the only one of the process.
fn has_one_thread() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}
