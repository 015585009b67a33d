//! Rows that were saved and are no longer in the database.
//!
//! A loss does not prevent recording: the chain continues after the last row that is left. It is noted in a file, which the
//! self-test, the API and the verification report until an operator moves it away.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::records::chain;
use crate::records::error::{CHECK_DISK, RecordsError};
use crate::records::head::{Head, StoredHead};
use crate::records::layout::{LOSS, database};
use crate::records::orphans;
use crate::system::files::{PRIVATE, replace};
use crate::system::time::utc;

/// Rows that were lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Loss {
    /// When the loss was found (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub(crate) found_at: String,
    /// Number of the first missing row; null if it is unknown.
    #[schema(required)]
    pub(crate) first_row: Option<i64>,
    /// Number of the last missing row; null if it is unknown.
    #[schema(required)]
    pub(crate) last_row: Option<i64>,
    /// Hash of the last row that was saved; null if it is unknown.
    #[schema(required)]
    pub(crate) head: Option<String>,
    /// Number of fields of which only images are left.
    pub(crate) fields_with_images: u64,
    /// What is missing, and what to do.
    pub(crate) problem: String,
}

impl Loss {
    fn new(
        (first_row, last_row): (Option<i64>, Option<i64>),
        stored: Option<&Head>,
        fields: usize,
        problem: &str,
    ) -> Self {
        let evidence = match fields {
            0 => String::new(),
            1 => "; the images of 1 field without a row remain".into(),
            fields => format!("; the images of {fields} fields without a row remain"),
        };
        Self {
            found_at: utc(Timestamp::now()),
            first_row,
            last_row,
            head: stored.map(|stored| stored.hash.clone()),
            fields_with_images: fields as u64,
            problem: format!(
                "{problem}{evidence}; copy the state folder before anything else, and move {LOSS} out of it once this is \
                 dealt with"
            ),
        }
    }

    /// Compares the database with the head that was stored beside it: from `stored` if that was read, else with the images.
    /// `stored` must have been read before the database.
    ///
    /// # Errors
    /// Errors of the database.
    pub(super) fn find(
        connection: &Connection,
        folder: &Path,
        stored: Option<&Head>,
    ) -> Result<Option<Self>, RecordsError> {
        let failed = RecordsError::database(folder);
        let database = database(folder);
        let database = database.display();
        let last = chain::head(connection).map_err(&failed)?;
        let last = last.map_or(0, |last| last.seq);
        // Unreadable rows or images only make the number of fields unknown.
        let unrecorded = || {
            orphans::find(connection, folder).map_or((0, 0), |(orphans, newest)| {
                let fields: HashSet<_> = orphans.iter().map(|orphan| orphan.field).collect();
                (orphans::newer(&orphans, newest), fields.len())
            })
        };
        let Some(stored) = stored else {
            let (newer, _) = unrecorded();
            return Ok((newer > orphans::MAX_INTERRUPTED).then(|| {
                let problem =
                    format!("the end of {database} is missing: images are newer than its last row");
                Self::new((Some(last + 1), None), None, newer, &problem)
            }));
        };
        if stored.seq > last {
            let count = stored.seq - last;
            let rows = match count {
                1 => format!("row {}, which was saved, is", stored.seq),
                count => format!(
                    "rows {} to {} ({count} rows), which were saved, are",
                    last + 1,
                    stored.seq
                ),
            };
            let problem = format!(
                "{rows} missing from {database}: the end of its log was lost, for example in a power cut, or an older \
                 copy was put in its place"
            );
            let rows = (Some(last + 1), Some(stored.seq));
            let loss = Self::new(rows, Some(stored), unrecorded().0, &problem);
            return Ok(Some(loss));
        }
        let hash: Option<String> = connection
            .query_row(
                "SELECT hash FROM chain WHERE seq = ?1",
                [stored.seq],
                |row| row.get(0),
            )
            .optional()
            .map_err(&failed)?;
        if stored.seq == 0 || hash.as_deref() == Some(&stored.hash) {
            return Ok(None);
        }
        let problem = format!(
            "row {} of {database} is not the one that was saved: another database was put in its place",
            stored.seq
        );
        Ok(Some(Self::new(
            (None, Some(stored.seq)),
            Some(stored),
            unrecorded().1,
            &problem,
        )))
    }

