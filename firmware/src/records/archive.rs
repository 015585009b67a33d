//! Reading records, also while an appliance writes them.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::records::cells_entry::CellEntry;
use crate::records::chain::{self, Kind};
use crate::records::entry::FieldEntry;
use crate::records::error::RecordsError;
use crate::records::filter::{Filter, Page};
use crate::records::schema::Readable;
use crate::records::{ballast, schema, store};

/// The records in a state folder, open for reading.
pub struct Archive {
    folder: PathBuf,
    database: Readable,
}

/// A recorded field, and whether its images were exported or removed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Record {
    /// Its number in the hash chain, from 1.
    pub seq: i64,
    /// Its hash in the chain.
    pub hash: String,
    /// When its images were first exported (RFC 3339, UTC); null if never.
    #[schema(required, format = DateTime)]
    pub exported_at: Option<String>,
    /// When its images were removed; null if they were not.
    #[schema(required, format = DateTime)]
    pub images_removed_at: Option<String>,
    /// What was recorded when it was captured.
    #[serde(flatten)]
    pub field: FieldEntry,
}

/// A recorded field with its cells.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecordWithCells {
    /// The field.
    #[serde(flatten)]
    pub record: Record,
    /// The surest find first; null if they were not looked at.
    #[schema(required)]
    pub cells: Option<Vec<CellEntry>>,
}

const QUERY: &str = "
    SELECT fields.seq, fields.hash, fields.body, removed_at,
           (SELECT min(exported_at) FROM exports WHERE exports.field = fields.id) AS exported_at
    FROM fields LEFT JOIN removals ON removals.field = fields.id
    WHERE (:since IS NULL OR captured_at >= :since)
      AND (:until IS NULL OR captured_at < :until)
      AND (:slide IS NULL OR slide = :slide)
      AND (:field IS NULL OR fields.id = :field)
      AND (:verdict IS NULL OR verdict = :verdict)
      AND fields.seq > :after AND fields.seq <= :last
    ORDER BY fields.seq LIMIT :limit";

impl Archive {
    /// Opens the records in `folder`.
    ///
    /// # Errors
    /// [`RecordsError::File`] if there are none, and the database's errors of
    /// [`Store::open`](crate::records::Store::open).
    pub fn open(folder: &Path) -> Result<Self, RecordsError> {
        Ok(Self {
            folder: folder.into(),
            // The first connection to a database writes a shared-memory file, even for reading.
            database: ballast::with_room(folder, || schema::open_for_reading(folder))?,
        })
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.database.connection
    }

    /// Calls `each` with every field that `filter` selects, in the order of recording, from one snapshot.
    ///
    /// # Errors
    /// Errors of `each` and of the database, and [`RecordsError::Mismatch`] for a row that is not a valid field.
    pub fn fields<E: From<RecordsError>>(
        &self,
        filter: &Filter,
        each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        self.fields_on(&Page::default(), filter, each)
    }

    /// Like [`Archive::fields`], for one page.
    ///
    /// # Errors
    /// As [`Archive::fields`].
    pub(crate) fn fields_on<E: From<RecordsError>>(
        &self,
        page: &Page,
        filter: &Filter,
        mut each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let rows = (page.cursor.unwrap_or(0), i64::MAX);
        let scanned = self.scan(filter, rows, page.sql_limit(), |_, record| each(record?))?;
        Ok(scanned.map_err(RecordsError::database(&self.folder))?)
    }

    /// Like [`Archive::fields`], but skips rows that cannot be read and returns what is wrong with them, whether or not
    /// the filter selects them.
    ///
    /// # Errors
    /// Errors of `each`, and errors of the database that do not concern a single row.
    pub(crate) fn readable<E: From<RecordsError>>(
        &self,
        filter: &Filter,
        mut each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let failed = RecordsError::database(&self.folder);
        let mut unreadable = Vec::new();
        // The last row that was read.
        let mut seen = 0;
        let mut scan = |seen: &mut i64, last, unreadable: &mut Vec<String>| {
            self.scan(filter, (*seen, last), -1, |seq, record| {
                *seen = seq;
                match record {
                    Ok(record) => each(record),
                    Err(error) => {
                        unreadable.push(error.problem());
                        Ok(())
                    }
                }
            })
        };
        while let Err(error) = scan(&mut seen, i64::MAX, &mut unreadable)? {
            // SQLite does not report which row failed, so the next rows are read one by one.
            loop {
                let Some(next) = self.next_field(seen).map_err(&failed)? else {
                    return Err(failed(error).into());
                };
                let result = scan(&mut seen, next, &mut unreadable)?;
                seen = next;
                if let Err(problem) = result {
                    unreadable.push(format!("row {next} cannot be read: {problem}"));
                    break;
                }
            }
        }
        Ok(unreadable)
    }

