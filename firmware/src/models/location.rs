//! Where a model's files are.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::models::built_in;

/// Where a model's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelLocation {
    /// An installed or named model.
    Folder(PathBuf),
    /// The demonstration model that the program carries.
    BuiltIn,
}

impl From<PathBuf> for ModelLocation {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

impl fmt::Display for ModelLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::BuiltIn => f.pad(built_in::PLACE),
        }
    }
}

impl Serialize for ModelLocation {
    /// The folder's path, or `built in`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Folder(folder) => folder.serialize(serializer),
            Self::BuiltIn => serializer.serialize_str(built_in::PLACE),
        }
    }
}
