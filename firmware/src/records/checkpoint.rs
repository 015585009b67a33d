//! Keeping the database's log short: a single damaged bit in the log loses all that follows it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::records::error::RecordsError;
use crate::records::periodic_task::{PeriodicTask, Waker};
use crate::records::schema;

/// Interval between checkpoints, for what other connections commit: uploads, notes and exports.
const PERIOD: Duration = Duration::from_secs(10);

/// Moves what was committed from the log into the database, on a separate thread until it is dropped.
pub(super) struct CheckpointTask {
    /// Dropping it ends the thread.
    task: PeriodicTask,
}

impl CheckpointTask {
    /// Starts checkpoints of the records in `folder`.
    ///
    /// # Errors
    /// Errors of the database, and [`RecordsError::File`] if the thread cannot be started.
    pub(super) fn start(folder: &Path) -> Result<Self, RecordsError> {
        let connection = schema::open_for_writing(folder)?;
        // A recording that waits for the database goes first.
        connection
            .busy_timeout(Duration::ZERO)
            .map_err(RecordsError::database(folder))?;
        let task = PeriodicTask::start("checkpoint", PERIOD, move || {
            if let Err(error) = checkpoint(&connection) {
                log::warn!("the log of the records cannot be moved into the database: {error}");
            }
            ControlFlow::Continue(())
        });
        Ok(Self {
            task: task.map_err(RecordsError::file(folder, "opened", "free some memory"))?,
        })
    }

    /// Wakes the task, after a commit.
    pub(super) fn waker(&self) -> Waker {
        self.task.waker()
    }
}

/// Moves all rows into the database, then empties the log. Only the second step keeps others from writing, and after the
/// first it has nothing to move. While another connection reads, the log is not emptied; a later checkpoint does that.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    for mode in ["PASSIVE", "TRUNCATE"] {
        let query = format!("PRAGMA wal_checkpoint({mode})");
        connection.query_row(&query, [], |_| Ok(()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::records::testing::Records;

    #[test]
    fn the_log_is_emptied_after_a_commit() {
        let mut records = Records::new();
        let task = CheckpointTask::start(records.path()).unwrap();
        records.put(1).unwrap();
        let log = records.path().join("records.sqlite-wal");
        let length = || log.metadata().unwrap().len();
        task.waker().wake();
        let start = Instant::now();
        while length() > 0 {
            assert!(start.elapsed() < Duration::from_mins(1));
            std::thread::yield_now();
        }
        drop(task);
        assert_eq!(records.verified().rows, 2);
    }

    #[test]
    fn a_reader_only_delays_the_emptying() {
        let mut records = Records::new();
        records.put(1).unwrap();
        let log = records.path().join("records.sqlite-wal");
        let archive = records.archive();
        let reading = archive.connection().unchecked_transaction().unwrap();
        let rows = |connection: &Connection| -> i64 {
            let query = "SELECT count(*) FROM fields";
            connection.query_row(query, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(rows(&reading), 1);
        records.put(2).unwrap();
        let connection = schema::open_for_writing(records.path()).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        checkpoint(&connection).unwrap();
        assert!(log.metadata().unwrap().len() > 0);
        assert_eq!(rows(&reading), 1);
        drop(reading);
        checkpoint(&connection).unwrap();
        assert_eq!(log.metadata().unwrap().len(), 0);
        assert_eq!(rows(&connection), 2);
    }
}
