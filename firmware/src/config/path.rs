//! Paths in the configuration.

use std::path::PathBuf;

/// A path; `None` if the setting is empty.
pub(crate) fn non_empty(path: PathBuf) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then_some(path)
}