    /// Whether these are two findings of one loss. Other rows can have the same numbers.
    fn is_same(&self, other: &Self) -> bool {
        let identity = |loss: &Self| {
            // Without a head, more images without rows tell another loss.
            let fields = loss.head.is_none().then_some(loss.fields_with_images);
            (loss.first_row, loss.last_row, loss.head.clone(), fields)
        };
        identity(self) == identity(other)
    }

    /// Adds the loss to the file in a state folder.
    ///
    /// # Errors
    /// [`RecordsError::File`]
    pub(super) fn remember(&self, folder: &Path) -> Result<(), RecordsError> {
        let mut losses = Self::known(folder)?;
        // The power may have failed before the loss was completely dealt with.
        if losses.iter().any(|known| known.is_same(self)) {
            return Ok(());
        }
        losses.push(self.clone());
        let lines: Vec<_> = losses
            .iter()
            .map(serde_json::to_string)
            .collect::<Result<_, _>>()
            .unwrap_or_default();
        let path = folder.join(LOSS);
        let text = lines.join("\n") + "\n";
        replace(&path, text.as_bytes(), PRIVATE)
            .map_err(RecordsError::file(&path, "written", CHECK_DISK))
    }

    /// The losses that are noted in a state folder. A line that cannot be read counts as a loss, too.
    ///
    /// # Errors
    /// [`RecordsError::File`]
    pub(crate) fn known(folder: &Path) -> Result<Vec<Self>, RecordsError> {
        let path = folder.join(LOSS);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(RecordsError::file(&path, "read", CHECK_DISK)(error)),
        };
        let unreadable = || {
            let problem = format!("rows were lost; {} does not say which", path.display());
            Self::new((None, None), None, 0, &problem)
        };
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines();
        Ok(lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| unreadable()))
            .collect())
    }
}

