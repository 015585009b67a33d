//! Opening and migrating the database.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use data_encoding::HEXUPPER;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::Access;

use crate::records::error::RecordsError;
use crate::records::layout::database;

/// Migrations from each format to the next, starting with an empty database. `user_version` is the number applied.
const MIGRATIONS: [&str; 4] = [
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
];

/// Oldest format that can be read without migration, as on read-only storage.
const MIN_READABLE: u32 = 1;

/// How long to wait while another connection writes, for example an export that marks many fields.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the database of a state folder for writing; creates and migrates it if necessary.
///
/// # Errors
/// [`RecordsError::Newer`] if a later version wrote it, and errors of SQLite.
pub(super) fn open_for_writing(folder: &Path) -> Result<Connection, RecordsError> {
    open_with(folder, &MIGRATIONS)
}

/// Connects to the database of a state folder at `path`, which may be a URI.
fn connect(
    folder: &Path,
    path: impl AsRef<Path>,
    flags: OpenFlags,
) -> Result<Connection, RecordsError> {
    let failed = RecordsError::database(folder);
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(&failed)?;
    Ok(connection)
}

fn open_with(folder: &Path, migrations: &[&str]) -> Result<Connection, RecordsError> {
    let failed = RecordsError::database(folder);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(folder, database(folder), flags)?;
    let set = |name, value: &str| connection.pragma_update(None, name, value).map_err(&failed);
    set("journal_mode", "wal")?;
    set("synchronous", "full")?;
    set("foreign_keys", "on")?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&failed)?;
    let known = migrations.len() as u32;
    let found = format(&transaction, known, folder)?;
    for migration in &migrations[found as usize..] {
        transaction.execute_batch(migration).map_err(&failed)?;
    }
    if found < known {
        transaction
            .pragma_update(None, "user_version", known)
            .map_err(&failed)?;
    }
    transaction.commit().map_err(&failed)?;
    if found < known {
        // Moves the tables from the log into the database, which would look empty if the log were lost.
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(&failed)?;
    }
    Ok(connection)
}

/// Opens the database of a state folder for reading, also while an appliance writes to it. A read-only folder is assumed
/// to have no writer.
///
/// # Errors
/// [`RecordsError::File`] if there is no database, [`RecordsError::UnappliedLog`] if the folder is read-only and the
/// database has a log, and as [`open_for_writing`].
pub(super) fn open_for_reading(folder: &Path) -> Result<Connection, RecordsError> {
    let path = database(folder);
    path.metadata().map_err(RecordsError::file(
        &path,
        "read",
        "name the state folder of an appliance that has recorded something (--state, or storage.state)",
    ))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let log = path.with_extension("sqlite-wal");
    let is_read_only = is_read_only(folder);
    let connection = if is_read_only && !log.exists() {
        // Immutable, because the shared-memory file cannot be created.
        let uri = immutable_uri(&path);
        connect(folder, uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        connect(folder, &path, flags)?
    };
    let known = MIGRATIONS.len() as u32;
    let format = format(&connection, known, folder).map_err(|error| match error {
        RecordsError::Database { source, .. } if is_read_only && log.exists() => {
            RecordsError::UnappliedLog { log, source }
        }
        error => error,
    })?;
    if format < MIN_READABLE {
        return Err(RecordsError::Mismatch {
            problem: format!("{} contains no smearscope records", path.display()),
        });
    }
    Ok(connection)
}

/// Whether this user cannot write to a folder.
pub(super) fn is_read_only(folder: &Path) -> bool {
    rustix::fs::access(folder, Access::WRITE_OK).is_err()
}

/// The URI of a database that does not change while it is open (<https://www.sqlite.org/uri.html>).
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for (place, digit) in HEXUPPER.encode(path.as_os_str().as_bytes()).char_indices() {
        if place % 2 == 0 {
            uri.push('%');
        }
        uri.push(digit);
    }
    uri + "?immutable=1"
}

