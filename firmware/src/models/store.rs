//! The models on the disk of an appliance: the one in use and the one before it.
//!
//! A store is a folder with a folder for each model, and `models.toml`, which says what each is for.
//! That file alone decides: it is replaced in one step, so that a power cut leaves the old model in
//! use or the new one. A folder that it does not name is the rest of an installation that was cut
//! short, or a model that was replaced twice, and the next installation removes it.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use smearscope_artifacts::{ArtifactError, FileEntry, Manifest, ModelFiles, PublicKey};

/// Whoever installs, the service's own user must be able to read it.
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
/// How the model that comes with the program is called in `models.toml`.
const SHIPPED: &str = "shipped";

/// Why a store cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refuses.
    #[error("{path}: {doing} failed; {remedy}", path = .path.display())]
    Disk {
        /// Which file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What to do about it.
        remedy: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// `models.toml` is not what it must be.
    #[error("{path} is damaged: {problem}; install a model again", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Another installation is going on.
    #[error("another program is installing a model into {path}; wait until it has ended", path = .path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// There is no model to go back to.
    #[error("there is no previous model in {path}; install one", path = .path.display())]
    NoPrevious {
        /// The store.
        path: PathBuf,
    },
    /// The model may not be used.
    #[error(transparent)]
    Model(#[from] ArtifactError),
}

/// A model that the appliance may use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Slot {
    /// The one that comes with the program.
    #[default]
    Shipped,
    /// One of the store, by its folder's name: name, version and something unique.
    Installed(String),
}

impl Slot {
    /// What people call it.
    pub fn label(&self) -> &str {
        match self {
            Self::Shipped => "the model of the program",
            Self::Installed(name) => name.rsplit_once('-').map_or(name, |(label, _)| label),
        }
    }
}

impl TryFrom<String> for Slot {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let mut components = Path::new(&name).components();
        match (components.next(), components.next()) {
            (Some(Component::Normal(only)), None) if only == name.as_str() => {
                Ok(if name == SHIPPED {
                    Self::Shipped
                } else {
                    Self::Installed(name)
                })
            }
            _ => Err(format!("{name:?} is no folder's name")),
        }
    }
}

impl From<Slot> for String {
    fn from(slot: Slot) -> Self {
        match slot {
            Slot::Shipped => SHIPPED.into(),
            Slot::Installed(name) => name,
        }
    }
}

/// What the models are for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// In use.
    pub current: Slot,
    /// Was in use before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Slot>,
}

/// A folder of installed models.
#[derive(Debug, Clone)]
pub struct ModelStore {
    folder: PathBuf,
}

impl ModelStore {
    /// The store in `folder`, which belongs to it alone and is made when it is first needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What the models are for; in a new store, the program's own is in use.
    ///
    /// # Errors
    /// [`StoreError::Disk`] and [`StoreError::Damaged`].
    pub fn roles(&self) -> Result<Roles, StoreError> {
        let path = self.file();
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| StoreError::Damaged {
                path,
                problem: error.message().into(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Roles::default()),
            Err(error) => Err(disk(&path, "reading", error)),
        }
    }

    /// The model to go back to.
    ///
    /// # Errors
    /// Those of [`ModelStore::roles`], and [`StoreError::NoPrevious`].
    pub fn previous(&self) -> Result<Slot, StoreError> {
        self.roles()?
            .previous
            .ok_or_else(|| StoreError::NoPrevious {
                path: self.folder.clone(),
            })
    }

