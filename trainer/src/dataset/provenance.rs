//! The recorded origin of generated images.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// The file beside the class folders of images that a program generated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provenance {
    /// What the images are.
    pub(crate) origin: String,
    /// The command that reproduces them.
    pub(crate) command: String,
}

impl Provenance {
    pub(super) const FILE_NAME: &str = "dataset.toml";

    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let path = folder.join(Self::FILE_NAME);
        let text = toml::to_string(self)
            .map_err(|error| TrainError::output(&path, io::Error::other(error)))?;
        fs::write(&path, text).map_err(|source| TrainError::output(&path, source))
    }

    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, TrainError> {
        let path = folder.join(Self::FILE_NAME);
        let remedy = "correct or remove it";
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .map_err(|error| TrainError::data(&path, error.message(), remedy)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TrainError::data(&path, error.to_string(), remedy)),
        }
    }
}