/// Opens the database of a state folder for delivery cursors, which may be lost in a power cut. The appliance must have
/// created and migrated it. Writing through this connection delays recording as little as possible.
///
/// # Errors
/// [`RecordsError::File`] and [`RecordsError::Mismatch`] until the appliance has created and migrated it, and as
/// [`open_for_writing`].
pub(super) fn open_for_delivery(folder: &Path) -> Result<Connection, RecordsError> {
    let path = database(folder);
    path.metadata().map_err(RecordsError::file(
        &path,
        "written",
        "start the appliance, which creates it",
    ))?;
    let failed = RecordsError::database(folder);
    let connection = connect(folder, &path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let known = MIGRATIONS.len() as u32;
    if format(&connection, known, folder)? < known {
        return Err(RecordsError::Mismatch {
            problem: format!(
                "{} has an older format; the appliance migrates it when it starts",
                path.display()
            ),
        });
    }
    let set = |name, value: &str| connection.pragma_update(None, name, value).map_err(&failed);
    set("synchronous", "normal")?;
    // A checkpoint waits for the disk; the recording connection runs it.
    set("wal_autocheckpoint", "0")?;
    Ok(connection)
}

/// Whether a database has a table. Read-only records keep the format of an earlier version, which has fewer.
pub(super) fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
        [name],
        |row| row.get(0),
    )
}

/// Verifies every page of a database, because queries may still succeed on a truncated one, and its tables, views and
/// triggers, because a changed view could show other rows to the verification than to readers.
///
/// # Errors
/// [`RecordsError::Mismatch`] if a page is damaged or the schema differs from this program's.
pub(super) fn check(connection: &Connection, folder: &Path) -> Result<(), RecordsError> {
    let failed = RecordsError::database(folder);
    let found: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(&failed)?;
    if found != "ok" {
        return Err(RecordsError::Mismatch {
            problem: format!("{} is damaged ({found})", database(folder).display()),
        });
    }
    let format = format(connection, MIGRATIONS.len() as u32, folder)?;
    if schema(connection).map_err(&failed)? != expected_schema(format).map_err(&failed)? {
        return Err(RecordsError::Mismatch {
            problem: format!(
                "the tables, views or triggers of {} have changed since they were created",
                database(folder).display()
            ),
        });
    }
    Ok(())
}

/// Type, name and SQL of everything in a database, except what SQLite adds by itself.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<(String, String, String)>> {
    connection
        .prepare(
            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             ORDER BY type, name",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

/// The schema that the migrations up to `format` create.
fn expected_schema(format: u32) -> rusqlite::Result<Vec<(String, String, String)>> {
    let fresh = Connection::open_in_memory()?;
    for migration in &MIGRATIONS[..format as usize] {
        fresh.execute_batch(migration)?;
    }
    schema(&fresh)
}

/// The database's format, if it is at most `known`.
fn format(connection: &Connection, known: u32, folder: &Path) -> Result<u32, RecordsError> {
    let found = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(RecordsError::database(folder))?;
    if found > known {
        return Err(RecordsError::Newer {
            path: database(folder),
            found,
            known,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_durable_and_enforces_foreign_keys() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_for_writing(folder.path()).unwrap();
        let pragma = |name| -> rusqlite::Result<rusqlite::types::Value> {
            connection.pragma_query_value(None, name, |row| row.get(0))
        };
        assert_eq!(pragma("journal_mode").unwrap(), "wal".to_owned().into());
        assert_eq!(pragma("synchronous").unwrap(), 2.into());
        assert_eq!(pragma("user_version").unwrap(), 4.into());
        let orphan = r#"{"field": "unknown", "exported_at": "now"}"#;
        let error = connection
            .execute(
                "INSERT INTO exports (seq, body, previous, hash) VALUES (1, ?1, '', '')",
                [orphan],
            )
            .unwrap_err();
        assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
    }

    #[test]
    fn older_formats_are_migrated_and_newer_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let next = "ALTER TABLE slides ADD COLUMN note TEXT";
        let next = [&MIGRATIONS[..], &[next]].concat();
        for known in 1..next.len() {
            open_with(folder.path(), &next[..known]).unwrap();
            open_for_reading(folder.path()).unwrap();
        }
        let connection = open_with(folder.path(), &next).unwrap();
        connection.prepare("SELECT note FROM slides").unwrap();
        drop(connection);
        for error in [
            open_for_writing(folder.path()).unwrap_err(),
            open_for_reading(folder.path()).unwrap_err(),
        ] {
            assert!(
                matches!(
                    error,
                    RecordsError::Newer {
                        found: 5,
                        known: 4,
                        ..
                    }
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn a_failed_migration_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let broken = [MIGRATIONS[0], "CREATE TABLE half (x); nonsense"];
        open_with(folder.path(), &broken).unwrap_err();
        let connection = open_for_writing(folder.path()).unwrap();
        connection.prepare("SELECT x FROM half").unwrap_err();
    }
}
