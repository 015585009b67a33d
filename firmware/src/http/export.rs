//! Exports of records.
//!
//! An export is written to an unnamed temporary file before it is sent: a slow client does not block recording, errors
//! have their status, and nothing is left behind. The images of a ZIP archive count as exported only when an
//! operator confirms its SHA-256, which proves that the archive has arrived completely.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smearscope_artifacts::Verdict;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::config::Config;
use crate::http::binary::Binary;
use crate::http::blocking::{blocking, in_background};
use crate::http::problem::Problem;
use crate::http::problem_responses::{BadRequest, DiskFull, NotFound, TooManyRequests};
use crate::http::records::{filter, folder};
use crate::records::export::Format;
use crate::records::first_error::FirstError;
use crate::records::{Archive, Exported, Filter};
use crate::system::disk::DiskUsage;

/// Exports that may run at a time.
const MAX_EXPORTS: usize = 2;
/// Galleries of cells that are read at a time.
const MAX_GALLERIES: usize = 2;
/// Sent archives whose arrival can still be confirmed.
const MAX_SENT: usize = 16;
/// Bytes between two checks of the free disk space and of the client.
const STEP: u64 = 16 << 20;
/// Size of a chunk that is sent, in bytes.
const CHUNK: usize = 256 << 10;
/// The number of images left out of an archive because they no longer match their records.
const DAMAGED: HeaderName = HeaderName::from_static("damaged-images");

/// Running exports and galleries, and archives that were sent.
pub(crate) struct Exports {
    permits: Arc<Semaphore>,
    galleries: Arc<Semaphore>,
    sent: Mutex<VecDeque<Sent>>,
}

/// An archive that was sent completely.
struct Sent {
    sha256: String,
    /// Fields that were never exported before.
    new: Vec<Uuid>,
}

impl Default for Exports {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_EXPORTS)),
            galleries: Arc::new(Semaphore::new(MAX_GALLERIES)),
            sent: Mutex::default(),
        }
    }
}

impl Exports {
    /// Waits until a gallery may be read: it takes as much time as an export.
    pub(crate) async fn gallery(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.galleries).acquire_owned().await.ok()
    }

    fn remember(&self, sent: Sent) {
        let mut all = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.sha256 != sent.sha256);
        if all.len() == MAX_SENT {
            all.pop_front();
        }
        all.push_back(sent);
    }

    /// The fields of the archive with this hash that were never exported before.
    fn new_fields(&self, sha256: &str) -> Option<Vec<Uuid>> {
        let all = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = all.iter().find(|sent| sent.sha256 == sha256)?;
        Some(sent.new.clone())
    }
}

/// The headers `Content-Type` and `Content-Disposition` of an export.
fn headers_of(format: Format) -> [(HeaderName, HeaderValue); 2] {
    let (kind, disposition) = match format {
        Format::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=\"records.csv\"",
        ),
        Format::Json => (
            "application/x-ndjson",
            "attachment; filename=\"records.jsonl\"",
        ),
        Format::Zip => ("application/zip", "attachment; filename=\"records.zip\""),
    };
    [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_DISPOSITION, HeaderValue::from_static(disposition)),
    ]
}

/// Which fields are exported, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `zip` includes the images and marks the fields as exported.
    #[param(inline)]
    format: Format,
    /// Fields from this time (RFC 3339) on.
    #[param(required = false, format = DateTime)]
    since: Option<String>,
    /// Fields before this time.
    #[param(required = false, format = DateTime)]
    until: Option<String>,
    /// Fields of this slide.
    #[param(required = false, value_type = Option<String>, format = "uuid")]
    slide: Option<Uuid>,
    /// Fields with this verdict.
    #[param(required = false, inline)]
    verdict: Option<Verdict>,
}

