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
    #[error("{path} cannot be written{remedy}", path = .path.display(), remedy = write_remedy(source.kind()))]
    Output {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// An output folder is not used, so that nothing is overwritten or mixed.
    #[error("{path}: {problem}", path = .path.display())]
    Refused { path: PathBuf, problem: String },
    /// The model is written, but what describes it is not.
    #[error("the model is in {path}, but its report is incomplete", path = .path.display())]
    Report {
        path: PathBuf,
        #[source]
        source: Box<Self>,
    },
    /// Training is impossible, or its loss diverged.
    #[error("training failed: {problem}; {remedy}")]
    Training { problem: String, remedy: String },
    /// The exported model differs from the trained one; nothing was written.
    #[error("the exported model was discarded: {problem}")]
    Export { problem: String },
    /// A third party's network is not imported.
    #[error("{path}: {problem}", path = .path.display())]
    Network { path: PathBuf, problem: String },
    /// A model folder or an engine cannot be used.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

/// What to do about a file that cannot be written.
fn write_remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free space on its disk",
        io::ErrorKind::FileTooLarge => {
            "; raise the limit of a file's size (ulimit -f, or its disk's)"
        }
        io::ErrorKind::PermissionDenied => "; check who may write there",
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "; check the path",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a folder on another disk",
        _ => "",
    }
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

    pub(crate) fn refused(path: &Path, problem: impl Into<String>) -> Self {
        Self::Refused {
            path: path.into(),
            problem: problem.into(),
        }
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
            Self::Output { .. } | Self::Refused { .. } | Self::Report { .. } => 4,
            Self::Training { .. }
            | Self::Export { .. }
            | Self::Network { .. }
            | Self::Artifact(_) => 5,
        }
        .into()
    }
}
