//! Where a model folder is written: checked first, filled in a temporary folder, then moved into place.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use smearscope_artifacts::Manifest;
use tempfile::{NamedTempFile, TempDir};
use walkdir::WalkDir;

use crate::error::TrainError;

/// The folder of a new model.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Destination {
    /// Model folder to create
    #[arg(long = "out", value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Replace the model in --out once the new one is verified
    #[arg(long)]
    pub(crate) replace: bool,
}

impl Destination {
    /// Refuses to overwrite anything but a model with --replace, and creates the parent folder.
    ///
    /// # Errors
    /// [`TrainError::Refused`] and [`TrainError::Output`].
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let refuse = |why: &str| Err(TrainError::refused(&self.folder, why));
        if self.folder.exists() {
            if !self.replace {
                return refuse("it exists; use --replace to replace a model");
            }
            if !self.folder.join(Manifest::FILE_NAME).is_file() {
                return refuse("it is not a model folder, so it is not replaced");
            }
        }
        if self.folder.file_name().is_none() {
            return refuse("it is not a valid folder name");
        }
        let parent = self.parent();
        fs::create_dir_all(parent).map_err(|source| TrainError::output(parent, source))?;
        remove_abandoned(parent);
        Ok(())
    }

    fn parent(&self) -> &Path {
        match self.folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// A temporary folder on the disk of the final one, removed unless it is published.
    ///
    /// # Errors
    /// [`TrainError::Output`].
    pub(crate) fn staging(&self) -> Result<Staging, TrainError> {
        let parent = self.parent();
        Staging::create_in(parent).map_err(|source| TrainError::output(parent, source))
    }

    /// Moves a finished folder into place. It is exchanged with an existing model in one step, so that
    /// a power cut leaves either the old or the new model.
    ///
    /// # Errors
    /// [`TrainError::Output`]; an existing model is kept.
    pub(crate) fn publish(&self, staging: &Staging) -> Result<(), TrainError> {
        self.put_in_place(&staging.model)
            .map_err(|source| TrainError::output(&self.folder, source))
    }

    fn put_in_place(&self, finished: &Path) -> io::Result<()> {
        sync(finished)?;
        if self.folder.exists() {
            match exchange(finished, &self.folder) {
                // Not every file system supports it.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                    self.replace_in_two_steps(finished)?;
                }
                done => done?,
            }
        } else {
            fs::rename(finished, &self.folder)?;
        }
        File::open(self.parent())?.sync_all()
    }

    /// Between the steps there is no model.
    fn replace_in_two_steps(&self, finished: &Path) -> io::Result<()> {
        let retired = tempfile::tempdir_in(self.parent())?;
        let old = retired.path().join("model");
        fs::rename(&self.folder, &old)?;
        fs::rename(finished, &self.folder).inspect_err(|_| {
            if fs::rename(&old, &self.folder).is_err() {
                let kept = retired.keep();
                log::error!("the old model is kept in {}", kept.display());
            }
        })
    }
}

/// Prefix of temporary folders.
const STAGING: &str = ".smearscope-train-";
/// The file that is locked as long as the process of its temporary folder lives, on whatever host.
const LOCK: &str = "lock";

/// A model folder that is being filled, in a temporary folder that is removed in the end.
#[derive(Debug)]
pub(crate) struct Staging {
    model: PathBuf,
    _folder: TempDir,
    /// Keeps other processes from removing the folder.
    _lock: File,
}

impl Staging {
    fn create_in(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(STAGING)
            .tempdir_in(parent)?;
        // Locked before it has the name by which others look for it.
        let lock = NamedTempFile::new_in(folder.path())?;
        lock.as_file().lock()?;
        let lock = lock.persist(folder.path().join(LOCK))?;
        let model = folder.path().join("model");
        DirBuilder::new().mode(0o755).create(&model)?;
        Ok(Self {
            model,
            _folder: folder,
            _lock: lock,
        })
    }

    /// The folder to fill.
    pub(crate) fn path(&self) -> &Path {
        &self.model
    }
}

/// Removes temporary folders whose process was killed: only those whose lock is free.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(STAGING) {
            continue;
        }
        let folder = entry.path();
        let Ok(lock) = File::options().write(true).open(folder.join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok()
            && let Err(error) = fs::remove_dir_all(&folder)
        {
            log::warn!("{} cannot be removed: {error}", folder.display());
        }
    }
}

fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

/// Writes all contents to disk, before the rename makes them visible.
fn sync(folder: &Path) -> io::Result<()> {
    WalkDir::new(folder)
        .into_iter()
        .try_for_each(|entry| File::open(entry?.path())?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A destination with an old model, and a new one in a temporary folder.
    fn replacement(folder: &Path) -> (Destination, Staging) {
        let destination = Destination {
            folder: folder.join("model"),
            replace: true,
        };
        fs::create_dir(&destination.folder).unwrap();
        fs::write(destination.folder.join(Manifest::FILE_NAME), "old").unwrap();
        let staging = destination.staging().unwrap();
        fs::write(staging.path().join(Manifest::FILE_NAME), "new").unwrap();
        (destination, staging)
    }

    /// The new model is in place, and nothing else is left.
    fn assert_replaced(folder: &Path) {
        let manifest = fs::read(folder.join("model").join(Manifest::FILE_NAME)).unwrap();
        assert_eq!(manifest, b"new");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn only_temporary_folders_of_killed_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let destination = Destination {
            folder: folder.path().join("model"),
            replace: false,
        };
        let own = destination.staging().unwrap();
        let abandoned = folder.path().join(".smearscope-train-x1");
        let foreign = folder.path().join(".smearscope-train-notes");
        fs::create_dir_all(abandoned.join("model")).unwrap();
        fs::write(abandoned.join(LOCK), "").unwrap();
        fs::create_dir(&foreign).unwrap();
        destination.check().unwrap();
        assert!(own.path().exists() && foreign.exists());
        assert!(!abandoned.exists());

        // Nothing but the lock tells that a process lives: it may run on another host.
        let lock = own.path().with_file_name(LOCK);
        let held = File::options().write(true).open(lock).unwrap();
        assert!(held.try_lock().is_err());
        drop(own);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn models_are_exchanged_in_one_step() {
        let folder = tempfile::tempdir().unwrap();
        let (destination, staging) = replacement(folder.path());
        exchange(staging.path(), &destination.folder).unwrap();
        let old = fs::read(staging.path().join(Manifest::FILE_NAME)).unwrap();
        assert_eq!(old, b"old");
        exchange(staging.path(), &destination.folder).unwrap();
        destination.publish(&staging).unwrap();
        drop(staging);
        assert_replaced(folder.path());
    }

    #[test]
    fn a_model_is_replaced_in_two_steps_without_an_exchange() {
        let folder = tempfile::tempdir().unwrap();
        let (destination, staging) = replacement(folder.path());
        destination.replace_in_two_steps(staging.path()).unwrap();
        drop(staging);
        assert_replaced(folder.path());
    }

    #[test]
    fn a_model_is_kept_if_the_new_one_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (destination, staging) = replacement(folder.path());
        let lost = staging.path().join("absent");
        assert!(destination.replace_in_two_steps(&lost).is_err());
        assert!(destination.put_in_place(&lost).is_err());
        let kept = fs::read(destination.folder.join(Manifest::FILE_NAME)).unwrap();
        assert_eq!(kept, b"old");
    }
}
