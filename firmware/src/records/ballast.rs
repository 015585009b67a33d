//! Room that is kept for the database: on a disk that others have filled to the last byte, nobody could
//! write down which images go, so that none could.
//!
//! It is a file that holds nothing. Where the database finds no room, the file goes, and what was tried is
//! tried once more; once there is room again, it is made anew.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use crate::records::RecordsError;

/// SQLite's log grows to 1000 pages of 4 KiB before it is copied into the database, which may grow by as much:
/// 4 MB twice. The removal of a field's images writes some six pages, and frees more than that.
pub(super) const BYTES: u64 = 8 << 20;

const CHUNK: usize = 8 << 10;

/// Writes to the database in `folder`, if need be without the ballast.
///
/// # Errors
/// Those of `write`.
pub(super) fn with_room<T>(
    folder: &Path,
    mut write: impl FnMut() -> Result<T, RecordsError>,
) -> Result<T, RecordsError> {
    match write() {
        Err(error) if error.is_full() && release(folder) => write(),
        result => result,
    }
}

/// Makes the ballast, unless it is there.
///
/// # Errors
/// If there is no room for it; then there is none.
pub(super) fn keep(folder: &Path) -> io::Result<()> {
    let path = path(folder);
    match path.metadata() {
        // Whatever a power cut has left of it.
        Ok(found) if found.len() < BYTES => fs::remove_file(&path)?,
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fill(&mut file).inspect_err(|_| {
        release(folder);
    })
}

fn fill(file: &mut File) -> io::Result<()> {
    match fallocate(&*file, FallocateFlags::empty(), 0, BYTES) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let chunk = [0; CHUNK];
            for _ in 0..BYTES / CHUNK as u64 {
                file.write_all(&chunk)?;
            }
            Ok(())
        }
        result => Ok(result?),
    }
}

/// Gives whether there was any.
fn release(folder: &Path) -> bool {
    match fs::remove_file(path(folder)) {
        Ok(()) => {
            log::warn!("the disk is full; the room that is kept for the database is used");
            true
        }
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                log::error!("{} cannot be deleted: {error}", path(folder).display());
            }
            false
        }
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("records.ballast")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn full() -> RecordsError {
        RecordsError::file(Path::new("x"), "written", "")(io::ErrorKind::StorageFull.into())
    }

    #[test]
    fn it_takes_its_room_and_gives_it_to_whoever_finds_none() {
        let folder = tempfile::tempdir().unwrap();
        let ballast = path(folder.path());
        fs::write(&ballast, "half").unwrap();
        keep(folder.path()).unwrap();
        let made = ballast.metadata().unwrap();
        assert_eq!(made.len(), BYTES);
        assert!(made.blocks() * 512 >= BYTES, "not a hole");
        keep(folder.path()).unwrap();
        assert_eq!(ballast.metadata().unwrap().ino(), made.ino());

        let mut tries = 0;
        let mut write = |is_full: fn() -> RecordsError| {
            with_room(folder.path(), || {
                tries += 1;
                Err::<(), _>(is_full())
            })
        };
        write(|| RecordsError::Locked { folder: "x".into() }).unwrap_err();
        assert!(ballast.exists(), "only for want of room");
        write(full).unwrap_err();
        assert!(!ballast.exists());
        write(full).unwrap_err();
        assert_eq!(tries, 1 + 2 + 1, "once more only if it helps");
    }
}
