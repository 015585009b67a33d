//! Taking records elsewhere over HTTP.
//!
//! An export is written to a file without a name before any of it is sent: whoever is slow then holds up
//! nobody who records, errors have their status, and nothing is left behind. A ZIP archive counts as
//! exported only when somebody who may operate names its SHA-256: then it has arrived, whole.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::Context;
use crate::http::blocking;
use crate::http::problem::{Details, Problem};
use crate::http::records::{filter, folder};
use crate::records::{Archive, Exported, Filter};
use crate::report::types::Verdict;
use crate::system::host_metrics;
use crate::system::priority::lower_priority;

/// Exports that are made or sent at once.
const AT_ONCE: usize = 2;
/// Archives whose arrival may still be told.
const REMEMBERED: usize = 16;
/// So often it is looked whether there is room, and whether anybody waits still, in bytes.
const STEP: u64 = 16 << 20;
/// What is sent at once, in bytes.
const CHUNK: usize = 256 << 10;
/// How many images are not in an archive because they are not as they were written.
const DAMAGED: HeaderName = HeaderName::from_static("damaged-images");

/// Exports at work, and archives that were sent.
pub(crate) struct Exports {
    room: Arc<Semaphore>,
    sent: Mutex<VecDeque<Sent>>,
}

/// An archive that was sent, whole.
struct Sent {
    sha256: String,
    /// Fields that were never exported before.
    new: Vec<Uuid>,
}

impl Default for Exports {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(AT_ONCE)),
            sent: Mutex::default(),
        }
    }
}

impl Exports {
    fn remember(&self, sent: Sent) {
        let mut all = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.sha256 != sent.sha256);
        if all.len() == REMEMBERED {
            all.pop_front();
        }
        all.push_back(sent);
    }

    fn of(&self, sha256: &str) -> Option<Vec<Uuid>> {
        let all = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = all.iter().find(|sent| sent.sha256 == sha256)?;
        Some(sent.new.clone())
    }
}

/// What an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A table.
    Csv,
    /// An object a line.
    Json,
    /// Both, and the images.
    Zip,
}

impl Format {
    fn kind(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/x-ndjson",
            Self::Zip => "application/zip",
        }
    }

    fn disposition(self) -> &'static str {
        match self {
            Self::Csv => "attachment; filename=\"records.csv\"",
            Self::Json => "attachment; filename=\"records.jsonl\"",
            Self::Zip => "attachment; filename=\"records.zip\"",
        }
    }
}

/// Which fields, and as what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// What is wanted.
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

/// Fields as `smearscope records export` writes them. That an archive arrived is told to `/v1/records/exported`.
#[utoipa::path(get, path = "/v1/records/export", tag = "records", params(ExportQuery), responses(
    (status = 200, description = "The fields; of an archive, `Damaged-Images` says how many images are not as they were \
        written, and are not in it.", content(
        (String = "text/csv"), (String = "application/x-ndjson"), (Vec<u8> = "application/zip"),
    ), headers(("Damaged-Images" = u64, description = "Images that are not in the archive."))),
    (status = 400, description = "The query cannot be understood, and why.", body = Details, content_type = "application/problem+json"),
    (status = 404, description = "Nothing is recorded here.", body = Details, content_type = "application/problem+json"),
    (status = 429, description = "Others export already.", body = Details, content_type = "application/problem+json"),
    (status = 507, description = "There is no room to make it.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn export(
    State(context): State<Context>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let format = query.format;
    let filter = Filter {
        slide: query.slide,
        ..filter(query.since, query.until, query.verdict)?
    };
    let folder = folder(&context)?;
    let Ok(place) = Arc::clone(&context.exports.room).try_acquire_owned() else {
        let detail = format!("{AT_ONCE} exports are made or sent already; try again");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(10));
    };
    let storage = context.config.storage.as_ref();
    let order = Order {
        folder,
        filter,
        format,
        least: storage.map_or(0, |storage| storage.min_free),
    };
    let (answer, made) = oneshot::channel();
    // It may take minutes: not on one of the few threads for what blocks.
    let started = thread::Builder::new().name("export".into()).spawn(move || {
        lower_priority();
        let made = order.make(&|| !answer.is_closed());
        // Nobody may wait any more.
        let _ = answer.send(made);
    });
    started.map_err(|error| Problem::internal(&format!("a thread cannot be started: {error}")))?;
    let crashed = |_| Problem::internal("the export crashed");
    let made = made.await.map_err(crashed)??;
    let (length, damaged) = (made.length, made.exported.damaged.len());
    let mut response = sending(&context, made, place).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.kind()));
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_static(format.disposition()),
    );
    headers.insert(CONTENT_LENGTH, length.into());
    if format == Format::Zip {
        headers.insert(DAMAGED, damaged.into());
    }
    Ok(response)
}

