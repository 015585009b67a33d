//! The last lines of the log.

use axum::Json;

use crate::system::logging::{self, Line};

/// The last lines of the log, oldest first. The service manager keeps the whole log. Lines contain no tokens.
#[utoipa::path(get, path = "/v1/log", tag = "device", responses(
    (status = 200, description = "Up to 256 lines since the program started.", body = Vec<Line>),
))]
pub(crate) async fn log_tail() -> Json<Vec<Line>> {
    Json(logging::last())
}
