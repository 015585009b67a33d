//! Returns the memory that a flood of requests took, once it is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::http::connections::Connections;
use crate::http::upload::Uploads;
use crate::system::memory::return_free;
use crate::system::shutdown::Shutdown;

/// How long there must be no flood.
const QUIET: Duration = Duration::from_secs(10);
/// More connections than this at the same time are a flood; a browser has at most six.
const CONNECTIONS: usize = 8;
/// More bytes of images than this within [`QUIET`] are a flood.
const BYTES: usize = 16 << 20;

/// Notices the end of a flood.
#[derive(Debug, Default)]
struct Flood {
    was_seen: bool,
}

impl Flood {
    /// Takes note of the connections and the bytes since the last call. Returns whether a flood has just ended.
    fn observe(&mut self, connections: usize, bytes: usize) -> bool {
        let is_flood = connections > CONNECTIONS || bytes > BYTES;
        let has_ended = self.was_seen && !is_flood;
        self.was_seen = is_flood;
        has_ended
    }
}

/// Watches for floods until shutdown.
pub(crate) async fn return_after_floods(
    connections: Arc<Connections>,
    uploads: Uploads,
    mut shutdown: Shutdown,
) {
    let mut flood = Flood::default();
    let mut ticks = interval(QUIET);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.wait() => return,
            _ = ticks.tick() => {}
        }
        if flood.observe(connections.take_peak(), uploads.take_arrived()) {
            // A failed task only leaves the memory where it is.
            let _ = tokio::task::spawn_blocking(return_free).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_returned_once_after_a_flood() {
        let mut flood = Flood::default();
        let calm = (CONNECTIONS, BYTES);
        let observed = [
            calm,
            (CONNECTIONS + 1, 0),
            (0, BYTES + 1),
            calm,
            calm,
            (0, 0),
        ];
        let ended = observed.map(|(connections, bytes)| flood.observe(connections, bytes));
        assert_eq!(ended, [false, false, false, true, false, false]);
    }
}
