//! What was recorded: slides, fields, images. Read on a connection of its own, which holds up nobody.

use std::path::PathBuf;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use smearscope_hardware::with_causes;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::analysis::pool::NOTHING_KEPT;
use crate::http::Context;
use crate::http::access::Immutable;
use crate::http::blocking;
use crate::http::problem::{Details, Problem};
use crate::records::{
    Archive, Filter, ImageEntry, NoteEntry, Page, Record, RecordsError, SlideRecord,
};
use crate::report::types::Verdict;
use crate::system::time::utc;

/// What a page has at most.
const MOST: u32 = 100;
/// What it has if nobody says.
const USUAL: u32 = 20;

/// Which slides, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SlidesQuery {
    /// Those that began at this time (RFC 3339) or later.
    #[param(required = false, format = DateTime)]
    since: Option<String>,
    /// Those that began before this time.
    #[param(required = false, format = DateTime)]
    until: Option<String>,
    /// Those that came to this verdict.
    #[param(required = false, inline)]
    verdict: Option<Verdict>,
    /// `next` of the page before.
    #[param(required = false, minimum = 0)]
    cursor: Option<i64>,
    /// So many at most; 20 if nothing is said.
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FieldsQuery {
    /// `next` of the page before.
    #[param(required = false, minimum = 0)]
    cursor: Option<i64>,
    /// So many at most; 20 if nothing is said.
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A page of slides.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Slides {
    /// Newest first.
    slides: Vec<SlideRecord>,
    /// Where the next page begins; null after the last.
    #[schema(required)]
    next: Option<i64>,
}

/// A slide with a page of its fields.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SlideWithFields {
    #[serde(flatten)]
    slide: SlideRecord,
    /// In the order in which they were photographed.
    fields: Vec<Record>,
    /// What people wrote about it, in the order in which they did.
    notes: Vec<NoteEntry>,
    /// Where the next page begins; null after the last.
    #[schema(required)]
    next: Option<i64>,
}

/// What was recorded, newest slide first.
#[utoipa::path(get, path = "/v1/slides", tag = "records", params(SlidesQuery), responses(
    (status = 200, description = "A page of slides, and where the next begins.", body = Slides),
    (status = 400, description = "The query cannot be understood, and why.", body = Details, content_type = "application/problem+json"),
    (status = 404, description = "Nothing is recorded here.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn slides(
    State(context): State<Context>,
    Query(query): Query<SlidesQuery>,
) -> Result<Json<Slides>, Problem> {
    let limit = limit(query.limit)?;
    let page = page(query.cursor, limit);
    let filter = filter(query.since, query.until, query.verdict)?;
    let read = move |archive: &Archive| Ok(archive.slides_on(&page, &filter)?);
    let mut slides = read_records(&context, read).await?;
    let next = cut(&mut slides, limit, |slide| slide.seq);
    Ok(Json(Slides { slides, next }))
}

