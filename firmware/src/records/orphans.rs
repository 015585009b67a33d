//! Image files that no row names. A power cut between writing a field's images and committing its row leaves them.
//! They are also the evidence of rows that were lost.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde::Deserialize;
use uuid::Uuid;
use walkdir::WalkDir;

use crate::records::error::RecordsError;
use crate::records::files::{Files, RealFiles};
use crate::records::head::StoredHead;
use crate::records::layout::{IMAGES, LOSS};
use crate::system::time::utc;

/// Younger files may belong to a capture whose row is about to be committed.
const MIN_AGE: SignedDuration = SignedDuration::from_hours(1);

/// An image of a field that has no row.
pub(super) struct Orphan {
    path: PathBuf,
    /// The field, according to the file's name.
    pub(super) field: Uuid,
}

/// Every file in the folder of images.
pub(super) fn image_files(folder: &Path) -> impl Iterator<Item = walkdir::Result<PathBuf>> {
    let images = folder.join(IMAGES);
    let entries = images.is_dir().then(|| WalkDir::new(images));
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| match entry {
            Ok(entry) => entry.file_type().is_file().then(|| Ok(entry.into_path())),
            Err(error) => Some(Err(error)),
        })
}

/// The field whose image has this path, according to its name.
fn field_of(path: &Path) -> Option<Uuid> {
    path.file_name()?.to_str()?.get(..36)?.parse().ok()
}

/// The images whose field has no row, without files that are named otherwise, and the newest field that has a row.
///
/// # Errors
/// If any row or folder cannot be read: then it is unknown which images have a row.
pub(super) fn find(
    connection: &Connection,
    folder: &Path,
) -> Result<(Vec<Orphan>, Option<Uuid>), RecordsError> {
    let known = fields(connection, folder)?;
    let mut orphans = Vec::new();
    for path in image_files(folder) {
        let path = path.map_err(|error| {
            let remedy = "check that the disk works";
            RecordsError::file(&folder.join(IMAGES), "read", remedy)(error.into())
        })?;
        if let Some(field) = field_of(&path)
            && !known.contains(&field)
        {
            orphans.push(Orphan { path, field });
        }
    }
    Ok((orphans, known.into_iter().max()))
}

/// The ids of all recorded fields, read without an index, which could be damaged.
fn fields(connection: &Connection, folder: &Path) -> Result<HashSet<Uuid>, RecordsError> {
    #[derive(Deserialize)]
    struct Body {
        id: Uuid,
    }
    let failed = RecordsError::database(folder);
    let mut statement = connection
        .prepare("SELECT body FROM fields NOT INDEXED")
        .map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    let mut ids = HashSet::new();
    // One row after the other: all of them may exceed the memory.
    while let Some(row) = rows.next().map_err(&failed)? {
        let body: String = row.get(0).map_err(&failed)?;
        let body: Body = serde_json::from_str(&body).map_err(|error| RecordsError::Mismatch {
            problem: format!("a field is not valid: {error}"),
        })?;
        ids.insert(body.id);
    }
    Ok(ids)
}

/// A power cut leaves the images of one field without a row; uploads can add another. More are evidence of a loss.
pub(super) const MAX_INTERRUPTED: usize = 2;

/// The number of fields without a row that are newer than the newest one with a row.
pub(super) fn newer(orphans: &[Orphan], newest: Option<Uuid>) -> usize {
    let fields = orphans.iter().map(|orphan| orphan.field);
    let newer: HashSet<_> = fields.filter(|field| Some(*field) > newest).collect();
    newer.len()
}

