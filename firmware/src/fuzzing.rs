//! Entry points to private functions, for `scripts/fuzz`.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use tokio::runtime::Builder;

use crate::cli::import_hias;
use crate::http::upload::{self, Kind};
use crate::mqtt::command::{Action, Command};

/// Parses a payload as a command of `[mqtt]` and of `[hias]`.
pub fn command(payload: &[u8]) {
    let _ = Command::parse(payload);
    let _ = Action::parse_hias(payload);
}

/// Writes credentials into a configuration; once is enough.
///
/// # Panics
/// If a second time changes something.
pub fn credentials(credentials: &str, configuration: &str) {
    let Ok((after, _)) = import_hias::merged(credentials, configuration) else {
        return;
    };
    let again = import_hias::merged(credentials, &after).expect("it could be merged before");
    assert_eq!(again, (after, Vec::new()));
}

/// Reads the image in the body of a request of this `Content-Type`.
///
/// # Panics
/// If there is no runtime to be had.
pub fn upload(kind: &[u8], body: &[u8]) {
    let Ok(request) = Request::builder()
        .header(CONTENT_TYPE, kind)
        .body(Body::from(body.to_vec()))
    else {
        return;
    };
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let _ = runtime.block_on(async {
        match Kind::of(&request) {
            Kind::Form => upload::form(request).await,
            Kind::Image | Kind::Other => upload::raw(request).await,
        }
    });
}
