//! `[storage]`: where records are stored, and for how long.

use std::path::PathBuf;

use anyhow::Result;
use smearscope_hardware::settings::{InvalidValue, Settings};
use uuid::Uuid;

use crate::config::path::non_empty;

smearscope_hardware::settings! {
    /// Where records are stored, and for how long.
    pub struct RawStorage in "storage" {
        /// Folder for records, images, evidence and installed models, such as `/var/lib/smearscope`; empty: nothing
        /// is stored.
        state: PathBuf = PathBuf::new();
        /// Identity of the folder that must be at `storage.state`, as `smearscope selftest` shows it. With any other
        /// folder, such as the empty one below a disk that is not mounted, nothing counts as saved. Empty: any folder.
        identity: String = String::new();
        /// Accept a folder that a power cut empties, such as one in memory. Otherwise nothing there counts as saved.
        volatile: bool = false;
        /// Days after which exported images are deleted; their records stay. 0: never.
        keep_days: u32 = 0, valid(0..=36_500, "days");
        /// Free space, in MiB, below which the oldest exported images are deleted; if that is not enough, the
        /// operator is warned. At least `reserve_mib`.
        min_free_mib: u64 = 1024, valid(1..=1_073_741_824, "MiB");
        /// Free space, in MiB, below which captures are refused, so that nothing is lost.
        reserve_mib: u64 = 128, valid(1..=1_073_741_824, "MiB");
        /// Also delete images that were never exported; to free space, only after those that were.
        remove_unexported: bool = false;
    }
}

/// Validated `[storage]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageConfig {
    /// Folder for records and images.
    pub state: PathBuf,
    /// Identity that the folder must have; `None`: any.
    pub identity: Option<Uuid>,
    /// Whether records may be lost at a power cut.
    pub volatile: bool,
    /// How long images are kept.
    pub retention: Retention,
    /// Free bytes below which exported images are deleted and the operator is warned.
    pub min_free: u64,
    /// Free bytes below which captures are refused.
    pub reserve: u64,
}

/// How long images are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Days after which exported images are deleted; `None`: never. A wrong clock makes images look old, so images that
    /// were never exported are exempt.
    pub keep_days: Option<u32>,
    /// Whether images that were never exported may be deleted. If not, the appliance refuses captures rather than
    /// delete one.
    pub may_remove_unexported: bool,
}

impl RawStorage {
    /// Checks every value; `None` if nothing is stored.
    pub(crate) fn validate(self) -> Result<Option<StorageConfig>> {
        self.check_ranges()?;
        if self.min_free_mib < self.reserve_mib {
            let requirement = format!(
                "must be at least storage.reserve_mib, which is {}",
                self.reserve_mib
            );
            let error = InvalidValue::new("storage.min_free_mib", self.min_free_mib, requirement);
            return Err(error.into());
        }
        let identity = match self.identity.trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| {
                let requirement = "must be an identity as `smearscope selftest` shows it, or empty";
                InvalidValue::new("storage.identity", text, requirement)
            })?),
        };
        Ok(non_empty(self.state).map(|state| StorageConfig {
            state,
            identity,
            volatile: self.volatile,
            retention: Retention {
                keep_days: Some(self.keep_days).filter(|days| *days > 0),
                may_remove_unexported: self.remove_unexported,
            },
            min_free: self.min_free_mib << 20,
            reserve: self.reserve_mib << 20,
        }))
    }
}
