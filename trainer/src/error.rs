//! What can go wrong, in words that say what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use smearscope_artifacts::ArtifactError;

/// A command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrainError {
    /// The images are not a dataset that can be trained on.
    #[error("{path}: {problem}; {remedy}", path = .path.display())]
    Data {
        path: PathBuf,
        problem: String,
        remedy: String,
    },
    /// Something cannot be written.
    #[error("{path} cannot be written; check the path, its permissions and the free space", path = .path.display())]
    Output {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Training went astray.
    #[error("training failed: {problem}; {remedy}")]
    Training { problem: String, remedy: String },
    /// The exported model is not the trained one; nothing was left behind.
    #[error("the exported model was discarded: {problem}")]
    Export { problem: String },
    /// The model's description or its engines.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

impl TrainError {
    pub(crate) fn data(path: &Path, problem: impl Into<String>, remedy: &str) -> Self {
        Self::Data {
            path: path.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn output(path: &Path, source: io::Error) -> Self {
        Self::Output {
            path: path.into(),
            source,
        }
    }

    /// 3 for unusable data, 4 for output that cannot be written, 5 for training or an export
    /// that failed. clap answers 2 for a wrong command line.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Data { .. } => 3,
            Self::Output { .. } => 4,
            Self::Training { .. } | Self::Export { .. } | Self::Artifact(_) => 5,
        }
        .into()
    }
}
