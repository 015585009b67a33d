//! What of the records is still to be delivered, and to where. The rows themselves are the outbox: a
//! destination has a cursor, up to which it has them.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use crate::records::RecordsError;
use crate::records::database;
use crate::records::entry::FieldEntry;
use crate::records::schema;

/// Images that were sent to the appliance are answered, and told to nobody else.
const OF_THE_BENCH: &str = "FROM fields JOIN slides ON slides.id = fields.slide
    WHERE fields.seq > ?1 AND slides.number > 0";

/// The fields that a destination does not have yet.
///
/// It has a connection of its own and writes a few bytes now and then, without waiting for the disk: whoever
/// records is not held up. After a power cut, some fields may be delivered again.
pub struct Outbox {
    folder: PathBuf,
    destination: String,
    /// The last row when the destination was made known, if that could be seen.
    known_from: Option<i64>,
    connection: Option<Connection>,
}

impl Outbox {
    /// The outbox for `destination` of the records in `folder`, which somebody else makes. A destination
    /// that is new gets nothing that is recorded already.
    pub fn new(folder: PathBuf, destination: String) -> Self {
        let known_from = if database(&folder).exists() {
            let connection = schema::open_for_reading(&folder);
            connection
                .ok()
                .and_then(|connection| head(&connection).ok())
        } else {
            Some(0)
        };
        Self {
            folder,
            destination,
            known_from,
            connection: None,
        }
    }

    /// The row up to which the destination has all.
    ///
    /// # Errors
    /// [`RecordsError::File`] and [`RecordsError::Mismatch`] as long as nobody has made the records, and those of SQLite.
    pub fn delivered(&mut self) -> Result<i64, RecordsError> {
        let destination = self.destination.clone();
        self.with(|connection| {
            connection.query_row(
                "SELECT seq FROM deliveries WHERE destination = ?1",
                [destination],
                |row| row.get(0),
            )
        })
    }

    /// The fields of the bench's slides after row `seq`, at most so many, each with its row, in the order in which they were recorded.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn after(&mut self, seq: i64, most: usize) -> Result<Vec<(i64, FieldEntry)>, RecordsError> {
        let rows = self.with(|connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT fields.seq, fields.body {OF_THE_BENCH} ORDER BY fields.seq LIMIT ?2"
            ))?;
            let rows = statement.query_map((seq, most as i64), |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?))
            })?;
            rows.collect::<Result<Vec<(i64, String)>, _>>()
        })?;
        let entries = rows.into_iter().map(|(seq, body)| {
            let entry = serde_json::from_str(&body).map_err(|error| RecordsError::Mismatch {
                problem: format!("row {seq} is no field: {error}"),
            })?;
            Ok((seq, entry))
        });
        entries.collect()
    }

    /// How many fields are after row `seq`.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn waiting(&mut self, seq: i64) -> Result<u64, RecordsError> {
        self.with(|connection| {
            let count = format!("SELECT count(*) {OF_THE_BENCH}");
            connection.query_row(&count, [seq], |row| {
                row.get::<_, i64>(0).map(i64::unsigned_abs)
            })
        })
    }

    /// Notes that the destination has all up to row `seq`.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn acknowledge(&mut self, seq: i64) -> Result<(), RecordsError> {
        let destination = self.destination.clone();
        self.with(|connection| {
            let mut statement = connection
                .prepare("UPDATE deliveries SET seq = max(seq, ?2) WHERE destination = ?1")?;
            statement.execute((destination, seq)).map(|_| ())
        })
    }

    fn with<T>(
        &mut self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, RecordsError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open(&self.folder, &self.destination, self.known_from)?,
        };
        let result = act(&connection).map_err(RecordsError::database(&self.folder));
        // After a failure it is opened anew: the folder may be another one by then.
        self.connection = Some(connection).filter(|_| result.is_ok());
        result
    }
}

fn open(
    folder: &Path,
    destination: &str,
    known_from: Option<i64>,
) -> Result<Connection, RecordsError> {
    let connection = schema::open_for_noting(folder)?;
    let note = || {
        let is_known = connection
            .query_row(
                "SELECT 1 FROM deliveries WHERE destination = ?1",
                [destination],
                |_| Ok(()),
            )
            .optional()?;
        if is_known.is_none() {
            let from = match known_from {
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
    note().map_err(RecordsError::database(folder))?;
    Ok(connection)
}

fn head(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(seq), 0) FROM chain", [], |row| {
        row.get(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::testing::Records;

    fn outbox(records: &Records, destination: &str) -> Outbox {
        Outbox::new(records.path().into(), destination.into())
    }

    fn ids(rows: &[(i64, FieldEntry)]) -> Vec<uuid::Uuid> {
        rows.iter().map(|(_, field)| field.id).collect()
    }

    #[test]
    fn a_destination_gets_what_is_recorded_after_it_is_known_once_it_is_noted() {
        let (mut records, _) = Records::of_days(2);
        let mut outbox = outbox(&records, "here");
        // Before the destination is noted in the records, and all the same after it was known.
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
        assert_eq!(outbox.delivered().unwrap(), delivered, "it never goes back");
        let mut elsewhere = self::outbox(&records, "elsewhere");
        assert_eq!(elsewhere.delivered().unwrap(), 5);
        // The chain knows nothing of it.
        assert_eq!(records.archive().verify(None).unwrap().rows, 5);
    }

    #[test]
    fn it_waits_for_somebody_to_make_the_records() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::new(folder.path().into(), "here".into());
        outbox.delivered().unwrap_err();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        drop(crate::records::Store::open(folder.path().into()).unwrap());
        assert_eq!(outbox.delivered().unwrap(), 0);
        assert_eq!(outbox.after(0, 10).unwrap(), []);
    }
}
