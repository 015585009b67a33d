//! The installed models on the appliance's disk.
//!
//! A store is a folder with one folder for each model, and `models.toml` with their [`Roles`]. That file alone decides
//! which model is used. It is replaced in one step, so that after a power cut either the old or the new model is in
//! use. The next installation removes folders that it does not name: those of an interrupted installation, and those of
//! models that have been replaced twice.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use smearscope_artifacts::{ArtifactError, FileEntry, Manifest, ModelFiles, PublicKey};

use crate::models::error::StoreError;
use crate::models::roles::{ModelId, Roles};
use crate::system::files;

/// Modes that let the service's user read a model, whichever user installs it.
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// A folder of installed models.
#[derive(Debug, Clone)]
pub struct ModelStore {
    folder: PathBuf,
}

impl ModelStore {
    /// The store in `folder`, which must contain nothing else. It is created at the first installation.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The roles of the models; a new store uses the shipped model.
    ///
    /// # Errors
    /// [`StoreError::Disk`] and [`StoreError::Damaged`].
    pub fn roles(&self) -> Result<Roles, StoreError> {
        let path = self.roles_file();
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| StoreError::Damaged {
                path,
                problem: error.message().into(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Roles::default()),
            Err(error) => Err(disk(&path, "reading", error)),
        }
    }

    /// The model to roll back to.
    ///
    /// # Errors
    /// Those of [`ModelStore::roles`], and [`StoreError::NoPrevious`].
    pub fn previous(&self) -> Result<ModelId, StoreError> {
        self.roles()?
            .previous
            .ok_or_else(|| StoreError::NoPrevious {
                path: self.folder.clone(),
            })
    }

    /// The store's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of an installed model.
    pub fn folder_of(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Installs the model in `source`: copies it, calls `verify` with the copy's folder, and makes it the current
    /// model and the current one the previous. Returns its id.
    ///
    /// A failure or a power cut before the last step leaves the roles unchanged.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Model`] carries the errors of [`ModelFiles::open_signed`] and of `verify`.
    pub fn install(
        &self,
        source: &Path,
        key: Option<&PublicKey>,
        verify: impl FnOnce(&Path) -> Result<(), ArtifactError>,
    ) -> Result<ModelId, StoreError> {
        let files = ModelFiles::open_signed(source, key)?;
        let manifest = files.manifest();
        // The service writes there, too, when it rolls back.
        files::create_folder_for_owner(&self.folder)
            .map_err(|error| disk(&self.folder, "creating the folder", error))?;
        let _lock = self.lock()?;
        let before = match self.roles() {
            // An installation repairs the file, as the error's message asks for.
            Err(StoreError::Damaged { .. }) => Roles::default(),
            roles => roles?,
        };
        self.remove_unused(&before)?;

        let staged = tempfile::Builder::new()
            .prefix(&format!("{}-{}-", manifest.name, manifest.version))
            .permissions(Permissions::from_mode(FOLDER_MODE))
            .tempdir_in(&self.folder)
            .map_err(|error| disk(&self.folder, "creating a folder", error))?;
        let signature = files.is_signed().then_some(PublicKey::SIGNATURE_FILE);
        let names = manifest.entries().map(|entry| entry.path.as_path());
        for name in names
            .chain([Path::new(Manifest::FILE_NAME)])
            .chain(signature.map(Path::new))
        {
            copy(source, staged.path(), name)?;
        }
        verify(staged.path())?;
        sync(&self.folder)?;

        let name = staged.path().file_name().unwrap_or_default();
        let current = ModelId::Installed(name.to_string_lossy().into_owned());
        // Keep the folder even if the next step reports an error: it may have taken effect.
        let _ = staged.keep();
        let is_same = matches!(&before.current, ModelId::Installed(name)
            if fs::read(self.folder_of(name).join(Manifest::FILE_NAME))
                .is_ok_and(|bytes| is_manifest(&bytes, &files)));
        let roles = Roles {
            current: current.clone(),
            // Installing the current model again, to repair it, does not make it the previous one.
            previous: if is_same {
                before.previous
            } else {
                Some(before.current)
            },
        };
        self.write_roles(&roles)?;
        self.remove_unused(&roles)?;
        Ok(current)
    }

    /// Swaps the current and the previous model. Returns the new roles.
    ///
    /// # Errors
    /// [`StoreError`], except [`StoreError::Model`].
    pub fn swap(&self) -> Result<Roles, StoreError> {
        let current = self.previous()?;
        let _lock = self.lock()?;
        let swapped = Roles {
            current,
            previous: Some(self.roles()?.current),
        };
        self.write_roles(&swapped)?;
        Ok(swapped)
    }

    /// Where the roles are stored.
    fn roles_file(&self) -> PathBuf {
        self.folder.join("models.toml")
    }

    /// Locks the store until the returned file is dropped.
    fn lock(&self) -> Result<File, StoreError> {
        let folder = File::open(&self.folder)
            .map_err(|error| disk(&self.folder, "opening the folder", error))?;
        match folder.try_lock() {
            Ok(()) => Ok(folder),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Busy {
                path: self.folder.clone(),
            }),
            Err(fs::TryLockError::Error(error)) => Err(disk(&self.folder, "locking", error)),
        }
    }

