//! Entry points to private functions, for `scripts/fuzz`.

// What fails here is what the fuzzer looks for.
#![allow(clippy::expect_used)]

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use tokio::runtime::Builder;

use crate::cli::import_hias;
use crate::config::Raw;
use crate::http::upload::{self, Kind, Uploads};
use crate::mqtt::command::{Action, Command};

/// Parses a payload as a command of `[mqtt]` and of `[hias]`.
pub fn command(payload: &[u8]) {
    let _ = Command::parse(payload);
    let _ = Action::parse_hias(payload);
}

/// Reads and validates a configuration file.
pub fn configuration(text: &str) {
    if let Ok(raw) = Raw::parse(text) {
        let _ = raw.validate();
    }
}

/// Merges HIAS credentials into a configuration and checks that a second merge changes nothing.
///
/// # Panics
/// If the second merge changes something.
pub fn credentials(credentials: &str, configuration: &str) {
    let Ok((after, _)) = import_hias::merged(credentials, configuration) else {
        return;
    };
    let again = import_hias::merged(credentials, &after).expect("the first merge succeeded");
    assert_eq!(again, (after, Vec::new()));
}

/// Reads the uploaded image from a request with `kind` as its `Content-Type`.
///
/// # Panics
/// If the async runtime cannot be started.
pub fn upload(kind: &[u8], body: &[u8]) {
    let Ok(request) = Request::builder()
        .header(CONTENT_TYPE, kind)
        .body(Body::from(body.to_vec()))
    else {
        return;
    };
    let runtime = Builder::new_current_thread()
        .build()
        .expect("the runtime can be started");
    let uploads = Uploads::new(1, 1 << 20);
    let _ = runtime.block_on(async {
        match Kind::of(&request) {
            Kind::Form => upload::form(request, &uploads).await,
            Kind::Image | Kind::Other => upload::raw(request, &uploads).await,
        }
    });
}
