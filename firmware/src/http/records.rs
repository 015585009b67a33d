//! Recorded slides, fields and images. Each request opens its own database connection, so that reading does not
//! block recording.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use smearscope_artifacts::Verdict;
use smearscope_hardware::with_causes;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::analysis::pool::NO_RECORDS;
use crate::config::Config;
use crate::http::binary::Binary;
use crate::http::blocking::blocking;
use crate::http::headers::Immutable;
use crate::http::problem::Problem;
use crate::http::problem_responses::{BadRequest, Gone, NotFound};
use crate::records::{
    Archive, Filter, ImageEntry, NoteEntry, Page, Record, RecordWithCells, RecordsError,
    SlideRecord,
};
use crate::system::time::{time, utc};

/// Largest page size.
const MAX_LIMIT: u32 = 100;
/// Default page size.
const DEFAULT_LIMIT: u32 = 20;

/// Which slides are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SlidesQuery {
    /// Slides that started at this time (RFC 3339) or later.
    #[param(required = false, format = DateTime)]
    since: Option<String>,
    /// Slides that started before this time.
    #[param(required = false, format = DateTime)]
    until: Option<String>,
    /// Slides with this verdict.
    #[param(required = false, inline)]
    verdict: Option<Verdict>,
    /// `next` of the previous page.
    #[param(required = false, minimum = 0)]
    cursor: Option<i64>,
    /// Page size; 20 by default.
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// The query for a page of fields.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FieldsQuery {
    /// `next` of the previous page.
    #[param(required = false, minimum = 0)]
    cursor: Option<i64>,
    /// Page size; 20 by default.
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A page of slides.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Slides {
    /// Newest first.
    slides: Vec<SlideRecord>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next: Option<i64>,
}

/// A slide with a page of its fields.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SlideWithFields {
    #[serde(flatten)]
    slide: SlideRecord,
    /// In capture order.
    fields: Vec<Record>,
    /// Notes, oldest first.
    notes: Vec<NoteEntry>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next: Option<i64>,
}

/// Recorded slides, newest first.
#[utoipa::path(get, path = "/v1/slides", tag = "records", params(SlidesQuery), responses(
    (status = 200, description = "A page of slides.", body = Slides),
    BadRequest, NotFound,
))]
pub(crate) async fn slides(
    State(config): State<Arc<Config>>,
    Query(query): Query<SlidesQuery>,
) -> Result<Json<Slides>, Problem> {
    let limit = limit(query.limit)?;
    let page = page(query.cursor, limit)?;
    let filter = filter(query.since, query.until, query.verdict)?;
    let read = move |archive: &Archive| Ok(archive.slides_on(&page, &filter)?);
    let mut slides = read_records(&config, read).await?;
    let next = cut(&mut slides, limit, |slide| slide.seq);
    Ok(Json(Slides { slides, next }))
}

/// A slide with its fields.
#[utoipa::path(get, path = "/v1/slides/{id}", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The slide's id."), FieldsQuery),
    responses(
        (status = 200, description = "The slide with a page of its fields.", body = SlideWithFields),
        BadRequest, NotFound,
))]
pub(crate) async fn slide(
    State(config): State<Arc<Config>>,
    Path(id): Path<Uuid>,
    Query(query): Query<FieldsQuery>,
) -> Result<Json<SlideWithFields>, Problem> {
    let limit = limit(query.limit)?;
    let page = page(query.cursor, limit)?;
    let read = move |archive: &Archive| {
        let filter = Filter::of_slide(id);
        let slide = slide_of(archive, id)?;
        let mut fields = Vec::new();
        archive.fields_on(&page, &filter, |record| {
            fields.push(record);
            Ok::<_, RecordsError>(())
        })?;
        let next = cut(&mut fields, limit, |field| field.seq);
        Ok(SlideWithFields {
            slide,
            fields,
            notes: archive.notes(id)?,
            next,
        })
    };
    read_records(&config, read).await.map(Json)
}

/// A recorded field.
#[utoipa::path(get, path = "/v1/fields/{id}", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The field's id: `record` of a finding.")),
    responses(
        (status = 200, description = "The field with its cells as recorded, and whether its images still exist.",
            body = RecordWithCells),
        BadRequest, NotFound,
))]
pub(crate) async fn field(
    State(config): State<Arc<Config>>,
    Path(id): Path<Uuid>,
) -> Result<Json<RecordWithCells>, Problem> {
    let read = move |archive: &Archive| Ok(archive.with_cells(record(archive, id)?)?);
    read_records(&config, read).await.map(Json)
}

/// The image file of a field, as it was recorded; its SHA-256 matches the record.
#[utoipa::path(get, path = "/v1/fields/{id}/image", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The field's id.")),
    responses(
        (status = 200, description = "The image; the ETag is its SHA-256.", content(
            (inline(Binary) = "image/jpeg"), (inline(Binary) = "image/png"), (inline(Binary) = "image/tiff"), (inline(Binary) = "image/bmp"),
        )),
        BadRequest, NotFound, Gone,
))]
pub(crate) async fn image(
    State(config): State<Arc<Config>>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    send_image(&config, id, |record| Some(&record.field.image)).await
}

