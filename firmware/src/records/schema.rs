//! Opening the database, and bringing it to the latest format.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use data_encoding::HEXUPPER;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::Access;

use crate::records::RecordsError;

use crate::records::database;

/// What leads from each format to the next, from an empty database on; `user_version` counts them.
const MIGRATIONS: [&str; 3] = [
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
];

/// The first format that has all that is read: records may lie where nobody can migrate them.
const READABLE: u32 = 1;

/// An export may hold the database for as long as it notes what it exported.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the database of a state folder for writing, makes it if need be, and migrates it.
///
/// # Errors
/// [`RecordsError::Newer`] if a later version wrote it, and those of SQLite.
pub(super) fn open_for_writing(folder: &Path) -> Result<Connection, RecordsError> {
    open_with(folder, &MIGRATIONS)
}

fn open_with(folder: &Path, migrations: &[&str]) -> Result<Connection, RecordsError> {
    let failed = RecordsError::database(folder);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(database(folder), flags).map_err(&failed)?;
    connection.busy_timeout(PATIENCE).map_err(&failed)?;
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
        // Into the database itself: without its log it must not look as if it had never been made.
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(&failed)?;
    }
    Ok(connection)
}

/// Opens the database of a state folder for reading, whether or not an appliance writes there. Where the folder cannot
/// be written to, as on a medium that is read-only, nobody is taken to write there.
///
/// # Errors
/// [`RecordsError::File`] if there is none, [`RecordsError::Sealed`] if its log would have to be put into it and cannot be,
/// and as [`open_for_writing`].
pub(super) fn open_for_reading(folder: &Path) -> Result<Connection, RecordsError> {
    let path = database(folder);
    path.metadata().map_err(RecordsError::file(
        &path,
        "read",
        "give the folder of an appliance that has recorded something (--state, or storage.state)",
    ))?;
    let failed = RecordsError::database(folder);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let log = path.with_extension("sqlite-wal");
    let is_sealed = is_sealed(folder);
    let connection = if is_sealed && !log.exists() {
        // Without the files that its users share, which cannot be made.
        Connection::open_with_flags(immutable(&path), flags | OpenFlags::SQLITE_OPEN_URI)
    } else {
        Connection::open_with_flags(&path, flags)
    };
    let connection = connection.map_err(&failed)?;
    connection.busy_timeout(PATIENCE).map_err(&failed)?;
    let known = MIGRATIONS.len() as u32;
    let format = format(&connection, known, folder).map_err(|error| match error {
        RecordsError::Database { source, .. } if is_sealed && log.exists() => {
            RecordsError::Sealed { log, source }
        }
        error => error,
    })?;
    if format < READABLE {
        return Err(RecordsError::Mismatch {
            problem: format!("{} holds no records of this format", path.display()),
        });
    }
    Ok(connection)
}

/// Whether this user, or anybody, cannot write to a folder.
pub(super) fn is_sealed(folder: &Path) -> bool {
    rustix::fs::access(folder, Access::WRITE_OK).is_err()
}

/// The address of a database that nobody changes (<https://www.sqlite.org/uri.html>).
fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for (place, digit) in HEXUPPER.encode(path.as_os_str().as_bytes()).char_indices() {
        if place % 2 == 0 {
            uri.push('%');
        }
        uri.push(digit);
    }
    uri + "?immutable=1"
}

/// Opens the database of a state folder, once somebody else has made and migrated it, to note what needs not survive
/// a power cut. Whoever records is held up as little as can be.
///
/// # Errors
/// [`RecordsError::File`] and [`RecordsError::Mismatch`] as long as nobody has, and as [`open_for_writing`].
pub(super) fn open_for_noting(folder: &Path) -> Result<Connection, RecordsError> {
    let path = database(folder);
    path.metadata().map_err(RecordsError::file(
        &path,
        "written",
        "it is made when the appliance starts",
    ))?;
    let failed = RecordsError::database(folder);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(&failed)?;
    connection.busy_timeout(PATIENCE).map_err(&failed)?;
    let known = MIGRATIONS.len() as u32;
    if format(&connection, known, folder)? < known {
        return Err(RecordsError::Mismatch {
            problem: format!("{} was not brought to this format yet", path.display()),
        });
    }
    let set = |name, value: &str| connection.pragma_update(None, name, value).map_err(&failed);
    set("synchronous", "normal")?;
    // Copying into the database waits for the disk; that is left to whoever records.
    set("wal_autocheckpoint", "0")?;
    Ok(connection)
}

/// Looks at every page of a database: one that was cut may still answer questions about the rest. And at its
/// tables, views and triggers: with others than these, it could answer the one who checks it in another way
/// than the one who reads it.
///
/// # Errors
/// [`RecordsError::Mismatch`] if it is not whole, or not made as this program makes it.
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
    if shape(connection).map_err(&failed)? != expected_shape(format).map_err(&failed)? {
        return Err(RecordsError::Mismatch {
            problem: format!(
                "the tables of {} are not as they were made",
                database(folder).display()
            ),
        });
    }
    Ok(())
}

/// What a database consists of, but for what SQLite adds by itself.
fn shape(connection: &Connection) -> rusqlite::Result<Vec<(String, String, String)>> {
    connection
        .prepare(
            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             ORDER BY type, name",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

fn expected_shape(format: u32) -> rusqlite::Result<Vec<(String, String, String)>> {
    let fresh = Connection::open_in_memory()?;
    for migration in &MIGRATIONS[..format as usize] {
        fresh.execute_batch(migration)?;
    }
    shape(&fresh)
}

/// The database's format, at most `known`.
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
    fn a_database_is_durable_and_checks_its_references() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_for_writing(folder.path()).unwrap();
        let pragma = |name| -> rusqlite::Result<rusqlite::types::Value> {
            connection.pragma_query_value(None, name, |row| row.get(0))
        };
        assert_eq!(pragma("journal_mode").unwrap(), "wal".to_owned().into());
        assert_eq!(pragma("synchronous").unwrap(), 2.into());
        assert_eq!(pragma("user_version").unwrap(), 3.into());
        let orphan = r#"{"field": "nobody", "exported_at": "now"}"#;
        let error = connection
            .execute(
                "INSERT INTO exports (seq, body, previous, hash) VALUES (1, ?1, '', '')",
                [orphan],
            )
            .unwrap_err();
        assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
    }

    #[test]
    fn a_format_is_brought_to_the_next_and_a_later_one_is_refused() {
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
                        found: 4,
                        known: 3,
                        ..
                    }
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_the_format_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let broken = [MIGRATIONS[0], "CREATE TABLE half (x); nonsense"];
        open_with(folder.path(), &broken).unwrap_err();
        let connection = open_for_writing(folder.path()).unwrap();
        connection.prepare("SELECT x FROM half").unwrap_err();
    }
}
