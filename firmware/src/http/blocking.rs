//! Work that blocks.

use crate::http::problem::Problem;

/// Runs blocking work, such as reading files, on tokio's blocking threads.
///
/// # Errors
/// If the work panics.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::internal(&error.to_string()))
}
