//! Work that blocks.

use std::thread;

use tokio::sync::oneshot;

use crate::http::problem::Problem;
use crate::system::priority::lower_priority;

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

/// Runs work that may take long on a thread of its own with a low priority, so that it delays no verdict. The work can ask
/// whether its result is still wanted: the client may be gone.
///
/// # Errors
/// If the thread cannot be started, or the work panics.
pub(crate) async fn in_background<T: Send + 'static>(
    name: &str,
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
) -> Result<T, Problem> {
    let (answer, finished) = oneshot::channel();
    let started = thread::Builder::new().name(name.into()).spawn(move || {
        lower_priority();
        let result = work(&|| !answer.is_closed());
        // The client may be gone.
        let _ = answer.send(result);
    });
    started.map_err(|error| Problem::internal(&format!("cannot start a thread: {error}")))?;
    let crashed = |_| Problem::internal(&format!("the {name} crashed"));
    finished.await.map_err(crashed)
}
