//! Free disk space for records, and its limits.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::records::error::RecordsError;
use crate::system::disk::{DiskUsage, accepts_files};

type Probe = dyn Fn() -> io::Result<DiskUsage> + Send + Sync;

const MIB: u64 = 1 << 20;

/// With fewer free files, the disk counts as full; a slide takes more.
const MIN_FREE_FILES: u64 = 64;

/// The free space of a file system and its limits. Clones share their state.
#[derive(Clone)]
pub struct Space {
    probe: Arc<Probe>,
    /// Free bytes below which the operator is warned and retention removes images.
    min_free: u64,
    /// Free bytes below which nothing is captured.
    reserve: u64,
    /// Whether the file system refused a write, so that it must be asked whether it accepts files.
    is_suspect: Arc<AtomicBool>,
    /// Why nothing can be recorded, regardless of free space.
    blocked: Arc<Mutex<Option<String>>>,
}

/// Whether there is space for records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// Enough; with the free MiB.
    Enough(u64),
    /// Little; with the free MiB.
    Low(u64),
    /// None, or unknown: nothing may be captured. With the cause and the remedy.
    None(String),
}

impl Space {
    /// The space of the file system that holds `folder`: low below `min_free` free bytes, full below `reserve`.
    pub fn of(folder: PathBuf, min_free: u64, reserve: u64) -> Self {
        let is_suspect = Arc::new(AtomicBool::new(false));
        let suspected = Arc::clone(&is_suspect);
        let probe = move || {
            let disk = DiskUsage::of(&folder)?;
            // Not every file system that stopped writing after an error is mounted read-only.
            let suspect = suspected.load(Ordering::Relaxed);
            if disk.is_read_only || suspect && !accepts_files(&folder) {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            suspected.store(false, Ordering::Relaxed);
            let has_files = disk.free_files.is_none_or(|free| free >= MIN_FREE_FILES);
            Ok(DiskUsage {
                free: if has_files { disk.free } else { 0 },
                ..disk
            })
        };
        Self {
            is_suspect,
            ..Self::with_probe(Arc::new(probe), min_free, reserve)
        }
    }

    /// Like [`Space::of`], with the free bytes that `probe` returns.
    #[cfg(any(test, feature = "test-support"))]
    pub fn probed(
        probe: impl Fn() -> io::Result<u64> + Send + Sync + 'static,
        min_free: u64,
        reserve: u64,
    ) -> Self {
        let disk = move || {
            Ok(DiskUsage {
                total: u64::MAX,
                used: 0,
                free: probe()?,
                free_files: None,
                is_read_only: false,
            })
        };
        Self::with_probe(Arc::new(disk), min_free, reserve)
    }

    fn with_probe(probe: Arc<Probe>, min_free: u64, reserve: u64) -> Self {
        Self {
            probe,
            min_free,
            reserve,
            is_suspect: Arc::default(),
            blocked: Arc::default(),
        }
    }

    /// After a field was not recorded because the file system accepts no more writes, reports no room until it accepts
    /// files again.
    pub fn note_failure(&self, error: &RecordsError) {
        if error.is_read_only() {
            self.is_suspect.store(true, Ordering::Relaxed);
        }
    }

    /// Reports no room with this message until [`Space::unblock`]; returns whether the message is new.
    pub(super) fn block(&self, message: String) -> bool {
        let mut blocked = self.lock();
        let is_new = blocked.as_ref() != Some(&message);
        *blocked = Some(message);
        is_new
    }

    /// Reports the space of the file system again.
    pub(super) fn unblock(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        // The value is valid after every statement, so a panicked holder cannot leave it inconsistent.
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks the free space, which is fast.
    pub fn room(&self) -> Room {
        if let Some(message) = &*self.lock() {
            return Room::None(message.clone());
        }
        match (self.probe)().map(|disk| disk.free) {
            Ok(free) if free < self.reserve => Room::None(format!(
                "disk full, {} MiB free; export records, then remove files",
                free / MIB
            )),
            Ok(free) if free < self.min_free => Room::Low(free / MIB),
            Ok(free) => Room::Enough(free / MIB),
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Room::None(
                "the disk of the records is read-only; export records, then check the disk".into(),
            ),
            Err(error) => Room::None(format!("no records; check the disk: {error}")),
        }
    }

    /// Whether `bytes` can be written without going below the reserve.
    pub(super) fn can_spare(&self, bytes: u64) -> bool {
        (self.probe)().is_ok_and(|disk| disk.free >= self.reserve.saturating_add(bytes))
    }

    /// Whether images should be removed to free space: not if the disk is smaller than the limit.
    pub(super) fn is_low(&self) -> bool {
        (self.probe)().is_ok_and(|disk| self.min_free <= disk.total && disk.free < self.min_free)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn limits_decide_between_enough_low_and_none() {
        let room = |free| Space::probed(move || Ok(free), 10 * MIB, 2 * MIB).room();
        assert_eq!(room(10 * MIB), Room::Enough(10));
        assert_eq!(room(10 * MIB - 1), Room::Low(9));
        assert_eq!(room(2 * MIB), Room::Low(2));
        let Room::None(message) = room(2 * MIB - 1) else {
            panic!("room below the reserve");
        };
        assert!(message.contains("1 MiB free; export records"), "{message}");
    }

    #[test]
    fn a_missing_disk_has_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let existing = Space::of(folder.path().into(), 1, 1);
        assert!(matches!(existing.room(), Room::Enough(_)));
        assert!(
            !Space::of(folder.path().into(), u64::MAX, 1).is_low(),
            "the limit exceeds the disk's size"
        );
        let missing = Space::of(folder.path().join("missing"), 1, 1);
        assert!(
            matches!(missing.room(), Room::None(message) if message.contains("check the disk"))
        );
    }

    #[test]
    fn a_disk_that_refused_a_write_has_no_room_until_it_accepts_files() {
        // No files can be created there, though it is not mounted read-only.
        let refusing = Space::of("/proc/self".into(), 0, 0);
        assert_eq!(refusing.room(), Room::Enough(0));
        let failure =
            |kind: io::ErrorKind| RecordsError::file(Path::new("x"), "written", "")(kind.into());
        refusing.note_failure(&failure(io::ErrorKind::StorageFull));
        assert_eq!(refusing.room(), Room::Enough(0));
        let read_only = failure(io::ErrorKind::ReadOnlyFilesystem);
        refusing.clone().note_failure(&read_only);
        let Room::None(message) = refusing.room() else {
            panic!("room on a disk that refuses files");
        };
        assert!(message.contains("is read-only; export"), "{message}");
        let folder = tempfile::tempdir().unwrap();
        let repaired = Space::of(folder.path().into(), 0, 0);
        repaired.note_failure(&read_only);
        assert!(matches!(repaired.room(), Room::Enough(_)));
    }

    #[test]
    fn a_block_overrides_the_free_space() {
        let space = Space::probed(|| Ok(10), 2, 1);
        assert!(space.block("closed".into()));
        assert!(!space.block("closed".into()), "the same message");
        assert_eq!(space.clone().room(), Room::None("closed".into()));
        space.unblock();
        assert_eq!(space.room(), Room::Enough(0));
    }
}
