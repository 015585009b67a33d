//! Errors as problem details (RFC 9457): what failed, and what to do about it.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What frameworks say about a request is a line or two.
const MAX_MESSAGE: usize = 4096;

/// What failed, as the body of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Details {
    /// There is no more to say about the kind of the error than its status does.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What failed, and what to do about it.
    detail: String,
}

/// An error for whoever asked.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            headers: Vec::new(),
        }
    }

    /// An error of the server's own, which the log tells as well.
    pub(crate) fn internal(detail: &str) -> Self {
        log::error!("{detail}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// Status, headers and what failed.
    pub(crate) fn into_parts(self) -> (StatusCode, Vec<(HeaderName, HeaderValue)>, String) {
        (self.status, self.headers, self.detail)
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        self.with(RETRY_AFTER, seconds.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let details = Details {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(details)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, kind);
        headers.extend(self.headers);
        response
    }
}

/// No such address.
pub(crate) async fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "there is nothing here; /v1/openapi.json lists what there is",
    )
}

/// The address is right, the method is not.
pub(crate) async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method means nothing here; the header Allow names those that do",
    )
}

/// A handler panicked.
pub(crate) fn crashed(_: Box<dyn std::any::Any + Send>) -> Response {
    let detail = "the server made a mistake; the log says more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
}

/// Makes problems of the errors that libraries answer with in plain text.
pub(crate) async fn everywhere(response: Response) -> Response {
    let status = response.status();
    let is_plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !is_plain {
        return response;
    }
    let (parts, body) = response.into_parts();
    let mut problem = Problem::new(
        status,
        match said(status) {
            Some(detail) => detail.into(),
            None => message(body).await,
        },
    );
    for name in [ALLOW, RETRY_AFTER] {
        if let Some(value) = parts.headers.get(&name) {
            problem.headers.push((name, value.clone()));
        }
    }
    problem.into_response()
}

/// What the library says.
async fn message(body: Body) -> String {
    let bytes = to_bytes(body, MAX_MESSAGE).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if text.is_empty() {
        "the request failed".into()
    } else {
        text
    }
}

/// What is better said than libraries do.
fn said(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::REQUEST_TIMEOUT => Some("the request came too slowly; send it again"),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Some("the body is larger than http.body_mib allows; send a smaller one")
        }
        _ => None,
    }
}
