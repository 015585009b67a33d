//! Reads an uploaded image, raw or as the field `file` of a form.

use std::error::Error;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use tower_http::timeout::TimeoutError;

use crate::http::problem::{BODY_TOO_LARGE, Problem};

/// The form field with the image.
const FIELD: &str = "file";

/// The kind of a body, by its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An image, arbitrary bytes, or no `Content-Type`.
    Image,
    /// A multipart form.
    Form,
    /// Anything else.
    Other,
}

impl Kind {
    /// Reads the header. The format of an image is detected from its contents, never from this.
    pub(crate) fn of(request: &Request) -> Self {
        let Some(kind) = request.headers().get(CONTENT_TYPE) else {
            return Self::Image;
        };
        let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("image/") || kind.starts_with("application/octet-stream") {
            Self::Image
        } else if kind.starts_with("multipart/form-data") {
            Self::Form
        } else {
            Self::Other
        }
    }
}

/// Reads the whole body; the router limits its size and time.
pub(crate) async fn raw(request: Request) -> Result<Vec<u8>, Problem> {
    let body = to_bytes(request.into_body(), usize::MAX).await;
    body.map(Into::into).map_err(|error| unreadable(&error))
}

/// Reads the field `file` of a form.
pub(crate) async fn form(request: Request) -> Result<Vec<u8>, Problem> {
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| Problem::new(error.status(), error.body_text()))?;
    loop {
        let field = form
            .next_field()
            .await
            .map_err(|error| unreadable(&error))?;
        let Some(field) = field else {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the form has no field `file`; send the image in that field",
            ));
        };
        if field.name() == Some(FIELD) {
            return match field.bytes().await {
                Ok(bytes) => Ok(bytes.into()),
                Err(error) => Err(unreadable(&error)),
            };
        }
    }
}

/// Why a body could not be read; libraries hide the reason in the causes of their errors.
fn unreadable(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body took longer than http.body_s allows; send it again",
            );
        }
        if error.to_string().contains("length limit exceeded") {
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, BODY_TOO_LARGE);
        }
        cause = error.source();
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        format!("cannot read the body: {error}"),
    )
}
