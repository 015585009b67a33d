//! How much room there is for records.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

type Probe = dyn Fn() -> io::Result<u64> + Send + Sync;

const MIB: u64 = 1 << 20;

/// The free space of a file system and how much of it is wanted; clones share the view.
#[derive(Clone)]
pub struct Space {
    probe: Arc<Probe>,
    /// With less, the operator is warned; in bytes.
    wanted: u64,
    /// With less, nothing new is photographed; in bytes.
    needed: u64,
}

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
            let status = rustix::fs::statvfs(&folder)?;
            Ok(status.f_bavail.saturating_mul(status.f_frsize))
        };
        Self::probed(probe, wanted, needed)
    }

    /// The same with free bytes from anywhere.
    pub fn probed(
        probe: impl Fn() -> io::Result<u64> + Send + Sync + 'static,
        wanted: u64,
        needed: u64,
    ) -> Self {
        Self {
            probe: Arc::new(probe),
            wanted,
            needed,
        }
    }

    /// Looks, which is quick.
    pub fn room(&self) -> Room {
        match (self.probe)() {
            Ok(free) if free < self.needed => Room::None(format!(
                "disk full, {} MiB free; export records, then remove files",
                free / MIB
            )),
            Ok(free) if free < self.wanted => Room::Low(free / MIB),
            Ok(free) => Room::Enough(free / MIB),
            Err(error) => Room::None(format!("no records; check the disk: {error}")),
        }
    }

    /// Whether images should go to make room.
    pub(super) fn is_low(&self) -> bool {
        (self.probe)().is_ok_and(|free| free < self.wanted)
    }
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
        let gone = Space::of(folder.path().join("gone"), 1, 1);
        assert!(matches!(gone.room(), Room::None(message) if message.contains("check the disk")));
    }
}