/// An export to be made.
struct Order {
    folder: PathBuf,
    filter: Filter,
    format: Format,
    /// What stays free on the disk, in bytes.
    least: u64,
}

/// An export in a file without a name.
struct Made {
    file: File,
    length: u64,
    exported: Exported,
}

impl Order {
    fn make(&self, is_wanted: &dyn Fn() -> bool) -> Result<Made, Problem> {
        let failed = |error: anyhow::Error| Problem::internal(&format!("export: {error:#}"));
        let archive = Archive::open(&self.folder)?;
        let file = tempfile::tempfile_in(&self.folder).map_err(|error| failed(error.into()))?;
        let mut sparing = Sparing {
            file,
            folder: &self.folder,
            least: self.least,
            unlooked: STEP,
            is_full: false,
            is_wanted,
        };
        let result = self.write(&archive, &mut sparing);
        let is_full = sparing.is_full;
        let mut file = sparing.file;
        let exported = result.map_err(|error| {
            if is_full {
                let detail = "the disk has no room for an export; ask for less at once, with since, until or slide";
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
        Ok(Made {
            length: length.map_err(|error| failed(error.into()))?,
            file,
            exported,
        })
    }

    fn write(&self, archive: &Archive, file: &mut Sparing<'_>) -> anyhow::Result<Exported> {
        let rows = |unreadable| Exported {
            unreadable,
            ..Exported::default()
        };
        let exported = match self.format {
            Format::Zip => archive.write_zip(&self.filter, file)?,
            Format::Csv => rows(archive.write_csv(&self.filter, BufWriter::new(file))?),
            Format::Json => rows(archive.write_json(&self.filter, BufWriter::new(file))?),
        };
        // Whoever fetches it would not see what is not in it.
        anyhow::ensure!(
            exported.unreadable.is_empty(),
            "{}; `smearscope records export` takes the rest",
            exported.unreadable.join("; ")
        );
        Ok(exported)
    }
}

/// A file that leaves others their room, and that ends when nobody wants it any more.
struct Sparing<'a> {
    file: File,
    folder: &'a Path,
    least: u64,
    /// Written since it was looked.
    unlooked: u64,
    is_full: bool,
    is_wanted: &'a dyn Fn() -> bool,
}

impl Write for Sparing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.unlooked >= STEP {
            if !(self.is_wanted)() {
                return Err(io::Error::other("nobody waits for it any more"));
            }
            if host_metrics::room(self.folder)?.free < self.least.saturating_add(2 * STEP) {
                self.is_full = true;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.unlooked = 0;
        }
        // No more at once than is looked for.
        let bytes = &bytes[..bytes.len().min(STEP as usize)];
        let written = self.file.write(bytes);
        let written = written.inspect_err(|error| {
            self.is_full |= error.kind() == io::ErrorKind::StorageFull;
        })?;
        self.unlooked += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Sparing<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// The file as a body. Once all of it is sent, its arrival can be told.
fn sending(context: &Context, made: Made, place: OwnedSemaphorePermit) -> Body {
    struct Sending {
        file: File,
        left: u64,
        hash: Sha256,
        new: Vec<Uuid>,
        exports: Arc<Exports>,
        _place: OwnedSemaphorePermit,
    }
    let sending = Sending {
        file: made.file,
        left: made.length,
        hash: Sha256::new(),
        new: made.exported.new,
        exports: Arc::clone(&context.exports),
        _place: place,
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

/// Which archive arrived.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportedQuery {
    /// SHA-256 of the archive as it arrived, 64 hexadecimal digits.
    #[param(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: String,
}

/// What was written down.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Noted {
    /// Fields that were never exported before.
    noted: usize,
}

/// Writes down that the images of an archive have arrived elsewhere: they may be removed here to make room.
#[utoipa::path(post, path = "/v1/records/exported", tag = "records", params(ExportedQuery), responses(
    (status = 200, description = "It is written down.", body = Noted),
    (status = 400, description = "The query cannot be understood, and why.", body = Details, content_type = "application/problem+json"),
    (status = 404, description = "No such archive was sent.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn exported(
    State(context): State<Context>,
    Query(query): Query<ExportedQuery>,
) -> Result<Json<Noted>, Problem> {
    let folder = folder(&context)?;
    let Some(new) = context.exports.of(&query.sha256.to_ascii_lowercase()) else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no archive with this SHA-256 was sent lately; check what arrived, or export it again",
        ));
    };
    let note = move || {
        let archive = Archive::open(&folder)?;
        let mut unnoted = Vec::new();
        for id in new {
            if !archive.is_exported(id)? {
                unnoted.push(id);
            }
        }
        archive.note(&unnoted)?;
        Ok(Json(Noted {
            noted: unnoted.len(),
        }))
    };
    blocking(note).await?
}
