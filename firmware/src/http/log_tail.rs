//! What the program said last.

use axum::Json;

use crate::system::logging::{self, Line};

/// The last lines of the log, oldest first; all of it is where the service manager keeps it. It names no
/// token and nobody.
#[utoipa::path(get, path = "/v1/log", tag = "device", responses(
    (status = 200, description = "256 lines at most, of this start of the program.", body = Vec<Line>),
))]
pub(crate) async fn journal() -> Json<Vec<Line>> {
    Json(logging::last())
}
