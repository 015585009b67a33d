//! Why records cannot be read, written or trusted.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::records::space;

/// Why records cannot be read, written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// A file or folder cannot be used.
    #[error("{} cannot be {doing}; {remedy}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried, as a participle.
        doing: &'static str,
        /// What to do about it.
        remedy: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database cannot be used.
    #[error("{} cannot be used; check that the disk is in order, has room and may be written to by this user", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// It cannot be read where nothing can be written.
    #[error(
        "{} holds rows that are not in the database yet, and nothing can be written there to bring them in; copy \
         the folder to where this user may write, and read the copy",
        log.display()
    )]
    Sealed {
        /// The database's log.
        log: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Another appliance writes there.
    #[error("{} is in use by another smearscope; end that one, or give this one another folder (storage.state)", folder.display())]
    Locked {
        /// The state folder.
        folder: PathBuf,
    },
    /// A later version wrote it.
    #[error("{} has the format {found}, this program knows {known}; install a newer smearscope", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format that is known.
        known: u32,
    },
    /// It is not as it was written.
    #[error(
        "{problem}; move records.sqlite*, images and incoming out of the folder for whoever investigates, and records \
         begin anew"
    )]
    Mismatch {
        /// What does not match.
        problem: String,
    },
    /// The disk of the records would be left with too little room.
    #[error(
        "{} would take {size} MiB of the disk that holds the records, of which {free} MiB are free and {least} must \
         stay so (storage.min_free_mib); name a file on another disk, or export less at once (--since, --until, --slide)",
        path.display()
    )]
    Crowded {
        /// The file.
        path: PathBuf,
        /// About what it takes, in MiB.
        size: u64,
        /// What is free, in MiB.
        free: u64,
        /// What must be left, in MiB.
        least: u64,
    },
    /// There is no such record.
    #[error("{} has no slide or field {id}; `smearscope records list` shows them", folder.display())]
    Unknown {
        /// The state folder.
        folder: PathBuf,
        /// What was asked for.
        id: String,
    },
    /// A record cannot be written as text.
    #[error("a record cannot be written as JSON or CSV")]
    Text(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl RecordsError {
    /// What is wrong, without what to do where all of the records are wrong.
    pub(super) fn what(self) -> String {
        match self {
            Self::Mismatch { problem } => problem,
            error => error.to_string(),
        }
    }

    /// Whether the disk has no room for it.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::File { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            Self::Database { path, source } => match source.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => true,
                // Of the file that its users share, and of one that cannot be made, SQLite does not say what failed.
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                    path.parent().is_some_and(space::is_exhausted)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// For `map_err`: a file that cannot be used.
    pub(super) fn file(
        path: &Path,
        doing: &'static str,
        remedy: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File {
            path: path.into(),
            doing,
            remedy,
            source,
        }
    }

    /// For `map_err`: what SQLite says of the database in a state folder.
    pub(super) fn database(folder: &Path) -> impl Fn(rusqlite::Error) -> Self + use<> {
        let path = crate::records::database(folder);
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Mismatch {
                problem: format!("{} is damaged ({source})", path.display()),
            },
            _ => Self::Database {
                path: path.clone(),
                source,
            },
        }
    }
}
