//! An 8 MiB placeholder that reserves disk space for the database. Without it, a completely full disk could not even
//! record which images are removed, so no image could be removed.
//!
//! If a write to the database fails because the disk is full, the placeholder is deleted and the write is retried once.
//! When space is free again, the placeholder is created again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use crate::records::error::RecordsError;
use crate::records::layout::BALLAST;

/// Size of the placeholder. SQLite's write-ahead log grows to 1000 pages of 4 KiB before it is copied into the database,
/// which may grow by as much: 4 MB twice. Removing a field's images writes about six pages and frees more than that.
pub(super) const BYTES: u64 = 8 << 20;

/// Bytes per write where the file system cannot allocate space in advance.
const CHUNK: usize = 8 << 10;

/// Runs a write to the database in `folder`; if the disk is full, deletes the placeholder and retries once.
///
/// # Errors
/// Errors of `write`.
pub(super) fn with_room<T>(
    folder: &Path,
    mut write: impl FnMut() -> Result<T, RecordsError>,
) -> Result<T, RecordsError> {
    match write() {
        Err(error) if error.is_full() && release(folder) => write(),
        result => result,
    }
}

/// Creates the placeholder unless it exists.
///
/// # Errors
/// If there is not enough free space; then no partial file remains.
pub(super) fn keep(folder: &Path) -> io::Result<()> {
    let path = path(folder);
    match path.metadata() {
        // A power cut interrupted its creation.
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

/// Deletes the placeholder and returns whether it existed.
fn release(folder: &Path) -> bool {
    match fs::remove_file(path(folder)) {
        Ok(()) => {
            log::warn!("the disk is full; the space reserved for the database is released");
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
    folder.join(BALLAST)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn full() -> RecordsError {
        RecordsError::file(Path::new("x"), "written", "")(io::ErrorKind::StorageFull.into())
    }

    #[test]
    fn it_reserves_space_and_releases_it_on_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let ballast = path(folder.path());
        fs::write(&ballast, "half").unwrap();
        keep(folder.path()).unwrap();
        let created = ballast.metadata().unwrap();
        assert_eq!(created.len(), BYTES);
        assert!(created.blocks() * 512 >= BYTES, "not sparse");
        keep(folder.path()).unwrap();
        assert_eq!(ballast.metadata().unwrap().ino(), created.ino());

        let mut attempts = 0;
        let mut write = |error: fn() -> RecordsError| {
            with_room(folder.path(), || {
                attempts += 1;
                Err::<(), _>(error())
            })
        };
        write(|| RecordsError::Locked { folder: "x".into() }).unwrap_err();
        assert!(ballast.exists(), "released only if the disk is full");
        write(full).unwrap_err();
        assert!(!ballast.exists());
        write(full).unwrap_err();
        assert_eq!(attempts, 1 + 2 + 1, "retried only after a release");
    }
}
