//! Writing records: images first, then the row that names them.

use std::fs::{File, TryLockError};
use std::io::{self, Cursor};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::{ImageFormat, RgbImage};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use smearscope_artifacts::sha256;
use uuid::Uuid;

use crate::records::IMAGES;
use crate::records::INCOMING;
use crate::records::LOCK;
use crate::records::RecordsError;
use crate::records::chain::{self, Kind};
use crate::records::entry::{FieldEntry, ImageEntry, SlideEntry};
use crate::records::files::{Disk, Files};
use crate::records::retention;
use crate::records::schema;

const CHECK_DISK: &str =
    "check that the disk is in order, has room and may be written to by this user";

/// The records of an appliance, which is the only one that adds fields of its slides to them.
pub struct Store {
    folder: PathBuf,
    connection: Connection,
    /// Which file the database is.
    identity: (u64, u64),
    /// The slide whose folder's name is on the disk.
    synced: Option<Uuid>,
    files: Box<dyn Files>,
    /// CommitGuard, because dropping it lets others in; none of one that writes beside an appliance.
    _lock: Option<File>,
}

/// What is kept of a field.
pub struct FieldImages<'a> {
    /// The file that the camera gave, if it gave one.
    pub encoded: Option<&'a [u8]>,
    /// What it shows.
    pub image: &'a RgbImage,
    /// Its evidence, if there is any.
    pub overlay: Option<&'a RgbImage>,
}

/// Images that are on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// The picture.
    pub image: ImageEntry,
    /// Its evidence, if there is any.
    pub overlay: Option<ImageEntry>,
    /// How long it took to write them.
    pub elapsed: Duration,
}

impl Store {
    /// Opens the records in `folder`, which is made if need be.
    ///
    /// # Errors
    /// [`RecordsError::Locked`] if another appliance writes there; [`RecordsError::Mismatch`] if the database is not whole or its last
    /// row is not as it was written: the rest is checked by `smearscope records verify`;
    /// [`RecordsError::Newer`]; [`RecordsError::File`] and [`RecordsError::Database`] if the disk does not do as it should.
    pub fn open(folder: PathBuf) -> Result<Self, RecordsError> {
        Self::open_on(folder, Box::new(Disk))
    }

    /// The records of an appliance that is at work, for images that are no fields of its slides. What it writes is held
    /// up by no more than the commits of these.
    ///
    /// # Errors
    /// [`RecordsError::File`] as long as the appliance has not made them, and as [`Store::open`].
    pub fn beside(folder: PathBuf) -> Result<Self, RecordsError> {
        let identity = identity(&folder)?;
        Ok(Self {
            connection: schema::open_for_writing(&folder)?,
            folder,
            identity,
            synced: None,
            files: Box::new(Disk),
            _lock: None,
        })
    }