    /// The folder of an installed model.
    pub fn folder_of(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Takes the model in `source` into use: copies it, has `prove` try the copy, and only then
    /// makes it the current one and the one before it the previous. Gives what it is called.
    ///
    /// Whatever fails and whenever the power goes, the models stay what they were.
    ///
    /// # Errors
    /// [`StoreError`]; of [`StoreError::Model`], those of [`ModelFiles::open_signed`] and of `prove`.
    pub fn install(
        &self,
        source: &Path,
        key: Option<&PublicKey>,
        prove: impl FnOnce(&Path) -> Result<(), ArtifactError>,
    ) -> Result<Slot, StoreError> {
        let files = ModelFiles::open_signed(source, key)?;
        let manifest = files.manifest();
        fs::create_dir_all(&self.folder)
            .map_err(|error| disk(&self.folder, "making the folder", error))?;
        let _lock = self.lock()?;
        let before = match self.roles() {
            // Whoever installs does what the message asks for.
            Err(StoreError::Damaged { .. }) => Roles::default(),
            roles => roles?,
        };
        self.sweep(&before)?;

        let staged = tempfile::Builder::new()
            .prefix(&format!("{}-{}-", manifest.name, manifest.version))
            .permissions(Permissions::from_mode(FOLDER_MODE))
            .tempdir_in(&self.folder)
            .map_err(|error| disk(&self.folder, "making a folder", error))?;
        let signature = files.is_signed().then_some(PublicKey::SIGNATURE_FILE);
        let names = manifest.entries().map(|entry| entry.path.as_path());
        for name in names
            .chain([Path::new(Manifest::FILE_NAME)])
            .chain(signature.map(Path::new))
        {
            copy(source, staged.path(), name)?;
        }
        prove(staged.path())?;
        sync(&self.folder)?;

        let name = staged.path().file_name().unwrap_or_default();
        let current = Slot::Installed(name.to_string_lossy().into_owned());
        // From here on it must not vanish, should the next step be done and say that it is not.
        let _ = staged.keep();
        let is_same = matches!(&before.current, Slot::Installed(name)
            if fs::read(self.folder_of(name).join(Manifest::FILE_NAME))
                .is_ok_and(|bytes| is_manifest(&bytes, &files)));
        let roles = Roles {
            current: current.clone(),
            // A model that is installed again, to mend it, is not the one before itself.
            previous: if is_same {
                before.previous
            } else {
                Some(before.current)
            },
        };
        self.write(&roles)?;
        self.sweep(&roles)?;
        Ok(current)
    }

    /// Makes the previous model the current one, and the other way round. Gives what they are for now.
    ///
    /// # Errors
    /// [`StoreError`], but for [`StoreError::Model`].
    pub fn swap(&self) -> Result<Roles, StoreError> {
        let current = self.previous()?;
        let _lock = self.lock()?;
        let swapped = Roles {
            current,
            previous: Some(self.roles()?.current),
        };
        self.write(&swapped)?;
        Ok(swapped)
    }

    fn file(&self) -> PathBuf {
        self.folder.join("models.toml")
    }

    /// CommitGuard as long as what it gives.
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

    /// In one step, and on the disk when it returns.
    fn write(&self, roles: &Roles) -> Result<(), StoreError> {
        let path = self.file();
        let result = toml::to_string(roles)
            .map_err(io::Error::other)
            .and_then(|text| {
                let mut file = tempfile::Builder::new()
                    .permissions(Permissions::from_mode(FILE_MODE))
                    .tempfile_in(&self.folder)?;
                file.write_all(text.as_bytes())?;
                file.as_file().sync_all()?;
                file.persist(&path)?;
                Ok(())
            });
        result.map_err(|error| disk(&path, "writing", error))?;
        sync(&self.folder)
    }

    /// Removes what no role names.
    fn sweep(&self, roles: &Roles) -> Result<(), StoreError> {
        let failed = |error| disk(&self.folder, "looking for old models", error);
        let used = [Some(&roles.current), roles.previous.as_ref()];
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let is_used = used
                .into_iter()
                .flatten()
                .any(|slot| matches!(slot, Slot::Installed(name) if *entry.file_name() == **name));
            let path = entry.path();
            if is_used || path == self.file() {
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

/// Whether these bytes are the manifest of `files`.
fn is_manifest(bytes: &[u8], files: &ModelFiles) -> bool {
    FileEntry::for_bytes(Manifest::FILE_NAME, bytes).sha256 == files.manifest_sha256()
}

/// Copies a file of a model, and has it on the disk.
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

/// The names in a folder are on the disk only once the folder is.
fn sync(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| disk(folder, "writing to the disk", error))
}

fn disk(path: &Path, doing: &'static str, source: io::Error) -> StoreError {
    let remedy = match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room",
        ErrorKind::PermissionDenied => "run it as the user of the service, or as root",
        ErrorKind::ReadOnlyFilesystem => "make the disk writable",
        _ => "check the disk",
    };
    StoreError::Disk {
        path: path.into(),
        doing,
        remedy,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_never_leaves_the_store() {
        for name in ["..", ".", "", "/etc", "a/b", "a/", "../a"] {
            assert!(Slot::try_from(name.to_owned()).is_err(), "{name:?}");
        }
        let slot = Slot::try_from("smear-2-1.0.0-rc.1-x7Gh2Q".to_owned()).unwrap();
        assert_eq!(slot.label(), "smear-2-1.0.0-rc.1");
        assert_eq!(Slot::try_from(SHIPPED.to_owned()), Ok(Slot::Shipped));
    }

    #[test]
    fn roles_are_read_as_they_were_written_and_swapped_in_one_step() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path().into());
        assert_eq!(store.roles().unwrap(), Roles::default());
        assert!(matches!(store.swap(), Err(StoreError::NoPrevious { .. })));
        let roles = Roles {
            current: Slot::Installed("new-1.0.0-abcdef".into()),
            previous: Some(Slot::Shipped),
        };
        store.write(&roles).unwrap();
        assert_eq!(store.roles().unwrap(), roles);
        let swapped = Roles {
            current: Slot::Shipped,
            previous: Some(roles.current),
        };
        assert_eq!(store.swap().unwrap(), swapped);
        assert_eq!(store.roles().unwrap(), swapped);
    }

    #[test]
    fn only_one_installs_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path().into());
        let lock = store.lock().unwrap();
        assert!(matches!(store.lock(), Err(StoreError::Busy { .. })));
        drop(lock);
        store.lock().unwrap();
    }

    #[test]
    fn a_disk_that_refuses_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path().join("absent"));
        let error = store.write(&Roles::default()).unwrap_err().to_string();
        assert!(error.ends_with("writing failed; check the disk"), "{error}");
    }
}
