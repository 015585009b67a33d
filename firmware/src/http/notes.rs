//! What people write about slides.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::Context;
use crate::http::problem::{Details, Problem};
use crate::http::records::{read_records, slide_of};
use crate::records::{NoteEntry, checked_note};

/// A note to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// What it says. Line breaks are the only control characters; spaces at its ends are left out.
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
}

/// Writes a note on a slide. It becomes part of the records, and is never changed: another one may follow.
#[utoipa::path(post, path = "/v1/slides/{id}/notes", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The slide's id.")),
    request_body = Note,
    responses(
        (status = 201, description = "The note as it was written.", body = NoteEntry),
        (status = 400, description = "The id or the body cannot be understood, and why.", body = Details, content_type = "application/problem+json"),
        (status = 404, description = "There is no such slide.", body = Details, content_type = "application/problem+json"),
        (status = 408, description = "The body came too slowly.", body = Details, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Details, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON.", body = Details, content_type = "application/problem+json"),
        (status = 422, description = "The body is no note, and why.", body = Details, content_type = "application/problem+json"),
        (status = 503, description = "The records cannot be written to now.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn annotate(
    State(context): State<Context>,
    Path(id): Path<Uuid>,
    Json(note): Json<Note>,
) -> Result<(StatusCode, Json<NoteEntry>), Problem> {
    let text = checked_note(&note.text)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?
        .to_owned();
    let write = move |archive: &crate::records::Archive| {
        slide_of(archive, id)?;
        Ok(archive.annotate(id, &text)?)
    };
    let note = read_records(&context, write).await?;
    Ok((StatusCode::CREATED, Json(note)))
}