    pub(super) fn open_on(folder: PathBuf, files: Box<dyn Files>) -> Result<Self, RecordsError> {
        for path in [folder.clone(), folder.join(IMAGES), folder.join(INCOMING)] {
            Disk.make_folder(&path)
                .map_err(RecordsError::file(&path, "made", CHECK_DISK))?;
        }
        let lock = lock(&folder)?;
        refuse_images_alone(&folder)?;
        let connection = schema::open_for_writing(&folder)?;
        let failed = RecordsError::database(&folder);
        Disk.sync_folder(&folder)
            .map_err(RecordsError::file(&folder, "synced", CHECK_DISK))?;
        schema::check(&connection, &folder)?;
        check_head(&connection).map_err(failed)??;
        discard_incoming(&folder.join(INCOMING))?;
        retention::finish(&connection, &folder)?;
        let identity = identity(&folder)?;
        Ok(Self {
            folder,
            connection,
            identity,
            synced: None,
            files,
            _lock: Some(lock),
        })
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a field's images into its slide's folder and syncs them, before [`Store::commit`] names them in a row.
    ///
    /// # Errors
    /// [`RecordsError::File`]; then none of the images stays.
    pub fn write_images(
        &mut self,
        slide: Uuid,
        field: Uuid,
        pictures: &FieldImages<'_>,
    ) -> Result<Images, RecordsError> {
        check_identity(&self.folder, self.identity)?;
        let began = Instant::now();
        let mut written = Vec::new();
        let result = self.write_and_sync(slide, field, pictures, &mut written);
        let (image, overlay) = result.map_err(|error| {
            discard(&*self.files, &written);
            RecordsError::file(&self.slide_folder(slide), "written", CHECK_DISK)(error)
        })?;
        self.synced = Some(slide);
        Ok(Images {
            image,
            overlay,
            elapsed: began.elapsed(),
        })
    }

    /// Commits the row of a field whose images are on the disk, and with the first field of a slide the slide's. Once it
    /// returns, all of it is on the disk. While another connection writes, it waits, but not after `until`.
    ///
    /// # Errors
    /// [`RecordsError::Database`]; then there is no row and the images are discarded, unless the commit itself
    /// failed: whether the disk has the row is then known only after the next start, so the images stay.
    pub fn commit(
        &mut self,
        slide: &SlideEntry,
        field: &FieldEntry,
        until: Instant,
    ) -> Result<(), RecordsError> {
        let failed = RecordsError::database(&self.folder);
        let patience = until.saturating_duration_since(Instant::now());
        let begun = self.connection.busy_timeout(patience).and_then(|()| {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            add(&transaction, slide, field)?;
            Ok(transaction)
        });
        match begun {
            Ok(transaction) => {
                transaction.commit().map_err(failed)?;
                check_identity(&self.folder, self.identity)
            }
            Err(error) => {
                discard_images(
                    &*self.files,
                    &self.folder,
                    &field.image,
                    field.overlay.as_ref(),
                );
                Err(failed(error))
            }
        }
    }

    /// Deletes images that no row will name.
    pub fn discard(&self, images: &Images) {
        let overlay = images.overlay.as_ref();
        discard_images(&*self.files, &self.folder, &images.image, overlay);
    }

    /// Writes each image to `incoming`, syncs it, moves it to the slide's folder and syncs that; `written` gets every path
    /// that may exist.
    fn write_and_sync(
        &self,
        slide: Uuid,
        field: Uuid,
        pictures: &FieldImages<'_>,
        written: &mut Vec<PathBuf>,
    ) -> io::Result<(ImageEntry, Option<ImageEntry>)> {
        let folder = self.slide_folder(slide);
        if self.synced != Some(slide) {
            self.files.make_folder(&folder)?;
            self.files.sync_folder(&self.folder.join(IMAGES))?;
        }
        let mut write = |name: String, bytes: &[u8]| {
            let path = folder.join(&name);
            let incoming = self.folder.join(INCOMING).join(&name);
            written.extend([incoming.clone(), path.clone()]);
            self.files.write_synced(&incoming, bytes)?;
            self.files.rename(&incoming, &path)?;
            Ok::<_, io::Error>(ImageEntry {
                path: format!("{IMAGES}/{slide}/{name}"),
                sha256: sha256(bytes),
            })
        };
        let image = match pictures.encoded {
            Some(bytes) => write(format!("{field}.{}", extension(bytes)?), bytes)?,
            None => write(format!("{field}.png"), &png(pictures.image)?)?,
        };
        let overlay = match pictures.overlay {
            Some(overlay) => Some(write(format!("{field}-evidence.png"), &png(overlay)?)?),
            None => None,
        };
        self.files.sync_folder(&folder)?;
        Ok((image, overlay))
    }

    fn slide_folder(&self, slide: Uuid) -> PathBuf {
        self.folder.join(IMAGES).join(slide.to_string())
    }
}

/// Lets one appliance in.
fn lock(folder: &Path) -> Result<File, RecordsError> {
    let path = folder.join(LOCK);
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(RecordsError::file(&path, "made", CHECK_DISK))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(RecordsError::Locked {
            folder: folder.into(),
        }),
        Err(TryLockError::Error(error)) => {
            Err(RecordsError::file(&path, "locked", CHECK_DISK)(error))
        }
    }
}

/// Nothing is added after a row that is not as it was written.
fn check_head(connection: &Connection) -> rusqlite::Result<Result<(), RecordsError>> {
    let Some(head) = chain::head(connection)? else {
        return Ok(Ok(()));
    };
    let before = connection.query_row(
        "SELECT * FROM chain WHERE seq = ?1",
        [head.seq - 1],
        chain::Link::read,
    );
    let before = rusqlite::OptionalExtension::optional(before)?;
    Ok(match head.problem(before.as_ref()) {
        None => Ok(()),
        Some(problem) => Err(RecordsError::Mismatch { problem }),
    })
}

fn add(
    transaction: &Transaction<'_>,
    slide: &SlideEntry,
    field: &FieldEntry,
) -> rusqlite::Result<()> {
    let is_known: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM slides WHERE id = ?1)",
        [slide.id.to_string()],
        |row| row.get(0),
    )?;
    if !is_known {
        chain::append(transaction, Kind::Slide, slide)?;
    }
    chain::append(transaction, Kind::Field, field)
}

