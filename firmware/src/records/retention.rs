//! Removing images that are too old, or that were exported and leave no room for others. Rows stay.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::config::storage::Retention;
use crate::records::RecordsError;
use crate::records::Space;
use crate::records::Store;
use crate::records::ballast;
use crate::records::chain::{self, Kind};
use crate::records::entry::{FieldEntry, RemovalEntry, RemovalReason};
use crate::records::files::{Disk, Files};
use crate::records::periodic_task::PeriodicTask;
use crate::records::schema;
use crate::system::time::utc;

/// How often it is looked whether something should go.
const PERIOD: Duration = Duration::from_mins(1);
/// Fields whose images go between two looks at the free space.
const BATCH: u32 = 16;

/// Removes images from time to time, on a thread of its own, until it is dropped.
pub struct RetentionTask {
    /// CommitGuard, because dropping it ends the thread.
    _task: PeriodicTask,
}

impl RetentionTask {
    /// Starts on the records of `store`.
    ///
    /// # Errors
    /// Those of the database, and [`RecordsError::File`] if the system has no room for a thread.
    pub fn start(store: &Store, retention: Retention, space: Space) -> Result<Self, RecordsError> {
        let folder = store.folder().to_owned();
        let mut work = Work {
            connection: schema::open_for_writing(&folder)?,
            folder: folder.clone(),
            retention,
            space,
        };
        let task = PeriodicTask::start("retention", PERIOD, move || {
            if let Err(error) = work.tidy(Timestamp::now()) {
                let error = anyhow::Error::from(error);
                log::error!("images are not removed: {error:#}");
            }
            work.take_ballast();
            ControlFlow::Continue(())
        });
        Ok(Self {
            _task: task.map_err(RecordsError::file(&folder, "watched", "free some memory"))?,
        })
    }
}

struct Work {
    connection: Connection,
    folder: PathBuf,
    retention: Retention,
    space: Space,
}

/// Fields that have images.
const TOO_OLD: &str = "
    SELECT body FROM fields
    WHERE captured_at < ?1 AND NOT EXISTS (SELECT 1 FROM removals WHERE field = fields.id)
      AND (?2 OR EXISTS (SELECT 1 FROM exports WHERE field = fields.id))
    ORDER BY seq LIMIT ?3";
/// Exported ones first, the oldest of them first; others only where ?1 says so.
const DISPENSABLE: &str = "
    SELECT body, EXISTS (SELECT 1 FROM exports WHERE field = fields.id) AS is_exported
    FROM fields
    WHERE (?1 OR is_exported) AND NOT EXISTS (SELECT 1 FROM removals WHERE field = fields.id)
    ORDER BY is_exported DESC, seq LIMIT ?2";

impl Work {
    /// Removes what should go at `now`; gives of how many fields.
    fn tidy(&mut self, now: Timestamp) -> Result<usize, RecordsError> {
        let mut removed = 0;
        let may_go = self.retention.may_remove_unexported;
        if let Some(days) = self.retention.keep_days {
            let age = SignedDuration::from_hours(24 * i64::from(days));
            // Before the beginning of time nothing was photographed.
            let limit = now.checked_sub(age).unwrap_or(Timestamp::MIN);
            removed += self.remove_while(
                |_| true,
                RemovalReason::Age,
                now,
                |connection| bodies(connection, TOO_OLD, params![utc(limit), may_go, BATCH]),
            )?;
        }
        removed += self.remove_while(Space::is_low, RemovalReason::Space, now, |connection| {
            bodies(connection, DISPENSABLE, params![may_go, BATCH])
        })?;
        if removed > 0 {
            log::info!("images of {removed} fields were removed; their records stay");
        }
        Ok(removed)
    }

    /// Keeps room for the database, as long as the bench has what it needs besides.
    fn take_ballast(&self) {
        if self.space.spares(ballast::BYTES)
            && let Err(error) = ballast::keep(&self.folder)
        {
            log::warn!("no room is kept for the database: {error}");
        }
    }

