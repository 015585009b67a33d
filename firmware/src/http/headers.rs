//! Security and cache headers of every response.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

/// Response extension: the content of this URL never changes, so clients may cache it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Immutable;

/// Adds the headers that a response does not set itself.
pub(crate) async fn add(mut response: Response) -> Response {
    let caching = match response.extensions().get() {
        Some(Immutable) => "private, max-age=31536000, immutable",
        None => "no-store",
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, caching),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