/// What was being written when the power went was not said to be saved. What cannot be deleted harms nothing.
fn discard_incoming(folder: &Path) -> Result<(), RecordsError> {
    let read = |error| RecordsError::file(folder, "read", CHECK_DISK)(error);
    for entry in folder.read_dir().map_err(read)? {
        let path = entry.map_err(read)?.path();
        match Disk.remove(&path) {
            Ok(()) => log::warn!("{} was not completed and is discarded", path.display()),
            Err(error) => log::warn!("{} cannot be deleted: {error}", path.display()),
        }
    }
    Ok(())
}

/// Images whose database is gone are not begun anew over: whoever verified them would find nothing amiss.
fn refuse_images_alone(folder: &Path) -> Result<(), RecordsError> {
    let database = crate::records::database(folder);
    if database.metadata().is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    let images = folder.join(IMAGES);
    let mut found = images
        .read_dir()
        .map_err(RecordsError::file(&images, "read", CHECK_DISK))?;
    if found.next().is_none() {
        return Ok(());
    }
    Err(RecordsError::Mismatch {
        problem: format!(
            "{} is gone or empty, but {} holds images",
            database.display(),
            images.display()
        ),
    })
}

/// A database that somebody moved away takes rows that nobody will find.
fn check_identity(folder: &Path, opened: (u64, u64)) -> Result<(), RecordsError> {
    if identity(folder)? == opened {
        return Ok(());
    }
    let problem = format!(
        "{} was exchanged while it was in use",
        crate::records::database(folder).display()
    );
    Err(RecordsError::Mismatch { problem })
}

/// Device and inode of the database.
fn identity(folder: &Path) -> Result<(u64, u64), RecordsError> {
    let path = crate::records::database(folder);
    let found = path
        .metadata()
        .map_err(RecordsError::file(&path, "read", CHECK_DISK))?;
    Ok((found.dev(), found.ino()))
}

fn discard_images(
    files: &dyn Files,
    folder: &Path,
    image: &ImageEntry,
    overlay: Option<&ImageEntry>,
) {
    let images = std::iter::once(image).chain(overlay);
    let paths: Vec<_> = images.map(|image| folder.join(&image.path)).collect();
    discard(files, &paths);
}

/// Best effort: what stays is an image without a row, which does no harm.
fn discard(files: &dyn Files, paths: &[PathBuf]) {
    for path in paths {
        if let Err(error) = files.remove(path) {
            log::warn!("{} cannot be deleted: {error}", path.display());
        }
    }
}

fn extension(bytes: &[u8]) -> io::Result<&'static str> {
    let format = image::guess_format(bytes).map_err(io::Error::other)?;
    Ok(format.extensions_str().first().unwrap_or(&"image"))
}

