//! Reading records, whether or not an appliance writes them.

use smearscope_artifacts::Verdict;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, named_params};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::records::Page;
use crate::records::RecordsError;
use crate::records::ballast;
use crate::records::entry::FieldEntry;
use crate::records::slides;
use crate::records::schema;

/// The records in a state folder, to be read.
pub struct Archive {
    folder: PathBuf,
    connection: Connection,
}

/// Which fields are meant; without anything, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this time on ([`utc`](crate::system::time::utc)).
    pub since: Option<String>,
    /// Before this time.
    pub until: Option<String>,
    /// Those of this slide.
    pub slide: Option<Uuid>,
    /// This field.
    pub field: Option<Uuid>,
    /// Those with this verdict.
    pub verdict: Option<Verdict>,
}

/// A field with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Record {
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// Its hash, by which the next row follows from it.
    pub hash: String,
    /// When its images were first exported ([`utc`](crate::system::time::utc)), if they were.
    #[schema(required)]
    pub exported_at: Option<String>,
    /// When its images were removed, if they were.
    #[schema(required)]
    pub images_removed_at: Option<String>,
    /// The field.
    #[serde(flatten)]
    pub field: FieldEntry,
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
    /// [`RecordsError::File`] if there are none, and those of [`Store::open`](crate::records::Store::open) that
    /// concern the database.
    pub fn open(folder: &Path) -> Result<Self, RecordsError> {
        Ok(Self {
            folder: folder.into(),
            // Where nobody else has it open, also reading takes a little room.
            connection: ballast::with_room(folder, || schema::open_for_reading(folder))?,
        })
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Gives the fields that `filter` means to `each`, in the order in which they were recorded, as they were at one moment.
    ///
    /// # Errors
    /// Those of `each`, those of the database, and [`RecordsError::Mismatch`] for a row that says nothing that was ever
    /// written.
    pub fn fields<E: From<RecordsError>>(
        &self,
        filter: &Filter,
        each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        self.fields_on(&Page::default(), filter, each)
    }

    /// The same, of one page.
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
        let scanned = self.scan(filter, rows, page.limit(), |_, record| each(record?))?;
        Ok(scanned.map_err(RecordsError::database(&self.folder))?)
    }

    /// Gives those of them that can be read to `each`, and gives back what is wrong with the others, whether they are
    /// meant or not.
    ///
    /// # Errors
    /// Those of `each`, and those of the database that are not a row's.
    pub(crate) fn readable<E: From<RecordsError>>(
        &self,
        filter: &Filter,
        mut each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let failed = RecordsError::database(&self.folder);
        let mut unreadable = Vec::new();
        // The last row that was looked at.
        let mut seen = 0;
        let mut scan = |seen: &mut i64, last, unreadable: &mut Vec<String>| {
            self.scan(filter, (*seen, last), -1, |seq, record| {
                *seen = seq;
                match record {
                    Ok(record) => each(record),
                    Err(error) => {
                        unreadable.push(error.what());
                        Ok(())
                    }
                }
            })
        };
        while let Err(error) = scan(&mut seen, i64::MAX, &mut unreadable)? {
            // SQLite does not say at which row it failed: one after the other.
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

    /// The field after row `seq`.
    fn next_field(&self, seq: i64) -> rusqlite::Result<Option<i64>> {
        self.connection
            .query_row("SELECT min(seq) FROM fields WHERE seq > ?1", [seq], |row| {
                row.get(0)
            })
    }

    /// Gives the fields after one row and up to another to `each`, with their rows. What SQLite says is inside; it ends there.
    fn scan<E>(
        &self,
        filter: &Filter,
        (after, last): (i64, i64),
        limit: i64,
        mut each: impl FnMut(i64, Result<Record, RecordsError>) -> Result<(), E>,
    ) -> Result<rusqlite::Result<()>, E> {
        let mut scan = || {
            let mut statement = self.connection.prepare(QUERY)?;
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

    /// How many fields a destination does not have yet; `None` if it is not known.
    pub(crate) fn undelivered(&self, destination: &str) -> Result<Option<u64>, RecordsError> {
        self.connection
            .query_row(
                "SELECT count(fields.seq) FROM deliveries LEFT JOIN fields ON fields.seq > deliveries.seq
                 WHERE destination = ?1 GROUP BY destination",
                [destination],
                |row| row.get::<_, i64>(0).map(i64::unsigned_abs),
            )
            .optional()
            .map_err(RecordsError::database(&self.folder))
    }

    /// Whether the images of a field were exported already.
    pub(crate) fn is_exported(&self, field: Uuid) -> Result<bool, RecordsError> {
        self.connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM exports WHERE field = ?1)",
                [field.to_string()],
                |row| row.get(0),
            )
            .map_err(RecordsError::database(&self.folder))
    }

    /// Whether the images of a field were removed, as of now.
    pub(crate) fn is_removed(&self, field: &Uuid) -> Result<bool, RecordsError> {
        // On a connection of its own: this one may be in the middle of reading an earlier state.
        schema::open_for_reading(&self.folder)?
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
    let field = match slides::entry(seq, &body, "field") {
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
