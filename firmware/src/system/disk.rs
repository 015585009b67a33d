//! Disk space.

use std::io;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

/// Usage of a file system. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiskUsage {
    /// Size of the file system.
    pub(crate) total: u64,
    /// Space in use.
    pub(crate) used: u64,
    /// Space that this user may still write; less than `total - used` where some is reserved for root.
    pub(crate) free: u64,
    /// Files that this user may still create; `None` on file systems that do not limit their number.
    pub(crate) free_files: Option<u64>,
    /// Whether the file system is mounted read-only.
    pub(crate) is_read_only: bool,
}

impl DiskUsage {
    /// Usage of the file system that holds `path`.
    ///
    /// # Errors
    /// If `path` does not exist or cannot be accessed.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Self {
            total: bytes(found.f_blocks),
            used: bytes(found.f_blocks.saturating_sub(found.f_bfree)),
            free: bytes(found.f_bavail),
            free_files: (found.f_files > 0).then_some(found.f_favail),
            is_read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }

    /// Used share of the space that this user could use, 0 to 1, as `df` computes it.
    pub(crate) fn used_share(&self) -> f64 {
        let usable = self.used.saturating_add(self.free).max(1);
        self.used as f64 / usable as f64
    }
}

/// Whether a new file can be created in a folder. A file system that stopped writing after an error of its disk is not
/// always mounted read-only.
pub(crate) fn accepts_files(folder: &Path) -> bool {
    tempfile::tempfile_in(folder).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_never_exceeds_the_total() {
        let disk = DiskUsage::of(Path::new("/")).unwrap();
        assert!(disk.total > 0 && disk.free <= disk.total, "{disk:?}");
        assert!((0.0..=1.0).contains(&disk.used_share()), "{disk:?}");
        assert!(DiskUsage::of(Path::new("/no/such/folder")).is_err());
    }

    #[test]
    fn space_reserved_for_root_does_not_count_as_usable() {
        let disk = DiskUsage {
            total: 10,
            used: 4,
            free: 4,
            free_files: None,
            is_read_only: false,
        };
        assert!((disk.used_share() - 0.5).abs() < f64::EPSILON);
    }
}
