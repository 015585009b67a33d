//! Errors of the records.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use uuid::Uuid;

use crate::records::layout::database;
use crate::system::disk::{DiskUsage, accepts_files};

/// Remedy for errors of the disk.
pub(crate) const CHECK_DISK: &str =
    "check that the disk works and has free space, and that this user may write to it";

/// Remedy for records of another user.
pub(super) const AS_SERVICE: &str =
    "run this as the user of the service, for example with `sudo -u smearscope`, or with `sudo`";

/// Free bytes below which not even a small file can be written.
const MIN_FREE: u64 = 1 << 20;

/// Why records cannot be read, written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// A file or folder of the state folder cannot be used.
    #[error("{} cannot be {action}; {remedy}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The failed action, as a participle.
        action: &'static str,
        /// How to fix it.
        remedy: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error("{} cannot be used; {CHECK_DISK}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// A power cut empties the folder.
    #[error(
        "a power cut empties {}: {reason}; set storage.state to a folder on a disk, or, if records may be lost, \
         storage.volatile = true",
        folder.display()
    )]
    Volatile {
        /// The state folder.
        folder: PathBuf,
        /// How that is known.
        reason: String,
    },
    /// The disk of the folder is not mounted.
    #[error(
        "{} is not on its disk: /etc/fstab mounts one at {}, but none is mounted; connect and mount it, then restart \
         smearscope",
        folder.display(),
        mount.display()
    )]
    NotMounted {
        /// The state folder.
        folder: PathBuf,
        /// Where a disk should be mounted.
        mount: PathBuf,
    },
    /// The folder is not the expected one.
    #[error(
        "{} has the identity {found}, but storage.identity is {expected}; mount the disk with the records, then restart \
         smearscope, or correct the setting",
        folder.display()
    )]
    OtherIdentity {
        /// The state folder.
        folder: PathBuf,
        /// The configured identity.
        expected: Uuid,
        /// The folder's identity, or `none`.
        found: String,
    },
    /// Another appliance writes to the folder.
    #[error("{} is in use by another smearscope; stop it, or set another folder in storage.state", folder.display())]
    Locked {
        /// The state folder.
        folder: PathBuf,
    },
    /// A later version of the program wrote the database.
    #[error("{} has format {found}, but this version supports only formats up to {known}; install a newer smearscope", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest supported format.
        known: u32,
    },
    /// Records or images differ from what was written.
    #[error(
        "{problem}; to start new records, move records.*, images and incoming out of the folder, and keep them for \
         an investigation"
    )]
    Mismatch {
        /// The difference.
        problem: String,
    },
    /// An export would leave too little space on the disk of the records.
    #[error(
        "{} needs about {size} MiB, but the disk of the records has {free} MiB free and must keep {min_free} MiB \
         (storage.min_free_mib); choose a file on another disk, or export less at once (--since, --until, --slide)",
        path.display()
    )]
    NoRoom {
        /// The export's file.
        path: PathBuf,
        /// Its approximate size in MiB.
        size: u64,
        /// Free space in MiB.
        free: u64,
        /// Space in MiB that must stay free.
        min_free: u64,
    },
    /// The disk of an export has too little space.
    #[error(
        "{} cannot be written: no space is left on its disk ({free} MiB free, about {size} MiB needed); no incomplete file \
         remains; remove other files, choose a file on another disk, or export less at once (--since, --until, --slide)",
        path.display()
    )]
    ExportFull {
        /// The export's file.
        path: PathBuf,
        /// Its approximate size in MiB.
        size: u64,
        /// Free space in MiB.
        free: u64,
    },
    /// The file system of an export limits the size of a file.
    #[error(
        "{} cannot be written: it would be larger than a file may be there (on FAT32, 4 GiB); no incomplete file remains; \
         format the disk with exFAT or ext4, or export less at once (--since, --until, --slide)",
        path.display()
    )]
    ExportTooLarge {
        /// The export's file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// There is no record with this id.
    #[error("{} has no slide or field {id}; `smearscope records list` lists them", folder.display())]
    Unknown {
        /// The state folder.
        folder: PathBuf,
        /// As it was asked for.
        id: String,
    },
}

impl RecordsError {
    /// The problem without the remedy, which applies only if all records are affected.
    pub(super) fn problem(self) -> String {
        match self {
            Self::Mismatch { problem } => problem,
            Self::Database { path, source } => {
                format!("{} cannot be read ({source})", path.display())
            }
            error => error.to_string(),
        }
    }

    /// Whether the cause is a full disk.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::File { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            Self::Database { path, source } => match source.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => true,
                // SQLite reports no cause if it cannot extend the shared-memory file or create a file.
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                    path.parent().is_some_and(is_disk_full)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether the cause is a file system that accepts no writes.
    pub(super) fn is_read_only(&self) -> bool {
        match self {
            Self::File { source, .. } => source.kind() == io::ErrorKind::ReadOnlyFilesystem,
            Self::Database { path, source } => match source.sqlite_error_code() {
                Some(ErrorCode::ReadOnly) => true,
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                    path.parent().is_some_and(|folder| !accepts_files(folder))
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// For `map_err`: an error of a file or folder in the state folder.
    pub(crate) fn file(
        path: &Path,
        action: &'static str,
        remedy: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            path: path.into(),
            action,
            remedy,
            source,
        }
    }

    /// For `map_err`: a file or folder of the state folder that cannot be read.
    pub(crate) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let remedy = match source.kind() {
                io::ErrorKind::PermissionDenied => AS_SERVICE,
                _ => CHECK_DISK,
            };
            Self::file(path, "read", remedy)(source)
        }
    }

    /// For `map_err`: an error of the database in a state folder.
    pub(super) fn database(folder: &Path) -> impl Fn(rusqlite::Error) -> Self + use<> {
        let path = database(folder);
        move |source| match source.sqlite_error_code() {
            // Statements are fixed, so only damaged text or a damaged schema makes one invalid.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
                Self::Mismatch {
                    problem: format!("{} is damaged ({source})", path.display()),
                }
            }
            _ => Self::Database {
                path: path.clone(),
                source,
            },
        }
    }
}

/// Whether not even a small file fits on the file system of `folder`.
fn is_disk_full(folder: &Path) -> bool {
    DiskUsage::of(folder).is_ok_and(|disk| disk.free < MIN_FREE || disk.free_files == Some(0))
}
