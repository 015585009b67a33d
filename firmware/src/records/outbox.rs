//! Records that are not delivered yet. The rows themselves are the outbox: each destination has a cursor, the last row
//! that it has received.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use crate::records::cells;
use crate::records::cells_entry::CellEntry;
use crate::records::chain::{self, Kind};
use crate::records::entry::{FieldEntry, SlideSummaryEntry};
use crate::records::error::RecordsError;
use crate::records::layout::database;
use crate::records::schema;

/// Fields captured by the appliance. Uploaded images have slide number 0; their verdicts go to the uploader only.
const CAPTURED_AFTER: &str = "FROM fields JOIN slides ON slides.id = fields.slide
    WHERE fields.seq > ?1 AND slides.number > 0";

/// The last field of the last slide under the microscope.
const LAST_FIELD: &str = "
    SELECT fields.seq, fields.body, slides.number,
      EXISTS (SELECT 1 FROM closings WHERE closings.slide = slides.id) AS is_closed
    FROM slides JOIN fields ON fields.slide = slides.id
    WHERE slides.number > 0
    ORDER BY slides.seq DESC, fields.seq DESC LIMIT 1";

/// The fields that a destination has not received yet.
///
/// It uses a separate connection and writes only the cursor, without waiting for the disk, so it does not delay
/// recording. After a power cut, some fields may be delivered again.
pub struct Outbox {
    folder: PathBuf,
    destination: String,
    /// The last row when this outbox was created; `None` if it could not be read.
    initial_cursor: Option<i64>,
    connection: Option<Connection>,
}

impl Outbox {
    /// The outbox for `destination` of the records in `folder`, which the appliance creates. A new destination does not
    /// receive fields recorded earlier.
    pub fn new(folder: PathBuf, destination: String) -> Self {
        let initial_cursor = if database(&folder).exists() {
            let opened = schema::open_for_reading(&folder);
            opened.ok().and_then(|opened| head(&opened.connection).ok())
        } else {
            Some(0)
        };
        Self {
            folder,
            destination,
            initial_cursor,
            connection: None,
        }
    }

    /// The destination's cursor: the last row that it has received.
    ///
    /// # Errors
    /// [`RecordsError::File`] and [`RecordsError::Mismatch`] until the appliance has created the records, and errors of
    /// SQLite.
    pub fn delivered(&mut self) -> Result<i64, RecordsError> {
        let destination = self.destination.clone();
        self.with_connection(|connection| {
            connection.query_row(
                "SELECT seq FROM deliveries WHERE destination = ?1",
                [destination],
                |row| row.get(0),
            )
        })
    }

    /// Up to `limit` fields captured by the appliance after row `seq`, with their row numbers, in the order of recording.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn after(
        &mut self,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<(i64, FieldEntry)>, RecordsError> {
        let rows = self.with_connection(|connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT fields.seq, fields.body {CAPTURED_AFTER} ORDER BY fields.seq LIMIT ?2"
            ))?;
            let rows = statement.query_map((seq, limit as i64), |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?))
            })?;
            rows.collect::<Result<Vec<(i64, String)>, _>>()
        })?;
        let entries = rows.into_iter().map(|(seq, body)| {
            let entry = chain::parse(Kind::Field, seq, &body)?;
            Ok((seq, entry))
        });
        entries.collect()
    }

    /// The cells of a field; `None` if they were not looked at.
    ///
    /// # Errors
    /// As [`Outbox::delivered`], and [`RecordsError::Mismatch`] for a row that does not contain cells.
    pub fn cells(&mut self, field: Uuid) -> Result<Option<Vec<CellEntry>>, RecordsError> {
        let row = self.with_connection(|connection| cells::row(connection, field))?;
        row.map(cells::parse).transpose()
    }

    /// The number of fields captured by the appliance after row `seq`.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn waiting(&mut self, seq: i64) -> Result<u64, RecordsError> {
        self.with_connection(|connection| {
            let count = format!("SELECT count(*) {CAPTURED_AFTER}");
            connection.query_row(&count, [seq], |row| {
                row.get::<_, i64>(0).map(i64::unsigned_abs)
            })
        })
    }

    /// Moves the destination's cursor to row `seq`, never backwards.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn acknowledge(&mut self, seq: i64) -> Result<(), RecordsError> {
        let destination = self.destination.clone();
        self.with_connection(|connection| {
            let mut statement = connection
                .prepare("UPDATE deliveries SET seq = max(seq, ?2) WHERE destination = ?1")?;
            statement.execute((destination, seq)).map(|_| ())
        })
    }

    /// Number and summary of the last slide under the microscope, if it is closed. A slide that was open when the power
    /// failed is closed when the appliance opens the records.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub(crate) fn closed_slide(
        &mut self,
    ) -> Result<Option<(u32, SlideSummaryEntry)>, RecordsError> {
        let last = self.with_connection(|connection| {
            let mut statement = connection.prepare(LAST_FIELD)?;
            let read = |row: &Row<'_>| {
                let is_closed: bool = row.get("is_closed")?;
                let body: String = row.get("body")?;
                Ok((is_closed, row.get("number")?, row.get("seq")?, body))
            };
            statement.query_row([], read).optional()
        })?;
        let Some((true, number, seq, body)) = last else {
            return Ok(None);
        };
        let field: FieldEntry = chain::parse(Kind::Field, seq, &body)?;
        Ok(Some((number, field.standing)))
    }

    fn with_connection<T>(
        &mut self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, RecordsError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open(&self.folder, &self.destination, self.initial_cursor)?,
        };
        let result = act(&connection).map_err(RecordsError::database(&self.folder));
        // Reconnects after a failure, because the database may have been replaced.
        self.connection = Some(connection).filter(|_| result.is_ok());
        result
    }
}

