//! Where a model folder is written: checked first, filled in a temporary folder, then moved into place.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use smearscope_artifacts::Manifest;
use tempfile::TempDir;
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

    /// A temporary folder beside the final one, removed unless it is published.
    ///
    /// # Errors
    /// [`TrainError::Output`].
    pub(crate) fn staging(&self) -> Result<TempDir, TrainError> {
        let parent = self.parent();
        tempfile::Builder::new()
            .prefix(&format!("{STAGING}{}-", std::process::id()))
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(parent)
            .map_err(|source| TrainError::output(parent, source))
    }

    /// Moves a finished folder into place. It is exchanged with an existing model in one step, so that
    /// a power cut leaves either the old or the new model.
    ///
    /// # Errors
    /// [`TrainError::Output`]; an existing model is kept.
    pub(crate) fn publish(&self, staging: &TempDir) -> Result<(), TrainError> {
        self.put_in_place(staging.path())
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

/// Prefix of temporary folders; the id of their process follows.
const STAGING: &str = ".smearscope-train-";

/// Removes temporary folders whose process was killed.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(STAGING));
        let owner = owner.and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
        let is_abandoned = |id: u32| !Path::new("/proc").join(id.to_string()).exists();
        if owner.is_some_and(is_abandoned)
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            log::warn!("{} cannot be removed: {error}", entry.path().display());
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
    fn replacement(folder: &Path) -> (Destination, TempDir) {
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
    fn the_temporary_folder_of_a_killed_process_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let destination = Destination {
            folder: folder.path().join("model"),
            replace: false,
        };
        let own = destination.staging().unwrap();
        // Linux has no process with this id: it is above the largest possible one, 2^22.
        let abandoned = folder.path().join(".smearscope-train-4194305-x1");
        let foreign = folder.path().join(".smearscope-train-notes");
        fs::create_dir(&abandoned).unwrap();
        fs::create_dir(&foreign).unwrap();
        destination.check().unwrap();
        assert!(own.path().exists() && foreign.exists());
        assert!(!abandoned.exists());
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
