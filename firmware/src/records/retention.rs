//! Removing images that exceed their retention period, and exported images when the disk is low. Rows are never removed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use crate::config::storage::Retention;
use crate::records::chain::{self, Kind};
use crate::records::entry::RemovalReason;
use crate::records::error::RecordsError;
use crate::records::periodic_task::PeriodicTask;
use crate::records::removal::remove_images;
use crate::records::space::Space;
use crate::records::{ballast, orphans, permissions, schema};
use crate::system::time::utc;

/// Interval between checks.
const PERIOD: Duration = Duration::from_mins(1);
/// Interval between looks at all image files.
const INSPECTION_PERIOD: Duration = Duration::from_hours(24);
/// From the start to the first look at all image files, so that the start has the disk for itself.
const FIRST_INSPECTION: Duration = Duration::from_mins(10);
/// Fields per query.
const BATCH: u32 = 16;

/// Removes images periodically on a separate thread until it is dropped.
pub(super) struct RetentionTask {
    /// Dropping it ends the thread.
    _task: PeriodicTask,
}

impl RetentionTask {
    /// Starts retention for the records in `folder`.
    ///
    /// # Errors
    /// Errors of the database, and [`RecordsError::File`] if the thread cannot be started.
    pub(super) fn start(
        folder: &Path,
        retention: Retention,
        space: Space,
    ) -> Result<Self, RecordsError> {
        let mut cleaner = Cleaner {
            connection: schema::open_for_writing(folder)?,
            folder: folder.to_owned(),
            retention,
            space,
            next_inspection: Instant::now() + FIRST_INSPECTION,
        };
        let task = PeriodicTask::start("retention", PERIOD, move || {
            if let Err(error) = cleaner.clean(Timestamp::now()) {
                let error = anyhow::Error::from(error);
                log::error!("retention cannot remove images: {error:#}");
            }
            cleaner.restore_ballast();
            cleaner.inspect();
            ControlFlow::Continue(())
        });
        Ok(Self {
            _task: task.map_err(RecordsError::file(folder, "opened", "free some memory"))?,
        })
    }
}

/// Removes images according to the retention settings.
struct Cleaner {
    connection: Connection,
    folder: PathBuf,
    retention: Retention,
    space: Space,
    /// When all image files are looked at again.
    next_inspection: Instant,
}

/// Fields with images captured before ?1, oldest first; unexported ones only if ?2.
const EXPIRED: &str = "
    SELECT seq, body FROM fields
    WHERE captured_at < ?1 AND NOT EXISTS (SELECT 1 FROM removals WHERE field = fields.id)
      AND (?2 OR EXISTS (SELECT 1 FROM exports WHERE field = fields.id))
    ORDER BY seq LIMIT ?3";
/// Fields with images, exported ones first, each group oldest first; unexported ones only if ?1.
const REMOVABLE: &str = "
    SELECT seq, body, EXISTS (SELECT 1 FROM exports WHERE field = fields.id) AS is_exported
    FROM fields
    WHERE (?1 OR is_exported) AND NOT EXISTS (SELECT 1 FROM removals WHERE field = fields.id)
    ORDER BY is_exported DESC, seq LIMIT ?2";

impl Cleaner {
    /// Removes the images that are due at `now` and returns the number of fields.
    fn clean(&mut self, now: Timestamp) -> Result<usize, RecordsError> {
        let mut removed = 0;
        let may_remove_unexported = self.retention.may_remove_unexported;
        if let Some(days) = self.retention.keep_days {
            let age = SignedDuration::from_hours(24 * i64::from(days));
            // An age beyond the first timestamp selects nothing.
            let limit = now.checked_sub(age).unwrap_or(Timestamp::MIN);
            removed += self.remove_while(
                |_| true,
                RemovalReason::Age,
                now,
                |connection| {
                    let parameters = params![utc(limit), may_remove_unexported, BATCH];
                    bodies(connection, EXPIRED, parameters)
                },
            )?;
        }
        removed += self.remove_while(Space::is_low, RemovalReason::Space, now, |connection| {
            bodies(connection, REMOVABLE, params![may_remove_unexported, BATCH])
        })?;
        if removed > 0 {
            log::info!("retention removed the images of {removed} fields; their records remain");
        }
        Ok(removed)
    }

    /// Looks at all image files at intervals.
    fn inspect(&mut self) {
        let now = Instant::now();
        if now < self.next_inspection {
            return;
        }
        self.next_inspection = now + INSPECTION_PERIOD;
        permissions::narrow_images(&self.folder);
        if let Err(error) = orphans::remove(&self.connection, &self.folder, Timestamp::now()) {
            let error = anyhow::Error::from(error);
            log::warn!("images without a row are not looked for: {error:#}");
        }
    }

    /// Reserves space for the database if the appliance can spare it.
    fn restore_ballast(&self) {
        if self.space.can_spare(ballast::BYTES)
            && let Err(error) = ballast::keep(&self.folder)
        {
            log::warn!("cannot reserve disk space for the database: {error}");
        }
    }

    /// Removes images batch by batch while `is_needed` holds and `batch` returns rows.
    fn remove_while(
        &mut self,
        is_needed: impl Fn(&Space) -> bool,
        reason: RemovalReason,
        now: Timestamp,
        batch: impl Fn(&Connection) -> rusqlite::Result<Vec<(i64, String)>>,
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
            for (seq, body) in bodies {
                if !is_needed(&self.space) {
                    return Ok(removed);
                }
                let field = chain::parse(Kind::Field, seq, &body)?;
                remove_images(&mut self.connection, &self.folder, &field, reason, now)?;
                removed += 1;
            }
        }
    }
}