fn open(
    folder: &Path,
    destination: &str,
    initial_cursor: Option<i64>,
) -> Result<Connection, RecordsError> {
    let connection = schema::open_for_delivery(folder)?;
    let insert = || {
        let is_known = connection
            .query_row(
                "SELECT 1 FROM deliveries WHERE destination = ?1",
                [destination],
                |_| Ok(()),
            )
            .optional()?;
        if is_known.is_none() {
            let from = match initial_cursor {
                Some(seq) => seq,
                None => head(&connection)?,
            };
            connection.execute(
                "INSERT INTO deliveries (destination, seq) VALUES (?1, ?2)",
                (destination, from),
            )?;
        }
        Ok(())
    };
    insert().map_err(RecordsError::database(folder))?;
    Ok(connection)
}

fn head(connection: &Connection) -> rusqlite::Result<i64> {
    Ok(chain::head(connection)?.map_or(0, |head| head.seq))
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::Verdict;

    use super::*;
    use crate::records::store::Store;
    use crate::records::testing::Records;

    fn outbox(records: &Records, destination: &str) -> Outbox {
        Outbox::new(records.path().into(), destination.into())
    }

    fn ids(rows: &[(i64, FieldEntry)]) -> Vec<uuid::Uuid> {
        rows.iter().map(|(_, field)| field.id).collect()
    }

    #[test]
    fn a_destination_receives_fields_recorded_after_it_was_added() {
        let (mut records, _) = Records::of_days(2);
        let mut outbox = outbox(&records, "here");
        // The cursor is stored at first use but starts at the last row when the outbox was created.
        let third = records.put(3).unwrap();
        let from = outbox.delivered().unwrap();
        assert_eq!(from, 3, "a slide and two fields");
        let fourth = records.put(4).unwrap();
        let rows = outbox.after(from, 10).unwrap();
        assert_eq!(ids(&rows), [third, fourth]);
        assert_eq!(ids(&outbox.after(from, 1).unwrap()), [third]);
        assert_eq!(outbox.waiting(from).unwrap(), 2);

        outbox.acknowledge(rows[0].0).unwrap();
        let mut again = self::outbox(&records, "here");
        let delivered = again.delivered().unwrap();
        assert_eq!(ids(&again.after(delivered, 10).unwrap()), [fourth]);
        outbox.acknowledge(1).unwrap();
        assert_eq!(
            outbox.delivered().unwrap(),
            delivered,
            "the cursor never moves backwards"
        );
        let mut elsewhere = self::outbox(&records, "elsewhere");
        assert_eq!(elsewhere.delivered().unwrap(), 5);
        // Cursors are not part of the chain.
        assert_eq!(records.verified().rows, 5);
    }

    #[test]
    fn the_last_slide_is_told_once_it_is_closed() {
        let (mut records, _) = Records::of_days(2);
        records.next_slide(3);
        records.put(3).unwrap();
        let last = |records: &Records| outbox(records, "here").closed_slide().unwrap();
        assert_eq!(last(&records), None, "the slide is open");
        // As after a power cut.
        let records = records.reopened();
        let (number, summary) = last(&records).unwrap();
        assert_eq!((number, summary.fields), (2, 3));
        assert_eq!(summary.verdict, Verdict::Positive);
    }

    #[test]
    fn an_outbox_waits_for_the_records() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::new(folder.path().into(), "here".into());
        outbox.delivered().unwrap_err();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        drop(Store::open(folder.path().into()).unwrap());
        assert_eq!(outbox.delivered().unwrap(), 0);
        assert_eq!(outbox.after(0, 10).unwrap(), []);
    }
}
