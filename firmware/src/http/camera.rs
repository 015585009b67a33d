//! What the camera answers to a request over HTTP.

use std::time::Duration;

use axum::http::StatusCode;
use smearscope_hardware::{HardwareError, with_causes};
use tokio::time::timeout;

use crate::http::problem::Problem;
use crate::system::worker::WorkerPanicked;

/// The answer of the camera, within a limit.
///
/// # Errors
/// 503 with the camera's message, or what to do if it does not answer.
pub(crate) async fn answer<T>(
    limit: Duration,
    asked: impl Future<Output = Result<Result<T, HardwareError>, WorkerPanicked>>,
) -> Result<T, Problem> {
    match timeout(limit, asked).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(unavailable(with_causes(&error))),
        Ok(Err(WorkerPanicked)) => Err(unavailable("the camera's driver crashed")),
        Err(_) => Err(unavailable(
            "the camera gives no picture; unplug and plug it in",
        )),
    }
}

/// Not possible now; try again in a moment.
pub(crate) fn unavailable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
}
