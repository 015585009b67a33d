//! Notes on slides.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::config::Config;
use crate::http::problem::Problem;
use crate::http::problem_responses::{
    BadRequest, BodyTimeout, BodyTooLarge, NotFound, Unavailable, Unprocessable,
    UnsupportedMediaType,
};
use crate::http::records::{read_records, slide_of};
use crate::records::{Archive, NoteEntry, checked_note};

/// A new note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// The text. Line breaks are the only control characters allowed; surrounding white space is removed.
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
}

/// Adds a note to a slide. Notes are part of the records and cannot be changed; a correction is a new note.
#[utoipa::path(post, path = "/v1/slides/{id}/notes", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The slide's id.")),
    request_body = Note,
    responses(
        (status = 201, description = "The note as recorded.", body = NoteEntry),
        BadRequest, NotFound, BodyTimeout, BodyTooLarge, UnsupportedMediaType, Unprocessable, Unavailable,
))]
pub(crate) async fn annotate(
    State(config): State<Arc<Config>>,
    Path(id): Path<Uuid>,
    Json(note): Json<Note>,
) -> Result<(StatusCode, Json<NoteEntry>), Problem> {
    let text = checked_note(&note.text)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?
        .to_owned();
    let write = move |archive: &Archive| {
        slide_of(archive, id)?;
        Ok(archive.annotate(id, &text)?)
    };
    let note = read_records(&config, write).await?;
    Ok((StatusCode::CREATED, Json(note)))
}