    /// Removes batch after batch, until there is none or no need.
    fn remove_while(
        &mut self,
        is_needed: impl Fn(&Space) -> bool,
        reason: RemovalReason,
        now: Timestamp,
        batch: impl Fn(&Connection) -> rusqlite::Result<Vec<String>>,
    ) -> Result<usize, RecordsError> {
        let failed = RecordsError::database(&self.folder);
        let mut removed = 0;
        loop {
            let bodies = if is_needed(&self.space) {
                batch(&self.connection).map_err(&failed)?
            } else {
                Vec::new()
            };
            if bodies.is_empty() {
                return Ok(removed);
            }
            for body in bodies {
                if !is_needed(&self.space) {
                    return Ok(removed);
                }
                self.remove(&body, reason, now)?;
                removed += 1;
            }
        }
    }

    /// The row first: if the power goes before the files do, they go at the next start.
    fn remove(
        &mut self,
        body: &str,
        reason: RemovalReason,
        now: Timestamp,
    ) -> Result<(), RecordsError> {
        let failed = RecordsError::database(&self.folder);
        let field = parse(body)?;
        let removal = RemovalEntry {
            field: field.id,
            removed_at: utc(now),
            reason,
        };
        ballast::with_room(&self.folder, || {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(&failed)?;
            chain::append(&transaction, Kind::Removal, &removal).map_err(&failed)?;
            transaction.commit().map_err(&failed)
        })?;
        delete_images(&self.folder, &field)
    }
}

fn bodies(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare(query)?
        .query_map(parameters, |row| row.get("body"))?
        .collect()
}