/// Exports fields, like `smearscope records export`. Confirm the arrival of an archive with `/v1/records/exported`.
#[utoipa::path(get, path = "/v1/records/export", tag = "records", params(ExportQuery), responses(
    (status = 200, description = "The fields. `Damaged-Images` counts images that no longer match their records and \
        are missing from the archive.", content(
        (inline(Binary) = "text/csv"), (inline(Binary) = "application/x-ndjson"), (inline(Binary) = "application/zip"),
    ), headers(("Damaged-Images" = u64, description = "Number of images that are missing from the archive."))),
    BadRequest, NotFound, TooManyRequests, DiskFull,
))]
pub(crate) async fn export(
    State(config): State<Arc<Config>>,
    State(exports): State<Arc<Exports>>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let format = query.format;
    let filter = Filter {
        slide: query.slide,
        ..filter(query.since, query.until, query.verdict)?
    };
    let folder = folder(&config)?;
    let Ok(permit) = Arc::clone(&exports.permits).try_acquire_owned() else {
        let detail = format!("{MAX_EXPORTS} exports are running already; try again later");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(10));
    };
    let storage = config.storage.as_ref();
    let job = Job {
        folder,
        filter,
        format,
        min_free: storage.map_or(0, |storage| storage.min_free),
    };
    // May take minutes.
    let file = in_background("export", move |is_wanted| job.run(is_wanted)).await??;
    let (length, damaged) = (file.length, file.exported.damaged.len());
    let mut response = body(exports, file, permit).into_response();
    let headers = response.headers_mut();
    headers.extend(headers_of(format));
    headers.insert(CONTENT_LENGTH, length.into());
    if format == Format::Zip {
        headers.insert(DAMAGED, damaged.into());
    }
    Ok(response)
}

/// An export to be written.
struct Job {
    folder: PathBuf,
    filter: Filter,
    format: Format,
    /// Bytes that must stay free on the disk.
    min_free: u64,
}

/// A finished export in an unnamed file.
struct ExportFile {
    file: File,
    length: u64,
    exported: Exported,
}

impl Job {
    fn run(&self, is_wanted: &dyn Fn() -> bool) -> Result<ExportFile, Problem> {
        let failed = |error: anyhow::Error| Problem::internal(&format!("export: {error:#}"));
        let archive = Archive::open(&self.folder)?;
        let (folder, file) = self.file().map_err(|error| failed(error.into()))?;
        let mut writer = GuardedFile {
            file,
            // Temporary files may fill their own disk.
            min_free: if folder == self.folder {
                self.min_free
            } else {
                0
            },
            folder: &folder,
            unchecked: STEP,
            is_full: false,
            is_wanted,
        };
        let result = self.write(&archive, &mut writer);
        let is_full = writer.is_full;
        let mut file = writer.file;
        let exported = result.map_err(|error| {
            if is_full {
                let detail = "not enough free disk space for the export; select less with since, until or slide";
                Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail)
            } else {
                failed(error)
            }
        })?;
        for image in &exported.damaged {
            log::error!("not exported: {image}");
        }
        let length = file
            .seek(SeekFrom::End(0))
            .and_then(|length| file.rewind().map(|()| length));
        Ok(ExportFile {
            length: length.map_err(|error| failed(error.into()))?,
            file,
            exported,
        })
    }

    /// An unnamed file on the disk of the records or, if that accepts no files any more, in the folder for temporary files.
    fn file(&self) -> io::Result<(PathBuf, File)> {
        match tempfile::tempfile_in(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                Ok((std::env::temp_dir(), tempfile::tempfile()?))
            }
            file => Ok((self.folder.clone(), file?)),
        }
    }

    fn write(&self, archive: &Archive, file: &mut GuardedFile<'_>) -> anyhow::Result<Exported> {
        let rows = |unreadable| Exported {
            unreadable,
            ..Exported::default()
        };
        let exported = match self.format {
            Format::Zip => archive.write_zip(&self.filter, &mut FirstError::new(file))?,
            Format::Csv => rows(archive.write_csv(&self.filter, BufWriter::new(file))?),
            Format::Json => rows(archive.write_json(&self.filter, BufWriter::new(file))?),
        };
        // The client could not see which rows are missing.
        anyhow::ensure!(
            exported.unreadable.is_empty(),
            "{}; `smearscope records export` exports the rest",
            exported.unreadable.join("; ")
        );
        Ok(exported)
    }
}

