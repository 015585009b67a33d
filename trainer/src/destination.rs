//! Where a model folder goes: checked before the work, filled aside, moved into place in one step.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use smearscope_artifacts::Manifest;
use tempfile::TempDir;

use crate::error::TrainError;

/// A model folder to be made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Destination {
    pub(crate) folder: PathBuf,
    /// Whether a model that is there gives way.
    pub(crate) replace: bool,
}

impl Destination {
    /// Refuses what would be lost, and makes the folder that will hold the model folder.
    ///
    /// # Errors
    /// [`TrainError::Output`].
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let refuse = |why: &str| {
            Err(TrainError::output(
                &self.folder,
                io::Error::other(why.to_owned()),
            ))
        };
        if self.folder.exists() {
            if !self.replace {
                return refuse("it exists; --replace replaces a model");
            }
            if !self.folder.join(Manifest::FILE_NAME).is_file() {
                return refuse("it is no model folder, so it will not be replaced");
            }
        }
        if self.folder.file_name().is_none() {
            return refuse("it is no folder that could be made");
        }
        let parent = self.parent();
        fs::create_dir_all(parent).map_err(|source| TrainError::output(parent, source))
    }

    fn parent(&self) -> &Path {
        match self.folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// An unfinished folder beside the finished one, removed unless it is published.
    ///
    /// # Errors
    /// [`TrainError::Output`].
    pub(crate) fn staging(&self) -> Result<TempDir, TrainError> {
        let parent = self.parent();
        tempfile::Builder::new()
            .prefix(".smearscope-train-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(parent)
            .map_err(|source| TrainError::output(parent, source))
    }

    /// Moves a finished folder to its place.
    ///
    /// # Errors
    /// [`TrainError::Output`]; a model that was there is there still.
    pub(crate) fn publish(&self, staging: &TempDir) -> Result<(), TrainError> {
        let failed = |source| TrainError::output(&self.folder, source);
        let retired = self.staging()?;
        let old = retired.path().join("model");
        let replaces = self.folder.exists();
        if replaces {
            fs::rename(&self.folder, &old).map_err(failed)?;
        }
        fs::rename(staging.path(), &self.folder).map_err(|source| {
            if replaces && let Err(error) = fs::rename(&old, &self.folder) {
                // The old model is worth more than a tidy folder.
                let kept = retired.keep();
                log::error!("the old model lies in {}", kept.display());
                return failed(error);
            }
            failed(source)
        })
    }
}