    /// Replaces the roles in one step and syncs them to the disk.
    pub(super) fn write_roles(&self, roles: &Roles) -> Result<(), StoreError> {
        let path = self.roles_file();
        toml::to_string(roles)
            .map_err(io::Error::other)
            .and_then(|text| files::replace(&path, text.as_bytes(), FILE_MODE))
            .map_err(|error| disk(&path, "writing", error))
    }

    /// Removes everything but the models that have a role.
    fn remove_unused(&self, roles: &Roles) -> Result<(), StoreError> {
        let failed = |error| disk(&self.folder, "looking for old models", error);
        let used = [Some(&roles.current), roles.previous.as_ref()];
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let is_used = used
                .into_iter()
                .flatten()
                .any(|id| matches!(id, ModelId::Installed(name) if *entry.file_name() == **name));
            let path = entry.path();
            if is_used || path == self.roles_file() {
                continue;
            }
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
                _ => fs::remove_file(&path),
            };
            removed.map_err(|error| disk(&path, "removing an old model", error))?;
        }
        Ok(())
    }
}

/// Whether `bytes` are the manifest of `files`.
fn is_manifest(bytes: &[u8], files: &ModelFiles) -> bool {
    FileEntry::for_bytes(Manifest::FILE_NAME, bytes).sha256 == files.manifest_sha256()
}

/// Copies one file of a model and syncs it to the disk.
fn copy(from: &Path, to: &Path, name: &Path) -> Result<(), StoreError> {
    let target = to.join(name);
    let copied = || {
        for folder in name.ancestors().skip(1).collect::<Vec<_>>().iter().rev() {
            let folder = to.join(folder);
            if !folder.is_dir() {
                fs::create_dir(&folder)?;
                fs::set_permissions(&folder, Permissions::from_mode(FOLDER_MODE))?;
            }
        }
        let mut file = File::create_new(&target)?;
        io::copy(&mut File::open(from.join(name))?, &mut file)?;
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        file.sync_all()
    };
    copied().map_err(|error| disk(&target, "copying", error))?;
    target.parent().map_or(Ok(()), sync)
}

/// Syncs a folder to the disk, and with it the names of the files in it.
fn sync(folder: &Path) -> Result<(), StoreError> {
    files::sync_folder(folder).map_err(|error| disk(folder, "writing to the disk", error))
}

fn disk(path: &Path, operation: &'static str, source: io::Error) -> StoreError {
    let remedy = match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room",
        ErrorKind::PermissionDenied => "run it as the user of the service, or as root",
        ErrorKind::ReadOnlyFilesystem => "make the disk writable",
        _ => "check the disk",
    };
    StoreError::Disk {
        path: path.into(),
        operation,
        remedy,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_stored_and_swapped() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path().into());
        assert_eq!(store.roles().unwrap(), Roles::default());
        assert!(matches!(store.swap(), Err(StoreError::NoPrevious { .. })));
        let roles = Roles {
            current: ModelId::Installed("new-1.0.0-abcdef".into()),
            previous: Some(ModelId::Shipped),
        };
        store.write_roles(&roles).unwrap();
        assert_eq!(store.roles().unwrap(), roles);
        let swapped = Roles {
            current: ModelId::Shipped,
            previous: Some(roles.current),
        };
        assert_eq!(store.swap().unwrap(), swapped);
        assert_eq!(store.roles().unwrap(), swapped);
    }

    #[test]
    fn a_store_is_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path().into());
        let lock = store.lock().unwrap();
        assert!(matches!(store.lock(), Err(StoreError::Busy { .. })));
        drop(lock);
        store.lock().unwrap();
    }

    #[test]
    fn a_disk_error_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path().join("absent"));
        let error = store
            .write_roles(&Roles::default())
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("writing failed; check the disk"), "{error}");
    }
}
