//! Removing the images of a field: first the row that records the removal, then the files.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::records::ballast;
use crate::records::chain::{self, Kind};
use crate::records::entry::{FieldEntry, RemovalEntry, RemovalReason};
use crate::records::error::{CHECK_DISK, RecordsError};
use crate::records::files::{Files, RealFiles};
use crate::system::time::utc;

/// Records the removal of a field's images and deletes them. If the power fails in between, [`finish`] deletes them at the
/// next start.
pub(super) fn remove_images(
    connection: &mut Connection,
    folder: &Path,
    field: &FieldEntry,
    reason: RemovalReason,
    now: Timestamp,
) -> Result<(), RecordsError> {
    let removal = RemovalEntry {
        field: field.id,
        removed_at: utc(now),
        reason,
    };
    ballast::with_room(folder, || {
        chain::append_all(
            connection,
            folder,
            Kind::Removal,
            std::slice::from_ref(&removal),
        )
        .map_err(RecordsError::database(folder))
    })?;
    delete_images(folder, field)
}

/// Deletes the images of the last recorded removal, which a power cut may have left. A file that cannot be deleted is
/// logged and does no harm.
pub(super) fn finish(connection: &Connection, folder: &Path) -> Result<(), RecordsError> {
    let last: Option<(i64, String)> = connection
        .query_row(
            "SELECT fields.seq, fields.body FROM removals JOIN fields ON fields.id = removals.field
             ORDER BY removals.seq DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(RecordsError::database(folder))?;
    if let Some((seq, body)) = last {
        let field = chain::parse(Kind::Field, seq, &body)?;
        if let Err(error) = delete_images(folder, &field) {
            log::warn!("{:#}", anyhow::Error::from(error));
        }
    }
    Ok(())
}

fn delete_images(folder: &Path, field: &FieldEntry) -> Result<(), RecordsError> {
    for image in field.images() {
        let path = image.file(folder)?;
        RealFiles
            .remove(&path)
            .map_err(RecordsError::file(&path, "deleted", CHECK_DISK))?;
    }
    Ok(())
}