    /// The first field after row `seq`.
    fn next_field(&self, seq: i64) -> rusqlite::Result<Option<i64>> {
        self.connection()
            .query_row("SELECT min(seq) FROM fields WHERE seq > ?1", [seq], |row| {
                row.get(0)
            })
    }

    /// Calls `each` with the number and the field of every selected row after `after`, up to and including `last`. The
    /// inner result is SQLite's; the scan ends at its first error.
    fn scan<E>(
        &self,
        filter: &Filter,
        (after, last): (i64, i64),
        limit: i64,
        mut each: impl FnMut(i64, Result<Record, RecordsError>) -> Result<(), E>,
    ) -> Result<rusqlite::Result<()>, E> {
        let mut scan = || {
            let mut statement = self.connection().prepare(QUERY)?;
            let mut rows = statement.query(named_params! {
                ":since": filter.since,
                ":until": filter.until,
                ":slide": filter.slide.map(|id| id.to_string()),
                ":field": filter.field.map(|id| id.to_string()),
                ":verdict": filter.verdict,
                ":after": after,
                ":last": last,
                ":limit": limit,
            })?;
            while let Some(row) = rows.next()? {
                if let Err(error) = each(row.get("seq")?, record(row)?) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        };
        match scan() {
            Ok(result) => result.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// The latest time of a field; `None` without fields.
    ///
    /// # Errors
    /// Errors of the database.
    pub(crate) fn newest(&self) -> Result<Option<Timestamp>, RecordsError> {
        store::newest(self.connection()).map_err(RecordsError::database(&self.folder))
    }

    /// The number of fields that a destination has not received yet; `None` for an unknown destination.
    pub(crate) fn undelivered(&self, destination: &str) -> Result<Option<u64>, RecordsError> {
        self.connection()
            .query_row(
                "SELECT count(fields.seq) FROM deliveries LEFT JOIN fields ON fields.seq > deliveries.seq
                 WHERE destination = ?1 GROUP BY destination",
                [destination],
                |row| row.get::<_, i64>(0).map(i64::unsigned_abs),
            )
            .optional()
            .map_err(RecordsError::database(&self.folder))
    }

    /// Whether the images of a field were exported.
    pub(crate) fn is_exported(&self, field: Uuid) -> Result<bool, RecordsError> {
        self.connection()
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM exports WHERE field = ?1)",
                [field.to_string()],
                |row| row.get(0),
            )
            .map_err(RecordsError::database(&self.folder))
    }

    /// Whether the images of a field are removed by now.
    pub(crate) fn is_removed(&self, field: &Uuid) -> Result<bool, RecordsError> {
        // On a new connection, because this one may be reading an older snapshot.
        let fresh = (!self.database.is_frozen)
            .then(|| schema::open_for_reading(&self.folder))
            .transpose()?;
        fresh
            .as_ref()
            .unwrap_or(&self.database)
            .connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM removals WHERE field = ?1)",
                [field.to_string()],
                |row| row.get(0),
            )
            .map_err(RecordsError::database(&self.folder))
    }
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<Record, RecordsError>> {
    let seq = row.get("seq")?;
    let body: String = row.get("body")?;
    let field = match chain::parse(Kind::Field, seq, &body) {
        Ok(field) => field,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(Record {
        seq,
        hash: row.get("hash")?,
        exported_at: row.get("exported_at")?,
        images_removed_at: row.get("removed_at")?,
        field,
    }))
}