/// The evidence overlay of a field, drawn on a smaller copy of its image.
#[utoipa::path(get, path = "/v1/fields/{id}/overlay", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The field's id.")),
    responses(
        (status = 200, description = "The overlay; the ETag is its SHA-256.", body = inline(Binary), content_type = "image/png"),
        BadRequest, NotFound, Gone,
))]
pub(crate) async fn overlay(
    State(config): State<Arc<Config>>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    send_image(&config, id, |record| record.field.overlay.as_ref()).await
}

/// The image of a record that `which` selects.
async fn send_image(
    config: &Config,
    id: Uuid,
    which: impl FnOnce(&Record) -> Option<&ImageEntry> + Send + 'static,
) -> Result<Response, Problem> {
    let read = move |archive: &Archive| {
        let record = record(archive, id)?;
        let gone = || {
            let detail = format!("retention removed the images of field {id}; its record remains");
            Problem::new(StatusCode::GONE, detail)
        };
        if record.images_removed_at.is_some() {
            return Err(gone());
        }
        let image = which(&record).ok_or_else(|| {
            let detail =
                format!("field {id} has no evidence overlay: the model was not run, counts cells or gives none");
            Problem::new(StatusCode::NOT_FOUND, detail)
        })?;
        match archive.image(image) {
            Ok(bytes) => Ok((bytes, image.sha256.clone())),
            Err(_) if archive.is_removed(&id)? => Err(gone()),
            Err(error) => Err(Problem::internal(&format!(
                "{}: {error}; run `smearscope records verify`",
                image.path
            ))),
        }
    };
    let (bytes, sha256) = read_records(config, read).await?;
    let kind = image::guess_format(&bytes)
        .map_or("application/octet-stream", |format| format.to_mime_type());
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(tag) = format!("\"{sha256}\"").parse() {
        headers.insert(ETAG, tag);
    }
    response.extensions_mut().insert(Immutable);
    Ok(response)
}

/// The recorded slide with this id.
pub(crate) fn slide_of(archive: &Archive, id: Uuid) -> Result<SlideRecord, Problem> {
    let filter = Filter::of_slide(id);
    let slide = archive.slides_on(&Page::default(), &filter)?.pop();
    slide.ok_or_else(|| unknown("slide", id))
}

fn record(archive: &Archive, id: Uuid) -> Result<Record, Problem> {
    let filter = Filter::of_field(id);
    let mut found = None;
    archive.fields(&filter, |record| {
        found = Some(record);
        Ok::<_, RecordsError>(())
    })?;
    found.ok_or_else(|| unknown("field", id))
}

/// Opens the records and reads from them on a blocking thread.
pub(crate) async fn read_records<T: Send + 'static>(
    config: &Config,
    read: impl FnOnce(&Archive) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let folder = folder(config)?;
    blocking(move || read(&Archive::open(&folder)?)).await?
}

/// The folder of the records, if any are kept.
pub(crate) fn folder(config: &Config) -> Result<PathBuf, Problem> {
    let folder = config.state().map(PathBuf::from);
    folder.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, NO_RECORDS))
}

fn unknown(kind: &str, id: Uuid) -> Problem {
    let detail = format!("there is no {kind} {id}; see /v1/slides");
    Problem::new(StatusCode::NOT_FOUND, detail)
}

impl From<RecordsError> for Problem {
    fn from(error: RecordsError) -> Self {
        let detail = with_causes(&error);
        match error {
            // The records do not exist yet, or the disk fails.
            RecordsError::File { .. } | RecordsError::Database { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5)
            }
            _ => Self::internal(&detail),
        }
    }
}

/// The filter that a query describes.
pub(crate) fn filter(
    since: Option<String>,
    until: Option<String>,
    verdict: Option<Verdict>,
) -> Result<Filter, Problem> {
    let parse = |key: &str, text: Option<String>| {
        let parsed = text.map(|text| time(&text).map(utc));
        parsed.transpose().map_err(|error| {
            bad_request(format!(
                "{key}: {error}; use a time like 2026-05-01T08:00:00Z"
            ))
        })
    };
    Ok(Filter {
        since: parse("since", since)?,
        until: parse("until", until)?,
        verdict,
        ..Filter::default()
    })
}

/// The page size.
fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(limit)
    } else {
        Err(bad_request(format!(
            "limit = {limit}: must be from 1 to {MAX_LIMIT}"
        )))
    }
}

/// The page with one item more than asked for, which shows whether there is a next page.
fn page(cursor: Option<i64>, limit: u32) -> Result<Page, Problem> {
    if let Some(cursor) = cursor.filter(|cursor| *cursor < 0) {
        return Err(bad_request(format!(
            "cursor = {cursor}: must be `next` of the previous page"
        )));
    }
    Ok(Page {
        cursor,
        limit: Some(limit + 1),
    })
}

/// Removes the extra item and returns the cursor of the next page.
fn cut<T>(items: &mut Vec<T>, limit: u32, seq: impl Fn(&T) -> i64) -> Option<i64> {
    let limit = limit as usize;
    let has_more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| has_more).map(seq)
}

pub(crate) fn bad_request(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
