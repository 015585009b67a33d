//! Whether records may be kept in a state folder: it outlasts a power cut, its disk is mounted, and it is the expected
//! one.

use std::io;
use std::path::Path;

use uuid::Uuid;

use crate::config::storage::StorageConfig;
use crate::records::error::{CHECK_DISK, RecordsError};
use crate::records::files::{Files, RealFiles};
use crate::records::layout::IDENTITY;
use crate::system::mounts;

/// Checks the state folder before anything is recorded there. Returns a warning if a power cut would empty it and that is
/// accepted.
///
/// # Errors
/// [`RecordsError::NotMounted`], [`RecordsError::Volatile`] and [`RecordsError::OtherIdentity`] if nothing may be recorded
/// there.
pub fn check_place(storage: &StorageConfig) -> Result<Option<String>, RecordsError> {
    let folder = &storage.state;
    if let Some(mount) = mounts::missing_mount(folder) {
        let folder = folder.clone();
        return Err(RecordsError::NotMounted { folder, mount });
    }
    if let Some(expected) = storage.identity {
        let found = identity(folder)?;
        if found != Some(expected) {
            return Err(RecordsError::OtherIdentity {
                folder: folder.clone(),
                expected,
                found: found.map_or_else(|| "none".into(), |found| found.to_string()),
            });
        }
    }
    judge_volatility(storage, mounts::volatility(folder))
}

fn judge_volatility(
    storage: &StorageConfig,
    reason: Option<String>,
) -> Result<Option<String>, RecordsError> {
    match reason {
        Some(reason) if storage.volatile => Ok(Some(format!(
            "records in {} are lost at a power cut: {reason}",
            storage.state.display()
        ))),
        Some(reason) => Err(RecordsError::Volatile {
            folder: storage.state.clone(),
            reason,
        }),
        None => Ok(None),
    }
}

/// The identity of a state folder; `None` until records were opened there. A damaged identity counts as none.
///
/// # Errors
/// [`RecordsError::File`] if it cannot be read.
pub fn identity(folder: &Path) -> Result<Option<Uuid>, RecordsError> {
    let path = folder.join(IDENTITY);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidData => Ok(None),
            _ => Err(RecordsError::file(&path, "read", CHECK_DISK)(error)),
        },
    }
}

/// Gives a state folder an identity if it has none. It lasts once the folder is synced.
pub(super) fn ensure_identity(folder: &Path) -> Result<(), RecordsError> {
    if identity(folder)?.is_some() {
        return Ok(());
    }
    let path = folder.join(IDENTITY);
    let id = Uuid::now_v7();
    RealFiles
        .remove(&path)
        .and_then(|()| RealFiles.write_synced(&path, format!("{id}\n").as_bytes()))
        .map_err(RecordsError::file(&path, "written", CHECK_DISK))?;
    log::info!(
        "{} has the identity {id}; with storage.identity, no other folder is used in its place",
        folder.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;
    use crate::records::store::Store;

    fn storage(folder: &Path) -> StorageConfig {
        let mut raw = Raw::default();
        raw.storage.state = folder.into();
        // Folders of tests may be in memory.
        raw.storage.volatile = true;
        raw.validate().unwrap().storage.unwrap()
    }

    #[test]
    fn only_the_expected_folder_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let mut storage = storage(&state);
        check_place(&storage).unwrap();
        assert_eq!(identity(&state).unwrap(), None);
        drop(Store::open(state.clone()).unwrap());
        let id = identity(&state).unwrap().unwrap();
        drop(Store::open(state.clone()).unwrap());
        assert_eq!(identity(&state).unwrap(), Some(id), "it stays");

        storage.identity = Some(id);
        check_place(&storage).unwrap();
        let moved = folder.path().join("moved");
        std::fs::rename(&state, moved).unwrap();
        let refused = |found: &str| {
            let error = check_place(&storage).unwrap_err().to_string();
            let expected = format!("has the identity {found}, but storage.identity is {id}");
            assert!(error.contains(&expected), "{error}");
        };
        refused("none");
        std::fs::create_dir(&state).unwrap();
        refused("none");
        let other = "9f2e7a50-0c1d-4a3b-8c4d-5e6f70819203";
        std::fs::write(state.join(IDENTITY), other).unwrap();
        refused(other);
        std::fs::write(state.join(IDENTITY), "").unwrap();
        refused("none");
        drop(Store::open(state.clone()).unwrap());
        assert!(
            identity(&state).unwrap().is_some(),
            "a damaged one is replaced"
        );
    }

    #[test]
    fn a_folder_that_forgets_must_be_accepted() {
        let mut storage = storage(Path::new("/state"));
        let reason = || Some("it is in memory (tmpfs)".to_owned());
        let warning = judge_volatility(&storage, reason()).unwrap();
        assert_eq!(
            warning.unwrap(),
            "records in /state are lost at a power cut: it is in memory (tmpfs)"
        );
        storage.volatile = false;
        assert_eq!(judge_volatility(&storage, None).unwrap(), None);
        let error = judge_volatility(&storage, reason())
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "a power cut empties /state: it is in memory (tmpfs); set storage.state to a folder on a disk, or, if \
             records may be lost, storage.volatile = true"
        );
    }
}