/// Deletes images that a power cut left without a row, once they are old enough, and returns their number. Nothing is
/// deleted while a loss of rows is known, or if rows are missing, because the images may be all that is left of a field.
/// Images from before the head file existed, or from before the last loss, stay for the same reason.
///
/// # Errors
/// As [`find`].
pub(super) fn remove(
    connection: &Connection,
    folder: &Path,
    now: Timestamp,
) -> Result<u64, RecordsError> {
    let is_complete: bool = connection
        .query_row(
            "SELECT count(*) = ifnull(max(seq), 0) FROM chain",
            [],
            |row| row.get(0),
        )
        .map_err(RecordsError::database(folder))?;
    let Some(StoredHead { since, .. }) = StoredHead::read(folder)? else {
        return Ok(0);
    };
    if folder.join(LOSS).exists() || !is_complete {
        return Ok(0);
    }
    let may_go = |path: &Path| {
        let modified = path.symlink_metadata().and_then(|found| found.modified());
        modified
            .ok()
            .and_then(|modified| Timestamp::try_from(modified).ok())
            .is_some_and(|modified| {
                utc(modified) > since && now.duration_since(modified) >= MIN_AGE
            })
    };
    let (orphans, newest) = find(connection, folder)?;
    // The end of the database may be missing without a head that tells.
    if newer(&orphans, newest) > MAX_INTERRUPTED {
        return Ok(0);
    }
    let mut removed = 0;
    for Orphan { path, field } in orphans {
        if !may_go(&path) {
            continue;
        }
        match RealFiles.remove(&path) {
            Ok(()) => {
                removed += 1;
                log::warn!(
                    "{} is deleted: field {field} was interrupted before it was saved",
                    path.display()
                );
            }
            Err(error) => log::warn!("{} cannot be deleted: {error}", path.display()),
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::testing::Records;

    /// Leaves the images of two fields without a row.
    fn interrupted() -> (Records, Vec<PathBuf>) {
        let (mut records, _) = Records::of_days(2);
        let orphans = [records.put_without_row(), records.put_without_row()].concat();
        set_since(&records, Timestamp::UNIX_EPOCH);
        (records, orphans)
    }

    /// Sets since when every saved row is known to be in the database.
    fn set_since(records: &Records, since: Timestamp) {
        let since = utc(since);
        let stored = StoredHead::read(records.path()).unwrap().unwrap();
        StoredHead { since, ..stored }
            .create(records.path())
            .unwrap();
    }

    fn remove_at(records: &Records, now: Timestamp) -> u64 {
        remove(records.archive().connection(), records.path(), now).unwrap()
    }

    fn later() -> Timestamp {
        Timestamp::now() + MIN_AGE
    }

    #[test]
    fn images_of_interrupted_captures_are_deleted_when_they_are_old() {
        let (records, orphans) = interrupted();
        let foreign = records.path().join("images/notes.txt");
        std::fs::write(&foreign, "x").unwrap();
        assert_eq!(
            remove_at(&records, Timestamp::now()),
            0,
            "may be in progress"
        );
        assert_eq!(
            remove_at(&records, Timestamp::UNIX_EPOCH),
            0,
            "a wrong clock"
        );
        assert_eq!(remove_at(&records, later()), 4);
        assert!(orphans.iter().all(|path| !path.exists()));
        assert!(foreign.exists());
        let verified = records.verified();
        assert_eq!((verified.images, verified.orphans.len()), (4, 1));
    }

    #[test]
    fn evidence_of_lost_rows_is_never_deleted() {
        let (records, _) = interrupted();
        std::fs::write(records.path().join(LOSS), "").unwrap();
        assert_eq!(remove_at(&records, later()), 0, "a known loss");
        std::fs::remove_file(records.path().join(LOSS)).unwrap();

        set_since(&records, later());
        assert_eq!(
            remove_at(&records, later() + MIN_AGE),
            0,
            "from before the loss"
        );

        let (records, _) = interrupted();
        records.tamper("DELETE FROM fields WHERE seq = 2");
        assert_eq!(remove_at(&records, later()), 0, "a missing row");
        let (records, _) = interrupted();
        records.tamper("UPDATE fields SET body = json_set(body, '$.id', 'x') WHERE seq = 2");
        remove(records.archive().connection(), records.path(), later()).unwrap_err();
    }
}
