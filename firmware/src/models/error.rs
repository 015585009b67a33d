//! Why a model cannot be used or installed.

use std::io;
use std::path::PathBuf;

use semver::Version;
use smearscope_artifacts::ArtifactError;

use crate::models::roles::ModelId;

/// Why there is no model to classify with.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The model failed verification or cannot be run.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The appliance has no state folder to install models in.
    #[error(
        "models cannot be installed because storage.state is empty; set it, or name a folder with --state"
    )]
    NoStore,
    /// The model to be installed is older than the one in use.
    #[error(
        "{name} {offered} is older than {name} {current}, which is in use; add --downgrade to install it"
    )]
    Older {
        /// The name of both.
        name: String,
        /// The version in use.
        current: Version,
        /// The version to be installed.
        offered: Version,
    },
    /// The current model and the previous one both failed.
    #[error(
        "{current} failed: {problem}; {previous} failed too; install a model",
        current = .ids[0].label(),
        previous = .ids[1].label()
    )]
    BothFailed {
        /// The current model and the previous one.
        ids: Box<[ModelId; 2]>,
        /// Why the current model failed.
        problem: String,
        /// Why the previous model failed.
        #[source]
        source: Box<ModelError>,
    },
}

/// Why a store cannot do what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("{path}: {operation} failed; {remedy}", path = .path.display())]
    Disk {
        /// Which file or folder.
        path: PathBuf,
        /// The operation that failed.
        operation: &'static str,
        /// What to do about it.
        remedy: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// `models.toml` cannot be parsed.
    #[error("{path} is damaged: {problem}; install a model again", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another installation is running.
    #[error("another program is installing a model in {path}; wait until it is done", path = .path.display())]
    Busy {
        /// The store's folder.
        path: PathBuf,
    },
    /// There is no model to roll back to.
    #[error("there is no previous model in {path}; install one", path = .path.display())]
    NoPrevious {
        /// The store's folder.
        path: PathBuf,
    },
    /// The model failed verification or cannot be run.
    #[error(transparent)]
    Model(#[from] ArtifactError),
}