/// Compares the database with the head file, notes a loss, and makes the head file that of the database.
///
/// # Errors
/// [`RecordsError::File`] and errors of the database.
pub(super) fn check(connection: &Connection, folder: &Path) -> Result<(), RecordsError> {
    let stored = match StoredHead::read(folder) {
        Err(error @ RecordsError::Mismatch { .. }) => {
            log::error!("{}; it is created again", error.problem());
            None
        }
        result => result?,
    };
    let loss = Loss::find(
        connection,
        folder,
        stored.as_ref().map(|stored| &stored.head),
    )?;
    if let Some(loss) = &loss {
        log::error!("{}", loss.problem);
        loss.remember(folder)?;
    }
    if loss.is_none() && stored.is_some() {
        return Ok(());
    }
    let last = chain::head(connection).map_err(RecordsError::database(folder))?;
    let head = last.map_or_else(
        || Head {
            seq: 0,
            hash: chain::GENESIS.into(),
        },
        chain::Link::head,
    );
    let since = utc(Timestamp::now());
    StoredHead { head, since }.create(folder)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::records::filter::Filter;
    use crate::records::layout::HEAD;
    use crate::records::testing::Records;

    /// Flips a bit of the log, `share` of its length from its beginning.
    fn flip_in_log(folder: &TempDir, share: f64) {
        let log = database(folder.path()).with_extension("sqlite-wal");
        let mut bytes = fs::read(&log).unwrap();
        let place = (bytes.len() as f64 * share) as usize;
        bytes[place] ^= 1;
        fs::write(log, bytes).unwrap();
    }

    #[test]
    fn a_damaged_log_is_told_with_what_it_lost_and_recording_goes_on() {
        let (records, _) = Records::of_days(20);
        let folder = records.copied();
        flip_in_log(&folder, 0.5);
        let before = Loss::known(folder.path()).unwrap();
        assert_eq!(before, []);

        let mut records = Records::open(folder);
        let losses = Loss::known(records.path()).unwrap();
        let [loss] = &losses[..] else {
            panic!("{losses:?}");
        };
        let left = records.fields(&Filter::default()).len() as i64;
        assert!((5..15).contains(&left), "{left} fields are left");
        // The slide has the first number.
        assert_eq!((loss.first_row, loss.last_row), (Some(left + 2), Some(21)));
        assert_eq!(loss.fields_with_images, 20 - left.unsigned_abs());
        let count = 20 - left;
        let told = format!(
            "rows {} to 21 ({count} rows), which were saved, are missing",
            left + 2
        );
        assert!(loss.problem.starts_with(&told), "{}", loss.problem);
        assert!(
            loss.problem.contains(&format!(
                "the images of {count} fields without a row remain"
            )),
            "{}",
            loss.problem
        );

        records.put(21).unwrap();
        let problem = records.problem();
        assert!(problem.contains(&told), "{problem}");
        let folder = records.close();
        let records = Records::open(folder);
        assert_eq!(Loss::known(records.path()).unwrap(), losses, "told once");
        fs::remove_file(records.path().join(LOSS)).unwrap();
        let verified = records.verified();
        // The first slide with its end, what is left, and another slide with its field and its end.
        assert_eq!(verified.rows, 1 + left + 1 + 2 + 1);
        assert_eq!(verified.orphans.len() as i64, 2 * count);
    }

    #[test]
    fn a_copy_that_was_never_opened_is_verified_with_its_loss() {
        let (records, _) = Records::of_days(20);
        let folder = records.copied();
        flip_in_log(&folder, 0.9);
        let verified = crate::records::Verified::of(folder.path(), None, &mut |_, _| ()).unwrap();
        let [damage] = &verified.damages[..] else {
            panic!("{:?}", verified.damages);
        };
        assert!(damage.problem.contains(" to 21 ("), "{damage:?}");
        assert!(!folder.path().join(LOSS).exists());
    }

    #[test]
    fn a_head_that_lags_behind_is_no_loss() {
        let (mut records, _) = Records::of_days(2);
        let earlier = fs::read(records.path().join(HEAD)).unwrap();
        records.put(3).unwrap();
        records.put(4).unwrap();
        // As if the power had failed between commit and save.
        fs::write(records.path().join(HEAD), earlier).unwrap();
        let records = Records::open(records.close());
        assert_eq!(Loss::known(records.path()).unwrap(), []);
        // A slide, four fields, and the slide's end at the start.
        assert_eq!(records.verified().rows, 6);
    }

    #[test]
    fn another_database_is_told() {
        let (records, _) = Records::of_days(2);
        let (other, _) = Records::of_days(3);
        fs::copy(other.path().join(HEAD), records.path().join(HEAD)).unwrap();
        let longer = records.problem();
        assert!(
            longer.starts_with("row 4, which was saved, is missing"),
            "{longer}"
        );
        let (other, _) = Records::of_days(2);
        fs::copy(other.path().join(HEAD), records.path().join(HEAD)).unwrap();
        let replaced = records.problem();
        assert!(replaced.starts_with("row 3 of "), "{replaced}");
        assert!(
            replaced.contains("is not the one that was saved"),
            "{replaced}"
        );
    }

    #[test]
    fn another_loss_of_the_same_rows_is_noted_and_the_same_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let note = |head: Option<&str>, fields| {
            let head = head.map(|hash| Head {
                seq: 9,
                hash: hash.into(),
            });
            let rows = (Some(5), Some(9));
            let loss = Loss::new(rows, head.as_ref(), fields, "rows 5 to 9 are missing");
            loss.remember(folder.path()).unwrap();
            Loss::known(folder.path()).unwrap().len()
        };
        assert_eq!(note(Some("aa"), 3), 1);
        assert_eq!(note(Some("aa"), 4), 1, "counted again");
        assert_eq!(note(Some("bb"), 3), 2);
        assert_eq!(note(None, 3), 3);
        assert_eq!(note(None, 3), 3);
        assert_eq!(note(None, 6), 4);
    }

    #[test]
    fn without_a_head_images_that_are_newer_than_the_last_row_tell_a_loss() {
        for (interrupted, losses) in [
            (orphans::MAX_INTERRUPTED, 0),
            (orphans::MAX_INTERRUPTED + 1, 1),
        ] {
            let (mut records, _) = Records::of_days(2);
            for _ in 0..interrupted {
                records.put_without_row();
            }
            // As an earlier version leaves the folder.
            fs::remove_file(records.path().join(HEAD)).unwrap();
            let records = Records::open(records.close());
            let found = Loss::known(records.path()).unwrap();
            assert_eq!(found.len(), losses, "{found:?}");
            for loss in found {
                assert_eq!((loss.first_row, loss.last_row), (Some(4), None));
                assert_eq!(loss.fields_with_images, interrupted as u64);
            }
            let head = StoredHead::read(records.path()).unwrap().unwrap().head;
            // A slide, two fields, and the slide's end at the start.
            assert_eq!(head.seq, 4);
        }
    }
}
