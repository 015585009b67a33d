//! An image in the body of a request, raw or as the field `file` of a form.

use std::error::Error;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use tower_http::timeout::TimeoutError;

use crate::http::problem::Problem;

/// The name of the form's field.
const FIELD: &str = "file";

/// What a body says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An image, or bytes.
    Image,
    /// A form.
    Form,
    /// Something else.
    Other,
}

impl Kind {
    /// By the header; an image's format is told by its contents, never by this.
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

/// Reads the whole body; the router bounds how much and how long.
pub(crate) async fn raw(request: Request) -> Result<Vec<u8>, Problem> {
    let body = to_bytes(request.into_body(), usize::MAX).await;
    body.map(Into::into).map_err(|error| broken(&error))
}

/// Reads the form's file.
pub(crate) async fn form(request: Request) -> Result<Vec<u8>, Problem> {
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| Problem::new(error.status(), error.body_text()))?;
    loop {
        let field = form.next_field().await.map_err(|error| broken(&error))?;
        let Some(field) = field else {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the form has no field `file`; send the image as that",
            ));
        };
        if field.name() == Some(FIELD) {
            return match field.bytes().await {
                Ok(bytes) => Ok(bytes.into()),
                Err(error) => Err(broken(&error)),
            };
        }
    }
}

/// Why a body could not be read, which libraries hide in the causes of their errors.
fn broken(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body took longer than http.body_s allows; send it again",
            );
        }
        if error.to_string().contains("length limit exceeded") {
            return Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is larger than http.body_mib allows; send a smaller one",
            );
        }
        cause = error.source();
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        format!("the body cannot be read: {error}"),
    )
}
