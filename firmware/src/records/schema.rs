//! Opening and migrating the database.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXUPPER;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::Access;
use rustix::io::Errno;
use tempfile::TempDir;

use crate::records::chain::Kind;
use crate::records::error::{AS_SERVICE, CHECK_DISK, RecordsError};
use crate::records::layout::database;
use crate::system::disk::accepts_files;

/// Migrations from each format to the next, starting with an empty database. `user_version` is the number applied.
const MIGRATIONS: [&str; 5] = [
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
];

/// Oldest format that can be read without migration, as on read-only storage.
const MIN_READABLE: u32 = 1;

/// How long to wait while another connection writes, for example an export that marks many fields.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

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

/// Creates an empty database unless it exists. SQLite gives its log the same mode. An existing database is not opened:
/// closing it would drop the locks of this process's connections (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
fn create(path: &Path) -> Result<(), RecordsError> {
    let created = File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(RecordsError::file(path, "created", CHECK_DISK)(error))
        }
        _ => Ok(()),
    }
}

fn open_with(folder: &Path, migrations: &[&str]) -> Result<Connection, RecordsError> {
    let failed = RecordsError::database(folder);
    create(&database(folder))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
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

/// The database of a state folder, open for reading.
pub(super) struct Readable {
    pub(super) connection: Connection,
    /// Whether the database does not change while it is open.
    pub(super) is_frozen: bool,
    /// The copy that is read instead, which is deleted when the records are closed.
    _copy: Option<TempDir>,
}

/// Opens the database of a state folder for reading, also while an appliance writes to it. A folder that cannot be written
/// to is assumed to have no writer; if its database has a log, a temporary copy of both is read.
///
/// # Errors
/// [`RecordsError::File`] if there is no database or it cannot be read or copied, and as [`open_for_writing`].
pub(super) fn open_for_reading(folder: &Path) -> Result<Readable, RecordsError> {
    let path = database(folder);
    // SQLite would not tell why it cannot open the file.
    rustix::fs::access(&path, Access::READ_OK).map_err(|error| {
        let remedy = match error {
            Errno::ACCESS => AS_SERVICE,
            _ => {
                "name the state folder of an appliance that has recorded something (--state, or storage.state)"
            }
        };
        RecordsError::file(&path, "read", remedy)(error.into())
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let has_log = log(&path).metadata().is_ok_and(|log| log.len() > 0);
    let opened = connect(folder, &path, flags).and_then(|connection| {
        let format = format(&connection, MIGRATIONS.len() as u32, folder)?;
        Ok((connection, format))
    });
    let is_frozen = opened.is_err();
    let (connection, format, copy) = match opened {
        Ok((connection, format)) => (connection, format, None),
        // The shared-memory file of the log cannot be created.
        Err(RecordsError::Database { .. }) if is_read_only(folder) => {
            let copy = has_log.then(|| copy(folder)).transpose()?;
            let place = copy.as_ref().map_or(folder, TempDir::path);
            let connection = if has_log {
                connect(folder, database(place), OpenFlags::SQLITE_OPEN_READ_WRITE)?
            } else {
                let uri = immutable_uri(&path);
                connect(folder, uri, flags | OpenFlags::SQLITE_OPEN_URI)?
            };
            let format = self::format(&connection, MIGRATIONS.len() as u32, folder)?;
            (connection, format, copy)
        }
        Err(error) => return Err(error),
    };
    if format < MIN_READABLE {
        return Err(RecordsError::Mismatch {
            problem: format!("{} contains no smearscope records", path.display()),
        });
    }
    Ok(Readable {
        connection,
        is_frozen,
        _copy: copy,
    })
}

/// The write-ahead log of a database.
fn log(database: &Path) -> PathBuf {
    database.with_extension("sqlite-wal")
}

/// Copies the database and its log to a temporary folder that only this user can access. This drops the locks of this
/// process's connections, which do not matter where nothing can be written.
fn copy(folder: &Path) -> Result<TempDir, RecordsError> {
    let remedy = "its log must be applied to a copy: free some space in the folder for temporary files, or name another \
                  one in TMPDIR";
    let path = database(folder);
    let copy = || {
        let copy = tempfile::tempdir()?;
        let to = database(copy.path());
        fs::copy(&path, &to)?;
        fs::copy(log(&path), log(&to))?;
        Ok(copy)
    };
    copy().map_err(RecordsError::file(&path, "copied", remedy))
}

/// Whether this user cannot write to a folder, for example because the disk failed and accepts no more writes.
pub(super) fn is_read_only(folder: &Path) -> bool {
    rustix::fs::access(folder, Access::WRITE_OK).is_err() || !accepts_files(folder)
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

/// Verifies the pages of a database, because queries may still succeed on a truncated one, and its tables, views and
/// triggers, because a changed view could show other rows to the verification than to readers. The pages of the cells, which
/// are most of a database and would delay each start, are left to [`damages`].
///
/// # Errors
/// [`RecordsError::Mismatch`] if a page is damaged or the schema differs from this program's.
pub(super) fn check(connection: &Connection, folder: &Path) -> Result<(), RecordsError> {
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Cells);
    let tables = kinds.map(Kind::table).chain(["deliveries"]);
    for table in tables {
        let found = pages(connection, "quick_check", Some(table));
        let found = found.map_err(RecordsError::database(folder))?;
        if let Some(found) = found.first() {
            return Err(damaged(folder, found));
        }
    }
    check_schema(connection, folder)
}

/// Everything that is wrong with the pages, indexes, tables and views of a database; more thorough than [`check`].
pub(super) fn damages(connection: &Connection, folder: &Path) -> Vec<String> {
    let check = "integrity_check";
    let mut damages = match pages(connection, check, None) {
        Ok(damages) => damages,
        // A row without valid JSON ends the check, so that the other tables are checked one by one.
        Err(error) => {
            let tables = Kind::ALL.map(|kind| {
                pages(connection, check, Some(kind.table()))
                    .unwrap_or_else(|error| vec![format!("{}: {error}", kind.table())])
            });
            let damages = tables.concat();
            if damages.is_empty() {
                vec![error.to_string()]
            } else {
                damages
            }
        }
    };
    for damage in &mut damages {
        *damage = self::damaged(folder, damage).problem();
    }
    damages.extend(
        check_schema(connection, folder)
            .err()
            .map(RecordsError::problem),
    );
    damages
}

/// What SQLite's `check` finds wrong with a table and its indexes, or with the whole database.
fn pages(
    connection: &Connection,
    check: &str,
    table: Option<&str>,
) -> rusqlite::Result<Vec<String>> {
    let argument = table.map_or_else(String::new, |table| format!("({table})"));
    let mut statement = connection.prepare(&format!("PRAGMA {check}{argument}"))?;
    let lines: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn damaged(folder: &Path, found: &str) -> RecordsError {
    let found = found.trim().replace('\n', "; ");
    RecordsError::Mismatch {
        problem: format!("{} is damaged ({found})", database(folder).display()),
    }
}

fn check_schema(connection: &Connection, folder: &Path) -> Result<(), RecordsError> {
    let failed = RecordsError::database(folder);
    let format = format(connection, MIGRATIONS.len() as u32, folder)?;
    if schema(connection).map_err(&failed)? == expected_schema(format).map_err(&failed)? {
        return Ok(());
    }
    Err(RecordsError::Mismatch {
        problem: format!(
            "the tables, views or triggers of {} have changed since they were created",
            database(folder).display()
        ),
    })
}

/// Type, name and SQL of everything in a database; indexes that SQLite adds by itself have no SQL. The statistics that
/// `ANALYZE` leaves there say nothing about records.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<(String, String, String)>> {
    connection
        .prepare(
            "SELECT type, name, coalesce(sql, '') FROM sqlite_schema
             WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name",
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
        // A later version would have other tables.
        let failed = RecordsError::database(folder);
        if schema(connection).map_err(&failed)? == expected_schema(known).map_err(&failed)? {
            let problem = format!("its format is {found}, but its tables are of format {known}");
            return Err(damaged(folder, &problem));
        }
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
        assert_eq!(pragma("user_version").unwrap(), 5.into());
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
            open_for_reading(folder.path()).err().unwrap(),
        ] {
            assert!(
                matches!(
                    error,
                    RecordsError::Newer {
                        found: 6,
                        known: 5,
                        ..
                    }
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn statistics_of_an_administrator_are_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_for_writing(folder.path()).unwrap();
        connection.execute_batch("ANALYZE").unwrap();
        check(&connection, folder.path()).unwrap();
        connection.execute_batch("CREATE TABLE more (x)").unwrap();
        check(&connection, folder.path()).unwrap_err();
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
