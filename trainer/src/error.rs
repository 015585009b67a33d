//! Errors, with messages that say how to fix them.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use smearscope_artifacts::ArtifactError;

/// A command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrainError {
    /// The images or files cannot be used.
    #[error("{path}: {problem}; {remedy}", path = .path.display())]
    Data {
        path: PathBuf,
        problem: String,
        remedy: String,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written; check the path, its permissions and the free space", path = .path.display())]
    Output {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Training is impossible, or its loss diverged.
    #[error("training failed: {problem}; {remedy}")]
    Training { problem: String, remedy: String },
    /// The exported model differs from the trained one; nothing was written.
    #[error("the exported model was discarded: {problem}")]
    Export { problem: String },
    /// A model folder or an engine cannot be used.
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

    /// A file or folder cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &dyn Error) -> Self {
        let problem = format!("it cannot be read: {error}");
        Self::data(path, problem, "check the path and its permissions")
    }

    pub(crate) fn output(path: &Path, source: io::Error) -> Self {
        Self::Output {
            path: path.into(),
            source,
        }
    }

    /// 3 for unusable data, 4 for output that cannot be written, 5 for a failed training or export.
    /// clap exits with 2 for a wrong command line.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Data { .. } => 3,
            Self::Output { .. } => 4,
            Self::Training { .. } | Self::Export { .. } | Self::Artifact(_) => 5,
        }
        .into()
    }
}
