//! `[storage]`: where records are kept, and for how long.

use std::path::PathBuf;

/// How records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageConfig {
    /// Folder for records and images.
    pub state: PathBuf,
    /// How long images are kept.
    pub retention: Retention,
    /// Free bytes below which exported images are removed and the operator is warned.
    pub min_free: u64,
    /// Free bytes below which nothing is photographed.
    pub reserve: u64,
}

/// How long images are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// So many days; `None`: for ever. A clock that is wrong makes images old, so those that were never exported
    /// stay.
    pub keep_days: Option<u32>,
    /// Whether images that were never exported may go, too. Otherwise the appliance rather
    /// stops photographing than lose one.
    pub may_remove_unexported: bool,
}