/// A slide with its fields.
#[utoipa::path(get, path = "/v1/slides/{id}", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The slide's id."), FieldsQuery),
    responses(
        (status = 200, description = "The slide, a page of its fields, and where the next begins.", body = SlideWithFields),
        (status = 400, description = "The id or the query cannot be understood, and why.", body = Details, content_type = "application/problem+json"),
        (status = 404, description = "There is no such slide.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn slide(
    State(context): State<Context>,
    Path(id): Path<Uuid>,
    Query(query): Query<FieldsQuery>,
) -> Result<Json<SlideWithFields>, Problem> {
    let limit = limit(query.limit)?;
    let page = page(query.cursor, limit);
    let read = move |archive: &Archive| {
        let filter = Filter {
            slide: Some(id),
            ..Filter::default()
        };
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
    read_records(&context, read).await.map(Json)
}

/// A field.
#[utoipa::path(get, path = "/v1/fields/{id}", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The field's id: `record` of a finding.")),
    responses(
        (status = 200, description = "The field as it was recorded, and what became of it.", body = Record),
        (status = 400, description = "That is no id.", body = Details, content_type = "application/problem+json"),
        (status = 404, description = "There is no such field.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn field(
    State(context): State<Context>,
    Path(id): Path<Uuid>,
) -> Result<Json<Record>, Problem> {
    let read = move |archive: &Archive| record(archive, id);
    read_records(&context, read).await.map(Json)
}

/// The picture of a field, as the camera gave it: what is sent has the SHA-256 that was recorded.
#[utoipa::path(get, path = "/v1/fields/{id}/image", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The field's id.")),
    responses(
        (status = 200, description = "The picture; its SHA-256 is the ETag.", content(
            (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/tiff"), (Vec<u8> = "image/bmp"),
        )),
        (status = 400, description = "That is no id.", body = Details, content_type = "application/problem+json"),
        (status = 404, description = "There is no such field.", body = Details, content_type = "application/problem+json"),
        (status = 410, description = "It was removed to make room, or because it was old.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn image(
    State(context): State<Context>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    picture(&context, id, |record| Some(&record.field.image)).await
}

/// The picture of a field under its evidence, smaller.
#[utoipa::path(get, path = "/v1/fields/{id}/overlay", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The field's id.")),
    responses(
        (status = 200, description = "The picture under its evidence; its SHA-256 is the ETag.", body = Vec<u8>, content_type = "image/png"),
        (status = 400, description = "That is no id.", body = Details, content_type = "application/problem+json"),
        (status = 404, description = "There is no such field, or no evidence in it.", body = Details, content_type = "application/problem+json"),
        (status = 410, description = "It was removed to make room, or because it was old.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn overlay(
    State(context): State<Context>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    picture(&context, id, |record| record.field.overlay.as_ref()).await
}

async fn picture(
    context: &Context,
    id: Uuid,
    which: impl FnOnce(&Record) -> Option<&ImageEntry> + Send + 'static,
) -> Result<Response, Problem> {
    let read = move |archive: &Archive| {
        let record = record(archive, id)?;
        let gone = || {
            let detail =
                format!("the images of field {id} were removed by retention; its record stays");
            Problem::new(StatusCode::GONE, detail)
        };
        if record.images_removed_at.is_some() {
            return Err(gone());
        }
        let image = which(&record).ok_or_else(|| {
            let detail =
                format!("field {id} has no evidence: the model was not asked, or gives none");
            Problem::new(StatusCode::NOT_FOUND, detail)
        })?;
        match archive.image(image) {
            Ok(bytes) => Ok((bytes, image.sha256.clone())),
            Err(_) if archive.is_removed(&id)? => Err(gone()),
            Err(error) => Err(Problem::internal(&format!(
                "{}: {error}; `smearscope records verify` says more",
                image.path
            ))),
        }
    };
    let (bytes, sha256) = read_records(context, read).await?;
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

/// A slide that was recorded.
pub(crate) fn slide_of(archive: &Archive, id: Uuid) -> Result<SlideRecord, Problem> {
    let filter = Filter {
        slide: Some(id),
        ..Filter::default()
    };
    let slide = archive.slides_on(&Page::default(), &filter)?.pop();
    slide.ok_or_else(|| unknown("slide", id))
}

fn record(archive: &Archive, id: Uuid) -> Result<Record, Problem> {
    let filter = Filter {
        field: Some(id),
        ..Filter::default()
    };
    let mut found = None;
    archive.fields(&filter, |record| {
        found = Some(record);
        Ok::<_, RecordsError>(())
    })?;
    found.ok_or_else(|| unknown("field", id))
}

/// Reads records, of which there must be some, on a thread for what blocks.
pub(crate) async fn read_records<T: Send + 'static>(
    context: &Context,
    read: impl FnOnce(&Archive) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let folder = folder(context)?;
    blocking(move || read(&Archive::open(&folder)?)).await?
}

/// Where records are, if there are any.
pub(crate) fn folder(context: &Context) -> Result<PathBuf, Problem> {
    let folder = context.config.state().map(PathBuf::from);
    folder.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, NOTHING_KEPT))
}

fn unknown(kind: &str, id: Uuid) -> Problem {
    let detail = format!("there is no {kind} {id}; /v1/slides lists what there is");
    Problem::new(StatusCode::NOT_FOUND, detail)
}

impl From<RecordsError> for Problem {
    fn from(error: RecordsError) -> Self {
        let detail = with_causes(&error);
        match error {
            // Until the appliance has made them, or where the disk fails.
            RecordsError::File { .. } | RecordsError::Database { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5)
            }
            _ => Self::internal(&detail),
        }
    }
}

/// Which records are meant by a query.
pub(crate) fn filter(
    since: Option<String>,
    until: Option<String>,
    verdict: Option<Verdict>,
) -> Result<Filter, Problem> {
    let time = |key: &str, text: Option<String>| {
        let time = text.map(|text| crate::system::time::time(&text).map(utc));
        time.transpose().map_err(|error| {
            wrong(format!(
                "{key}: {error}; send a time like 2026-05-01T08:00:00Z"
            ))
        })
    };
    Ok(Filter {
        since: time("since", since)?,
        until: time("until", until)?,
        verdict: verdict.map(Verdict::word),
        ..Filter::default()
    })
}

fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        Ok(limit)
    } else {
        Err(wrong(format!("limit: {limit} is not in 1 to {MOST}")))
    }
}

/// One more than is wanted, by which it is seen whether there is a next page.
fn page(cursor: Option<i64>, limit: u32) -> Page {
    Page {
        cursor,
        most: Some(limit + 1),
    }
}

/// Takes away what is too much, and gives where the next page begins.
fn cut<T>(items: &mut Vec<T>, limit: u32, seq: impl Fn(&T) -> i64) -> Option<i64> {
    let limit = limit as usize;
    let is_more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| is_more).map(seq)
}

fn wrong(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