/// Deletes what the last removal before a power cut may have left. What cannot be deleted harms nothing.
pub(super) fn finish(connection: &Connection, folder: &Path) -> Result<(), RecordsError> {
    let last: Option<String> = connection
        .query_row(
            "SELECT fields.body FROM removals JOIN fields ON fields.id = removals.field
             ORDER BY removals.seq DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(RecordsError::database(folder))?;
    match last {
        Some(body) => {
            if let Err(error) = delete_images(folder, &parse(&body)?) {
                log::warn!("{:#}", anyhow::Error::from(error));
            }
            Ok(())
        }
        None => Ok(()),
    }
}

fn parse(body: &str) -> Result<FieldEntry, RecordsError> {
    serde_json::from_str(body).map_err(|error| RecordsError::Mismatch {
        problem: format!("a field's row says nothing that this program knows: {error}"),
    })
}

fn delete_images(folder: &Path, field: &FieldEntry) -> Result<(), RecordsError> {
    for image in field.images() {
        let path = image.file(folder)?;
        Disk.remove(&path).map_err(RecordsError::file(
            &path,
            "deleted",
            "check that the disk is in order and may be written to by this user",
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use uuid::Uuid;

    use super::*;
    use crate::records::Filter;
    use crate::records::testing::{Records, day};

    /// A disk on which each removal of the images of a field makes room for one.
    struct Scene {
        records: Records,
        ids: Vec<Uuid>,
    }

    impl Scene {
        fn new() -> Self {
            let (records, ids) = Records::of_days(4);
            Self { records, ids }
        }

        fn work(&self, retention: Retention, missing: u64) -> Work {
            let looks = Arc::new(AtomicU64::new(0));
            let folder = self.records.path().to_owned();
            // One unit a field: as many as there are images less than at first.
            let probe = move || {
                looks.fetch_add(1, Ordering::Relaxed);
                let images = walkdir::WalkDir::new(folder.join("images")).into_iter();
                let files = images.filter(|entry| entry.as_ref().unwrap().file_type().is_file());
                Ok(4 - files.count() as u64 / 2)
            };
            Work {
                connection: schema::open_for_writing(self.records.path()).unwrap(),
                folder: self.records.path().into(),
                retention,
                space: Space::probed(probe, missing, 0),
            }
        }

        fn export(&self, index: usize) {
            let filter = Filter {
                field: Some(self.ids[index]),
                ..Filter::default()
            };
            let out = tempfile::tempdir().unwrap();
            let exported = self
                .records
                .archive()
                .export_zip(&filter, &out.path().join("out.zip"));
            assert_eq!(exported.unwrap().whole, [self.ids[index]]);
        }

        /// Which fields have lost their images.
        fn removed(&self) -> Vec<usize> {
            let is_removed = |index: &usize| self.records.images(self.ids[*index]).is_empty();
            let removed: Vec<_> = (0..self.ids.len()).filter(is_removed).collect();
            let all = self.records.fields(&Filter::default());
            assert_eq!(all.len(), self.ids.len(), "records stay");
            let verified = self.records.archive().verify(None).unwrap();
            assert_eq!(verified.removed, removed.len() as u64);
            assert_eq!(verified.unrecorded, 0);
            removed
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn images_go_when_they_are_too_old() {
        let scene = Scene::new();
        let retention = Retention {
            keep_days: Some(2),
            ..Retention::default()
        };
        let far = at("2126-01-01T00:00:00Z");
        let mut work = scene.work(retention, 0);
        assert_eq!(work.tidy(far).unwrap(), 0, "a wrong clock loses nothing");
        scene.export(0);
        scene.export(1);
        assert_eq!(
            work.tidy(at(&day(3))).unwrap(),
            0,
            "the first is two days old"
        );
        assert_eq!(work.tidy(at("2026-01-04T12:00:00.001Z")).unwrap(), 2);
        assert_eq!(scene.removed(), [0, 1]);
        assert_eq!(work.tidy(at("2026-01-04T12:00:00.001Z")).unwrap(), 0);
        let removed = &scene.records.fields(&Filter::default())[0];
        assert_eq!(
            removed.images_removed_at.as_deref(),
            Some("2026-01-04T12:00:00.001Z")
        );
    }

    #[test]
    fn exported_images_make_room_oldest_first_and_others_stay() {
        let scene = Scene::new();
        scene.export(3);
        scene.export(1);
        scene.export(2);
        let mut work = scene.work(Retention::default(), 2);
        assert_eq!(work.tidy(Timestamp::now()).unwrap(), 2);
        assert_eq!(scene.removed(), [1, 2]);
        let mut work = scene.work(Retention::default(), 4);
        assert_eq!(work.tidy(Timestamp::now()).unwrap(), 1);
        assert_eq!(scene.removed(), [1, 2, 3], "the first was never exported");
    }

    #[test]
    fn images_that_were_never_exported_go_last_and_only_if_they_may() {
        let scene = Scene::new();
        scene.export(2);
        let retention = Retention {
            may_remove_unexported: true,
            ..Retention::default()
        };
        assert_eq!(scene.work(retention, 2).tidy(Timestamp::now()).unwrap(), 2);
        assert_eq!(scene.removed(), [0, 2]);
        let now = at("2026-02-01T12:00:00Z");
        assert_eq!(scene.work(retention, 5).tidy(now).unwrap(), 2);
        assert_eq!(scene.removed(), [0, 1, 2, 3]);
        let verified = scene.records.archive().verify(None).unwrap();
        assert_eq!(
            (verified.removed_images, verified.removed_unexported),
            (8, 3)
        );
        assert_eq!(
            verified.last_removal.as_deref(),
            Some("2026-02-01T12:00:00.000Z")
        );
    }

    #[test]
    fn a_removal_that_the_power_cut_off_is_finished_at_the_next_start() {
        let mut scene = Scene::new();
        let image = scene.records.images(scene.ids[0]);
        let copies: Vec<_> = image
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .collect();
        let retention = Retention {
            may_remove_unexported: true,
            ..Retention::default()
        };
        scene.work(retention, 1).tidy(Timestamp::now()).unwrap();
        // As if the row had been written and the files not yet deleted.
        for (path, bytes) in image.iter().zip(copies) {
            std::fs::write(path, bytes).unwrap();
        }
        let folder = scene.records.path().to_owned();
        finish(&schema::open_for_reading(&folder).unwrap(), &folder).unwrap();
        assert_eq!(scene.removed(), [0]);
        scene.ids.push(scene.records.put(9).unwrap());
        assert_eq!(scene.removed(), [0], "the chain goes on");
    }
}