fn png(image: &RgbImage) -> io::Result<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    image
        .write_to(&mut png, ImageFormat::Png)
        .map_err(io::Error::other)?;
    Ok(png.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Filter;
    use crate::records::files::tests::Scripted;
    use crate::records::testing::{Records, day};

    const ALL: Filter = Filter {
        since: None,
        until: None,
        slide: None,
        field: None,
        verdict: None,
    };

    #[test]
    fn a_field_is_kept_as_it_came_with_its_evidence() {
        let mut records = Records::new();
        let id = records.put(1).unwrap();
        let [record] = &records.fields(&ALL)[..] else {
            panic!("there is one field");
        };
        assert_eq!((record.seq, record.field.id), (2, id));
        assert_eq!(record.field.captured_at, day(1));
        let [image, evidence] = &records.images(id)[..] else {
            panic!("both images are there");
        };
        for path in [image, evidence] {
            let pixels = image::open(path).unwrap().to_rgb8();
            assert_eq!(pixels.get_pixel(2, 1).0, [7, 1, 2]);
        }
        let bytes = std::fs::read(image).unwrap();
        assert_eq!(record.field.image.sha256, sha256(&bytes));
        assert_eq!(extension(&bytes).unwrap(), "png");
    }

    #[test]
    fn images_are_synced_and_named_before_there_is_a_row() {
        let files = Scripted::default();
        let done = std::sync::Arc::clone(&files.done);
        let mut records = Records::on(files);
        records.put(1).unwrap();
        records.put(2).unwrap();
        let image = [
            "write png",
            "rename png",
            "write evidence",
            "rename evidence",
            "sync slide",
        ];
        let expected = [&["make slide", "sync images"][..], &image, &image].concat();
        assert_eq!(*done.lock().unwrap(), expected);
    }

    #[test]
    fn after_a_failure_at_any_step_nothing_is_half_there() {
        let steps = 7;
        for step in 0..=steps {
            let mut records = Records::on(Scripted {
                failing: Some(step),
                ..Scripted::default()
            });
            let first = records.put(1);
            // The row is the last of all: as long as a step fails there is none.
            assert_eq!(first.is_err(), step < steps, "step {step}");
            if let Err(error) = first {
                assert!(error.to_string().contains("cannot be written"), "{error}");
                assert_eq!(records.archive().verify(None).unwrap().rows, 0);
                assert_eq!(records.archive().verify(None).unwrap().unrecorded, 0);
                assert_eq!(records.path().join(INCOMING).read_dir().unwrap().count(), 0);
                records.put(1).unwrap();
            }
            let verified = records.archive().verify(None).unwrap();
            assert_eq!((verified.rows, verified.images), (2, 2), "step {step}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_written_leaves_no_images() {
        let mut records = Records::new();
        records.put(1).unwrap();
        let refuse = "CREATE TEMP TRIGGER full BEFORE INSERT ON fields
                      BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
        records.store.connection.execute_batch(refuse).unwrap();
        let error = records.put(2).unwrap_err();
        assert!(error.to_string().contains("records.sqlite cannot be used"));
        records
            .store
            .connection
            .execute_batch("DROP TRIGGER full")
            .unwrap();
        records.put(3).unwrap();
        let verified = records.archive().verify(None).unwrap();
        assert_eq!(
            (verified.rows, verified.images, verified.unrecorded),
            (3, 4, 0)
        );
    }

    #[test]
    fn a_field_given_up_leaves_nothing() {
        let mut records = Records::new();
        records.put(1).unwrap();
        records.put_unwanted();
        let verified = records.archive().verify(None).unwrap();
        assert_eq!((verified.rows, verified.unrecorded), (2, 0));
    }

    #[test]
    fn one_appliance_writes_and_others_are_told() {
        let records = Records::new();
        let folder = records.path().to_owned();
        let error = Store::open(folder.clone()).err().unwrap();
        assert!(matches!(error, RecordsError::Locked { .. }));
        assert!(error.to_string().contains("in use by another smearscope"));
        let Records {
            store,
            folder: _held,
            ..
        } = records;
        drop(store);
        Store::open(folder).unwrap();
    }

    #[test]
    fn what_was_not_completed_is_discarded_at_the_next_start() {
        let (records, _) = Records::of_days(1);
        let half = records.path().join(INCOMING).join("half.jpg");
        std::fs::write(&half, "half").unwrap();
        let unrecorded = records.path().join(IMAGES).join("unrecorded.jpg");
        std::fs::write(&unrecorded, "whole").unwrap();
        let path = records.path().to_owned();
        let Records {
            store,
            folder: _held,
            ..
        } = records;
        drop(store);
        Store::open(path).unwrap();
        assert!(!half.exists());
        assert!(
            unrecorded.exists(),
            "its row may be in a database put aside"
        );
    }

    #[test]
    fn a_database_that_was_moved_away_saves_nothing() {
        let (mut records, _) = Records::of_days(1);
        let (path, aside) = (
            crate::records::database(records.path()),
            records.path().join("aside.sqlite"),
        );
        std::fs::rename(&path, &aside).unwrap();
        assert!(records.put(2).is_err());
        std::fs::write(&path, "another").unwrap();
        let error = records.put(2).unwrap_err();
        assert!(error.to_string().contains("was exchanged"), "{error}");
        std::fs::rename(&aside, &path).unwrap();
        records.put(2).unwrap();
        let verified = records.archive().verify(None).unwrap();
        assert_eq!((verified.rows, verified.unrecorded), (3, 0));
    }

    #[test]
    fn what_cannot_be_deleted_does_not_keep_it_from_starting() {
        let (records, _) = Records::of_days(1);
        let path = records.path().to_owned();
        std::fs::create_dir_all(path.join(INCOMING).join("folder/in it")).unwrap();
        let Records {
            store,
            folder: _held,
            ..
        } = records;
        drop(store);
        Store::open(path).unwrap();
    }

    #[test]
    fn nothing_is_added_after_a_row_that_was_changed() {
        let (records, _) = Records::of_days(2);
        records
            .tamper("UPDATE fields SET body = replace(body, 'Negative', 'Positive') WHERE seq = 3");
        let path = records.path().to_owned();
        let Records {
            store,
            folder: _held,
            ..
        } = records;
        drop(store);
        let error = Store::open(path).err().unwrap();
        assert!(
            error
                .to_string()
                .contains("row 3 (field) is not as it was written"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Store::open(file.join("state")).err().unwrap();
        assert!(matches!(error, RecordsError::File { doing: "made", .. }));
        assert!(
            error
                .to_string()
                .contains("file/state cannot be made; check"),
            "{error}"
        );
    }
}
