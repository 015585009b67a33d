//! How much room there is for records.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::StatVfsMountFlags;

type Probe = dyn Fn() -> io::Result<Disk> + Send + Sync;

const MIB: u64 = 1 << 20;

/// How large a disk is, in bytes.
struct Disk {
    free: u64,
    total: u64,
}

/// The free space of a file system and how much of it is wanted; clones share the view.
#[derive(Clone)]
pub struct Space {
    probe: Arc<Probe>,
    /// With less, the operator is warned; in bytes.
    wanted: u64,
    /// With less, nothing new is photographed; in bytes.
    needed: u64,
    /// Why nothing can be recorded, however much room there is.
    shut: Arc<Mutex<Option<String>>>,
}

/// Less than a slide takes.
const FEW_FILES: u64 = 64;

/// Whether there is room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// There is enough; so many MiB are free.
    Enough(u64),
    /// There is little; so many MiB are free.
    Low(u64),
    /// There is none, or nobody knows: nothing must be photographed. Says why and what to do.
    None(String),
}

impl Space {
    /// The file system of `folder`, which is warned of below `wanted` free bytes and full below `needed`.
    pub fn of(folder: PathBuf, wanted: u64, needed: u64) -> Self {
        let probe = move || {
            let disk = rustix::fs::statvfs(&folder)?;
            if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            // Some file systems do not count files.
            let has_files = disk.f_files == 0 || disk.f_favail >= FEW_FILES;
            let blocks = if has_files { disk.f_bavail } else { 0 };
            Ok(Disk {
                free: blocks.saturating_mul(disk.f_frsize),
                total: disk.f_blocks.saturating_mul(disk.f_frsize),
            })
        };
        Self::with(Arc::new(probe), wanted, needed)
    }

    /// The same with free bytes from anywhere.
    pub fn probed(
        probe: impl Fn() -> io::Result<u64> + Send + Sync + 'static,
        wanted: u64,
        needed: u64,
    ) -> Self {
        let disk = move || {
            Ok(Disk {
                free: probe()?,
                total: u64::MAX,
            })
        };
        Self::with(Arc::new(disk), wanted, needed)
    }

    fn with(probe: Arc<Probe>, wanted: u64, needed: u64) -> Self {
        Self {
            probe,
            wanted,
            needed,
            shut: Arc::default(),
        }
    }

    /// There is no room, because of what `message` says, until [`Space::unshut`]; gives whether that is new.
    pub(super) fn shut(&self, message: String) -> bool {
        let mut shut = self.lock();
        let is_new = shut.as_ref() != Some(&message);
        *shut = Some(message);
        is_new
    }

    /// There is as much room as the file system has.
    pub(super) fn unshut(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        // Valid after every statement, so a panicked holder leaves nothing torn.
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks, which is quick.
    pub fn room(&self) -> Room {
        if let Some(message) = &*self.lock() {
            return Room::None(message.clone());
        }
        match (self.probe)().map(|disk| disk.free) {
            Ok(free) if free < self.needed => Room::None(format!(
                "disk full, {} MiB free; export records, then remove files",
                free / MIB
            )),
            Ok(free) if free < self.wanted => Room::Low(free / MIB),
            Ok(free) => Room::Enough(free / MIB),
            Err(error) => Room::None(format!("no records; check the disk: {error}")),
        }
    }

    /// Whether so many bytes can be taken and leave what is needed.
    pub(super) fn spares(&self, bytes: u64) -> bool {
        (self.probe)().is_ok_and(|disk| disk.free >= self.needed.saturating_add(bytes))
    }

    /// Whether images should go to make room. Not where that could never make enough.
    pub(super) fn is_low(&self) -> bool {
        (self.probe)().is_ok_and(|disk| self.wanted <= disk.total && disk.free < self.wanted)
    }
}

/// Less than this is no room for anything, in bytes.
const NOTHING: u64 = MIB;

/// Whether the file system of `folder` has no room for even a small file.
pub(super) fn is_exhausted(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) < NOTHING
            || (disk.f_files > 0 && disk.f_favail == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_told_by_its_limits() {
        let room = |free| Space::probed(move || Ok(free), 10 * MIB, 2 * MIB).room();
        assert_eq!(room(10 * MIB), Room::Enough(10));
        assert_eq!(room(10 * MIB - 1), Room::Low(9));
        assert_eq!(room(2 * MIB), Room::Low(2));
        let Room::None(message) = room(2 * MIB - 1) else {
            panic!("there is no room");
        };
        assert!(message.contains("1 MiB free; export records"), "{message}");
    }

    #[test]
    fn a_disk_that_cannot_be_looked_at_has_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let there = Space::of(folder.path().into(), 1, 1);
        assert!(matches!(there.room(), Room::Enough(_)));
        assert!(
            !Space::of(folder.path().into(), u64::MAX, 1).is_low(),
            "no disk has so much"
        );
        let gone = Space::of(folder.path().join("gone"), 1, 1);
        assert!(matches!(gone.room(), Room::None(message) if message.contains("check the disk")));
    }
}