/// The numbers and bodies of the rows that a query selects.
fn bodies(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(i64, String)>> {
    connection
        .prepare(query)?
        .query_map(parameters, |row| Ok((row.get("seq")?, row.get("body")?)))?
        .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::records::export::Format;
    use crate::records::filter::Filter;
    use crate::records::removal;
    use crate::records::testing::{Records, day};

    /// Recorded fields on a simulated disk: removing the images of a field frees one unit.
    struct Scene {
        records: Records,
        ids: Vec<Uuid>,
    }

    impl Scene {
        fn new() -> Self {
            let (records, ids) = Records::of_days(4);
            Self { records, ids }
        }

        fn cleaner(&self, retention: Retention, wanted: u64) -> Cleaner {
            let folder = self.records.path().to_owned();
            // The number of fields without images, out of four.
            let probe = move || {
                let images = walkdir::WalkDir::new(folder.join("images")).into_iter();
                let files = images.filter(|entry| entry.as_ref().unwrap().file_type().is_file());
                Ok(4 - files.count() as u64 / 2)
            };
            Cleaner {
                connection: schema::open_for_writing(self.records.path()).unwrap(),
                folder: self.records.path().into(),
                retention,
                space: Space::probed(probe, wanted, 0),
                next_inspection: Instant::now(),
            }
        }

        fn export(&self, index: usize) {
            let filter = Filter::of_field(self.ids[index]);
            let out = tempfile::tempdir().unwrap();
            let exported =
                self.records
                    .archive()
                    .export(&filter, Format::Zip, &out.path().join("out.zip"));
            assert_eq!(exported.unwrap().whole, [self.ids[index]]);
        }

        /// The indices of the fields without images.
        fn removed(&self) -> Vec<usize> {
            let is_removed = |index: &usize| self.records.images(self.ids[*index]).is_empty();
            let removed: Vec<_> = (0..self.ids.len()).filter(is_removed).collect();
            let all = self.records.fields(&Filter::default());
            assert_eq!(all.len(), self.ids.len(), "records remain");
            let verified = self.records.verified();
            assert_eq!(verified.removed, removed.len() as u64);
            assert_eq!(verified.orphans, Vec::<String>::new());
            removed
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn expired_images_are_removed_once_exported() {
        let scene = Scene::new();
        let retention = Retention {
            keep_days: Some(2),
            ..Retention::default()
        };
        let far = at("2126-01-01T00:00:00Z");
        let mut cleaner = scene.cleaner(retention, 0);
        assert_eq!(
            cleaner.clean(far).unwrap(),
            0,
            "a wrong clock does not remove unexported images"
        );
        scene.export(0);
        scene.export(1);
        assert_eq!(
            cleaner.clean(at(&day(3))).unwrap(),
            0,
            "the first is two days old"
        );
        assert_eq!(cleaner.clean(at("2026-01-04T12:00:00.001Z")).unwrap(), 2);
        assert_eq!(scene.removed(), [0, 1]);
        assert_eq!(cleaner.clean(at("2026-01-04T12:00:00.001Z")).unwrap(), 0);
        let removed = &scene.records.fields(&Filter::default())[0];
        assert_eq!(
            removed.images_removed_at.as_deref(),
            Some("2026-01-04T12:00:00.001Z")
        );
    }

    #[test]
    fn a_low_disk_removes_exported_images_oldest_first_and_keeps_others() {
        let scene = Scene::new();
        scene.export(3);
        scene.export(1);
        scene.export(2);
        let mut cleaner = scene.cleaner(Retention::default(), 2);
        assert_eq!(cleaner.clean(Timestamp::now()).unwrap(), 2);
        assert_eq!(scene.removed(), [1, 2]);
        let mut cleaner = scene.cleaner(Retention::default(), 4);
        assert_eq!(cleaner.clean(Timestamp::now()).unwrap(), 1);
        assert_eq!(
            scene.removed(),
            [1, 2, 3],
            "the first field was never exported"
        );
    }

    #[test]
    fn unexported_images_are_removed_last_and_only_if_allowed() {
        let scene = Scene::new();
        scene.export(2);
        let retention = Retention {
            may_remove_unexported: true,
            ..Retention::default()
        };
        assert_eq!(
            scene.cleaner(retention, 2).clean(Timestamp::now()).unwrap(),
            2
        );
        assert_eq!(scene.removed(), [0, 2]);
        let now = at("2026-02-01T12:00:00Z");
        assert_eq!(scene.cleaner(retention, 5).clean(now).unwrap(), 2);
        assert_eq!(scene.removed(), [0, 1, 2, 3]);
        let verified = scene.records.verified();
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
    fn an_interrupted_removal_is_finished_at_the_next_start() {
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
        scene.cleaner(retention, 1).clean(Timestamp::now()).unwrap();
        // As if the power had failed after the row was written.
        for (path, bytes) in image.iter().zip(copies) {
            std::fs::write(path, bytes).unwrap();
        }
        let folder = scene.records.path().to_owned();
        removal::finish(
            &schema::open_for_reading(&folder).unwrap().connection,
            &folder,
        )
        .unwrap();
        assert_eq!(scene.removed(), [0]);
        scene.ids.push(scene.records.put(9).unwrap());
        assert_eq!(scene.removed(), [0], "recording continues");
    }
}
