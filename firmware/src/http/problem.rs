//! Errors as problem details (RFC 9457): what failed and what to do about it.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Longest library message that is passed on, in bytes.
const MAX_MESSAGE: usize = 4096;

/// The detail of a body over the limit.
pub(crate) const BODY_TOO_LARGE: &str =
    "the body is larger than http.body_mib allows; send a smaller one";

/// The body of an error response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Details {
    /// Always `about:blank`: the status says what kind of error it is.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// The reason phrase of the status.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What failed and what to do about it.
    detail: String,
}

/// An error response.
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

    /// A failure of the server itself; it is logged, too.
    pub(crate) fn internal(detail: &str) -> Self {
        log::error!("{detail}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// Status, headers and detail.
    pub(crate) fn into_parts(self) -> (StatusCode, Vec<(HeaderName, HeaderValue)>, String) {
        (self.status, self.headers, self.detail)
    }

    /// Adds a response header.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`.
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

/// Answers requests to unknown paths.
pub(crate) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no such path; see /v1/openapi.json")
}

/// Answers requests with a method that the path does not support.
pub(crate) async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not support this method; see the header Allow",
    )
}

/// Answers a request whose handler panicked.
pub(crate) fn crashed(_: Box<dyn std::any::Any + Send>) -> Response {
    let detail = "internal error; see the log";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
}

/// Turns plain-text errors from libraries into problem details.
pub(crate) async fn from_plain_text(response: Response) -> Response {
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
        match own_detail(status) {
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

/// The message of the library.
async fn message(body: Body) -> String {
    let bytes = to_bytes(body, MAX_MESSAGE).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if text.is_empty() {
        "the request failed".into()
    } else {
        text
    }
}

/// A better detail than the library gives, where there is one.
fn own_detail(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::REQUEST_TIMEOUT => Some("the request arrived too slowly; send it again"),
        StatusCode::PAYLOAD_TOO_LARGE => Some(BODY_TOO_LARGE),
        _ => None,
    }
}