/// A file that stops growing when the disk gets full or the client is gone.
struct GuardedFile<'a> {
    file: File,
    folder: &'a Path,
    min_free: u64,
    /// Bytes written since the last check.
    unchecked: u64,
    is_full: bool,
    is_wanted: &'a dyn Fn() -> bool,
}

impl Write for GuardedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.unchecked >= STEP {
            if !(self.is_wanted)() {
                return Err(io::Error::other("the client is gone"));
            }
            if DiskUsage::of(self.folder)?.free < self.min_free.saturating_add(2 * STEP) {
                self.is_full = true;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.unchecked = 0;
        }
        // Write at most one step between two checks.
        let bytes = &bytes[..bytes.len().min(STEP as usize)];
        let written = self.file.write(bytes);
        let written = written.inspect_err(|error| {
            self.is_full |= error.kind() == io::ErrorKind::StorageFull;
        })?;
        self.unchecked += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for GuardedFile<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Streams the file. Once all of it is sent, its arrival can be confirmed.
fn body(exports: Arc<Exports>, file: ExportFile, permit: OwnedSemaphorePermit) -> Body {
    struct Sending {
        file: File,
        left: u64,
        hash: Sha256,
        new: Vec<Uuid>,
        exports: Arc<Exports>,
        _permit: OwnedSemaphorePermit,
    }
    let sending = Sending {
        file: file.file,
        left: file.length,
        hash: Sha256::new(),
        new: file.exported.new,
        exports,
        _permit: permit,
    };
    Body::from_stream(stream::try_unfold(sending, |mut sending| async move {
        if sending.left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let read = move || {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(sending.left).unwrap_or(CHUNK))];
            sending.file.read_exact(&mut chunk)?;
            sending.hash.update(&chunk);
            sending.left -= chunk.len() as u64;
            if sending.left == 0 {
                sending.exports.remember(Sent {
                    sha256: HEXLOWER.encode(&sending.hash.finalize_reset()),
                    new: std::mem::take(&mut sending.new),
                });
            }
            Ok(Some((chunk, sending)))
        };
        tokio::task::spawn_blocking(read).await?
    }))
}

/// The query of a confirmation.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportedQuery {
    /// SHA-256 of the received archive, 64 hexadecimal digits.
    #[param(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: String,
}

/// What a confirmation changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Noted {
    /// Number of fields that were never exported before.
    noted: usize,
}

/// Confirms that an archive has arrived: its images count as exported, and retention may remove them.
#[utoipa::path(post, path = "/v1/records/exported", tag = "records", params(ExportedQuery), responses(
    (status = 200, description = "The arrival is recorded.", body = Noted),
    BadRequest, NotFound,
))]
pub(crate) async fn exported(
    State(config): State<Arc<Config>>,
    State(exports): State<Arc<Exports>>,
    Query(query): Query<ExportedQuery>,
) -> Result<Json<Noted>, Problem> {
    let folder = folder(&config)?;
    let Some(new) = exports.new_fields(&query.sha256.to_ascii_lowercase()) else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no archive with this SHA-256 was sent recently; check the file, or export again",
        ));
    };
    let note = move || {
        let archive = Archive::open(&folder)?;
        let mut unmarked = Vec::new();
        for id in new {
            if !archive.is_exported(id)? {
                unmarked.push(id);
            }
        }
        archive.mark_exported(&unmarked)?;
        Ok(Json(Noted {
            noted: unmarked.len(),
        }))
    };
    blocking(note).await?
}
