//! Writing records: first the images, then the row that names them.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::codecs::png::PngEncoder;
use image::{ImageEncoder, RgbImage};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use smearscope_artifacts::sha256;
use uuid::Uuid;

use crate::records::cells_entry::CellsEntry;
use crate::records::chain::{self, Kind};
use crate::records::entry::{ClosingEntry, ClosingReason, FieldEntry, ImageEntry, SlideEntry};
use crate::records::error::{CHECK_DISK, RecordsError};
use crate::records::files::{Files, RealFiles};
use crate::records::head::Head;
use crate::records::image_metadata::jpeg_with;
use crate::records::layout::{IMAGES, INCOMING, LOCK, database};
use crate::records::periodic_task::Waker;
use crate::records::{ballast, loss, permissions, place, removal, schema};
use crate::system::clock::ClockState;
use crate::system::time::utc;

/// The records in a state folder, open for adding fields.
pub struct Store {
    folder: PathBuf,
    connection: Connection,
    /// Device and inode of the database.
    identity: (u64, u64),
    /// The latest time of a field.
    newest: Option<Timestamp>,
    /// The slide whose folder exists and is synced.
    synced_slide: Option<Uuid>,
    files: Box<dyn Files>,
    /// Woken after each commit, to move the row from the log into the database.
    checkpoints: Option<Waker>,
    /// Held while open, so that no other appliance writes here; `None` if opened with [`Store::open_shared`].
    _lock: Option<File>,
}

/// The images of a field that are recorded.
pub struct FieldImages<'a> {
    /// The image file that the camera delivered, if it delivers files.
    pub encoded: Option<&'a [u8]>,
    /// The decoded image.
    pub image: &'a RgbImage,
    /// EXIF data for the file, if the appliance's camera took the picture.
    pub exif: Option<&'a [u8]>,
    /// The evidence overlay, if the model gives one.
    pub overlay: Option<&'a RgbImage>,
}

/// Image files that are written and synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// The field's image.
    pub image: ImageEntry,
    /// The evidence overlay, if there is one.
    pub overlay: Option<ImageEntry>,
    /// How long writing and syncing took.
    pub elapsed: Duration,
}

impl Store {
    /// Opens the records in `folder`, which is created if necessary.
    ///
    /// # Errors
    /// - [`RecordsError::Locked`] if another appliance writes there
    /// - [`RecordsError::Mismatch`] if the database is damaged or its last row has changed; `smearscope records verify`
    ///   verifies the rest
    /// - [`RecordsError::Newer`] if a later version wrote the database
    /// - [`RecordsError::File`] and [`RecordsError::Database`] if the disk fails or is full
    pub fn open(folder: PathBuf) -> Result<Self, RecordsError> {
        Self::open_with(folder, Box::new(RealFiles))
    }

    /// Opens the records of a running appliance, to add uploaded images. The appliance waits only for the commits.
    ///
    /// # Errors
    /// [`RecordsError::File`] until the appliance has created the records, and as [`Store::open`].
    pub fn open_shared(folder: PathBuf) -> Result<Self, RecordsError> {
        let identity = identity(&folder)?;
        permissions::narrow(&folder);
        let connection = schema::open_for_writing(&folder)?;
        Ok(Self {
            newest: newest(&connection).map_err(RecordsError::database(&folder))?,
            connection,
            folder,
            identity,
            synced_slide: None,
            files: Box::new(RealFiles),
            checkpoints: None,
            _lock: None,
        })
    }

    /// Like [`Store::open`], with these file operations.
    pub(super) fn open_with(folder: PathBuf, files: Box<dyn Files>) -> Result<Self, RecordsError> {
        for path in [folder.clone(), folder.join(IMAGES), folder.join(INCOMING)] {
            RealFiles
                .create_folder(&path)
                .map_err(RecordsError::file(&path, "created", CHECK_DISK))?;
        }
        permissions::narrow(&folder);
        let lock = lock(&folder)?;
        refuse_images_without_database(&folder)?;
        let mut connection = schema::open_for_writing(&folder)?;
        let failed = RecordsError::database(&folder);
        place::ensure_identity(&folder)?;
        RealFiles
            .sync_folder(&folder)
            .map_err(RecordsError::file(&folder, "synced", CHECK_DISK))?;
        schema::check(&connection, &folder)?;
        check_head(&connection).map_err(&failed)??;
        loss::check(&connection, &folder)?;
        discard_incoming(&folder.join(INCOMING))?;
        removal::finish(&connection, &folder)?;
        // A full disk must not keep the records from being opened.
        if let Err(error) = close_open_slides(&mut connection, &folder) {
            log::warn!("an open slide cannot be closed now; the next start tries again: {error}");
        }
        let identity = identity(&folder)?;
        Ok(Self {
            newest: newest(&connection).map_err(&failed)?,
            folder,
            connection,
            identity,
            synced_slide: None,
            files,
            checkpoints: None,
            _lock: Some(lock),
        })
    }

    /// Wakes the checkpoints after each commit.
    pub(super) fn wake(&mut self, checkpoints: Waker) {
        self.checkpoints = Some(checkpoints);
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The latest time of a field, by the clock of its capture.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The number after those of all slides.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub fn next_slide_number(&self) -> Result<u32, RecordsError> {
        self.connection
            .query_row("SELECT max(number) FROM slides", [], |row| {
                row.get::<_, Option<u32>>(0)
            })
            .map(|last| last.unwrap_or_default().saturating_add(1))
            .map_err(RecordsError::database(&self.folder))
    }

    /// Records that a slide is closed. A slide without a recorded field is not recorded either.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub fn close_slide(&mut self, slide: Uuid, reason: ClosingReason) -> Result<(), RecordsError> {
        let failed = RecordsError::database(&self.folder);
        let (connection, folder) = (&mut self.connection, &self.folder);
        ballast::with_room(folder, || {
            let closed = connection
                .busy_timeout(schema::BUSY_TIMEOUT)
                .and_then(|()| close(connection, folder, slide, reason));
            closed.map_err(&failed)
        })?;
        check_identity(&self.folder, self.identity)
    }

    /// Writes and syncs a field's images, for a later [`Store::commit`] of its row.
    ///
    /// # Errors
    /// [`RecordsError::File`]; then no image remains.
    pub fn write_images(
        &mut self,
        slide: Uuid,
        field: Uuid,
        images: &FieldImages<'_>,
    ) -> Result<Images, RecordsError> {
        check_identity(&self.folder, self.identity)?;
        let start = Instant::now();
        let mut written = Vec::new();
        let result = self.write_and_sync(slide, field, images, &mut written);
        let (image, overlay) = result.map_err(|error| {
            discard(&*self.files, &written);
            RecordsError::file(&self.slide_folder(slide), "written", CHECK_DISK)(error)
        })?;
        self.synced_slide = Some(slide);
        Ok(Images {
            image,
            overlay,
            elapsed: start.elapsed(),
        })
    }

    /// Commits the row of a field whose images are written, that of its cells if they were looked at, and the slide's row with
    /// its first field. When it returns, the rows are on the disk. Waits until `until` while another connection writes.
    ///
    /// # Errors
    /// [`RecordsError::Database`]. Then there is no row, and the images are deleted. If the commit itself failed, the disk
    /// may have the row, so the images remain.
    pub fn commit(
        &mut self,
        slide: &SlideEntry,
        field: &FieldEntry,
        cells: Option<&CellsEntry>,
        until: Instant,
    ) -> Result<(), RecordsError> {
        let failed = RecordsError::database(&self.folder);
        let timeout = until.saturating_duration_since(Instant::now());
        let transaction = self.connection.busy_timeout(timeout).and_then(|()| {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let head = append(&transaction, slide, field, cells)?;
            Ok((transaction, head))
        });
        match transaction {
            Ok((transaction, head)) => {
                transaction.commit().map_err(failed)?;
                self.newest = self.newest.max(field.captured_at.parse().ok());
                check_identity(&self.folder, self.identity)?;
                head.save(&self.folder);
                if let Some(checkpoints) = &self.checkpoints {
                    checkpoints.wake();
                }
                Ok(())
            }
            Err(error) => {
                discard_images(&*self.files, &self.folder, field.images());
                Err(failed(error))
            }
        }
    }

    /// Deletes images whose field is not recorded.
    pub fn discard(&self, images: &Images) {
        let images = std::iter::once(&images.image).chain(&images.overlay);
        discard_images(&*self.files, &self.folder, images);
    }

    /// Writes each image to `incoming`, syncs it and moves it to the slide's folder, then syncs the folder. Appends every
    /// path that may exist to `written`.
    fn write_and_sync(
        &self,
        slide: Uuid,
        field: Uuid,
        images: &FieldImages<'_>,
        written: &mut Vec<PathBuf>,
    ) -> io::Result<(ImageEntry, Option<ImageEntry>)> {
        let folder = self.slide_folder(slide);
        if self.synced_slide != Some(slide) {
            self.files.create_folder(&folder)?;
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
        let image = match images.encoded {
            Some(bytes) => {
                let told = images.exif.and_then(|exif| jpeg_with(bytes, exif));
                let name = format!("{field}.{}", extension(bytes)?);
                write(name, told.as_deref().unwrap_or(bytes))?
            }
            None => write(format!("{field}.png"), &png(images.image, images.exif)?)?,
        };
        let overlay = match images.overlay {
            Some(overlay) => Some(write(
                format!("{field}-evidence.png"),
                &png(overlay, None)?,
            )?),
            None => None,
        };
        self.files.sync_folder(&folder)?;
        Ok((image, overlay))
    }

    fn slide_folder(&self, slide: Uuid) -> PathBuf {
        self.folder.join(IMAGES).join(slide.to_string())
    }
}

/// Locks the records for one appliance.
fn lock(folder: &Path) -> Result<File, RecordsError> {
    let path = folder.join(LOCK);
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(RecordsError::file(&path, "created", CHECK_DISK))?;
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

/// Verifies the last row, so that nothing is appended to a changed chain.
fn check_head(connection: &Connection) -> rusqlite::Result<Result<(), RecordsError>> {
    let Some(head) = chain::head(connection)? else {
        return Ok(Ok(()));
    };
    let previous = connection.query_row(
        "SELECT * FROM chain WHERE seq = ?1",
        [head.seq - 1],
        chain::Link::read,
    );
    let previous = previous.optional()?;
    Ok(match head.problem(previous.as_ref()) {
        None => Ok(()),
        Some(problem) => Err(RecordsError::Mismatch { problem }),
    })
}

/// Appends the rows of a field and of its cells, after the row of its slide if that is not recorded yet.
fn append(
    transaction: &Transaction<'_>,
    slide: &SlideEntry,
    field: &FieldEntry,
    cells: Option<&CellsEntry>,
) -> rusqlite::Result<Head> {
    let is_known: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM slides WHERE id = ?1)",
        [slide.id.to_string()],
        |row| row.get(0),
    )?;
    if !is_known {
        chain::append(transaction, Kind::Slide, slide)?;
    }
    let head = chain::append(transaction, Kind::Field, field)?;
    match cells {
        Some(cells) => chain::append(transaction, Kind::Cells, cells),
        None => Ok(head),
    }
}

/// The latest time of a field. A time that is none, which only a forged row has, is ignored.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let newest: Option<String> =
        connection.query_row("SELECT max(captured_at) FROM fields", [], |row| row.get(0))?;
    Ok(newest.and_then(|newest| newest.parse().ok()))
}

/// Closes the slides that were open when the program ended, for example by a power cut: a further field would be the first
/// of another slide. Of slides before the first closing, only the last one is closed: versions that recorded no closings
/// wrote the others.
fn close_open_slides(connection: &mut Connection, folder: &Path) -> rusqlite::Result<()> {
    let open: Vec<(String, u32)> = connection
        .prepare(
            "SELECT id, number FROM slides
             WHERE number > 0 AND NOT EXISTS (SELECT 1 FROM closings WHERE slide = slides.id)
               AND (seq > (SELECT min(seq) FROM closings)
                    OR seq = (SELECT max(seq) FROM slides WHERE number > 0))
             ORDER BY seq",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, number) in open {
        let Ok(id) = id.parse() else { continue };
        if close(connection, folder, id, ClosingReason::Restart)? {
            log::warn!("slide {number} was open when the program ended; it is now closed");
        }
    }
    Ok(())
}

/// Appends the row of a slide's end if it is recorded and open. Returns whether it was.
fn close(
    connection: &mut Connection,
    folder: &Path,
    slide: Uuid,
    reason: ClosingReason,
) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_open: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM slides WHERE id = ?1)
            AND NOT EXISTS (SELECT 1 FROM closings WHERE slide = ?1)",
        [slide.to_string()],
        |row| row.get(0),
    )?;
    if is_open {
        let now = Timestamp::now();
        let closing = ClosingEntry {
            slide,
            closed_at: utc(now),
            clock: Some(ClockState::at(now, newest(&transaction)?)),
            reason,
        };
        let head = chain::append(&transaction, Kind::Closing, &closing)?;
        transaction.commit()?;
        head.save(folder);
    }
    Ok(is_open)
}

/// Deletes images that were being written when the power failed; their fields were not reported as saved. A file that
/// cannot be deleted is logged and does no harm.
fn discard_incoming(folder: &Path) -> Result<(), RecordsError> {
    let read = |error| RecordsError::file(folder, "read", CHECK_DISK)(error);
    for entry in folder.read_dir().map_err(read)? {
        let path = entry.map_err(read)?.path();
        match RealFiles.remove(&path) {
            Ok(()) => log::warn!("{} was incomplete and has been deleted", path.display()),
            Err(error) => log::warn!("{} cannot be deleted: {error}", path.display()),
        }
    }
    Ok(())
}

/// Refuses a folder that has images but no database: a new database would hide the loss from the verification.
fn refuse_images_without_database(folder: &Path) -> Result<(), RecordsError> {
    let database = database(folder);
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
            "{} is missing or empty, but {} contains images",
            database.display(),
            images.display()
        ),
    })
}

/// Verifies that the database was not moved or replaced: rows written to a moved database would be lost.
fn check_identity(folder: &Path, opened: (u64, u64)) -> Result<(), RecordsError> {
    if identity(folder)? == opened {
        return Ok(());
    }
    let problem = format!(
        "{} was replaced while it was in use",
        database(folder).display()
    );
    Err(RecordsError::Mismatch { problem })
}

/// Device and inode of the database.
fn identity(folder: &Path) -> Result<(u64, u64), RecordsError> {
    let path = database(folder);
    let found = path
        .metadata()
        .map_err(RecordsError::file(&path, "read", CHECK_DISK))?;
    Ok((found.dev(), found.ino()))
}

fn discard_images<'a>(
    files: &dyn Files,
    folder: &Path,
    images: impl Iterator<Item = &'a ImageEntry>,
) {
    let paths: Vec<_> = images.map(|image| folder.join(&image.path)).collect();
    discard(files, &paths);
}

/// Deletes files. One that cannot be deleted is logged: an image without a row does no harm.
fn discard(files: &dyn Files, paths: &[PathBuf]) {
    for path in paths {
        if let Err(error) = files.remove(path) {
            log::warn!("{} cannot be deleted: {error}", path.display());
        }
    }
}

/// The file name extension of an image's format.
fn extension(bytes: &[u8]) -> io::Result<&'static str> {
    let format = image::guess_format(bytes).map_err(io::Error::other)?;
    Ok(format.extensions_str().first().unwrap_or(&"image"))
}

/// Encodes an image as PNG, with EXIF data.
fn png(image: &RgbImage, exif: Option<&[u8]>) -> io::Result<Vec<u8>> {
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    if let Some(exif) = exif {
        // A picture without them is better than none.
        let _ = encoder.set_exif_metadata(exif.into());
    }
    image
        .write_with_encoder(encoder)
        .map_err(io::Error::other)?;
    Ok(png)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::archive::Archive;
    use crate::records::files::tests::ScriptedFiles;
    use crate::records::filter::{Filter, Page};
    use crate::records::testing::{Records, copy_of, day};

    const ALL: Filter = Filter {
        since: None,
        until: None,
        slide: None,
        field: None,
        verdict: None,
    };

    #[test]
    fn exif_data_of_a_png_change_no_pixel() {
        let image = RgbImage::from_fn(20, 10, |x, y| image::Rgb([x as u8, y as u8, 7]));
        // An empty directory of a TIFF file.
        let exif = b"MM\0*\0\0\0\x08\0\0\0\0\0\0";
        let told = png(&image, Some(exif)).unwrap();
        assert!(told.windows(4).any(|name| name == b"eXIf"));
        assert_eq!(image::load_from_memory(&told).unwrap().to_rgb8(), image);
    }

    #[test]
    fn a_field_is_recorded_with_its_image_and_overlay() {
        let mut records = Records::new();
        let id = records.put(1).unwrap();
        let [record] = &records.fields(&ALL)[..] else {
            panic!("expected one field");
        };
        assert_eq!((record.seq, record.field.id), (2, id));
        assert_eq!(record.field.captured_at, day(1));
        let [image, evidence] = &records.images(id)[..] else {
            panic!("expected two images");
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
    fn images_are_synced_and_renamed_before_the_row_is_written() {
        let files = ScriptedFiles::default();
        let steps = std::sync::Arc::clone(&files.steps);
        let mut records = Records::with_files(files);
        records.put(1).unwrap();
        records.put(2).unwrap();
        let image = [
            "write png",
            "rename png",
            "write evidence",
            "rename evidence",
            "sync slide",
        ];
        let expected = [&["create slide", "sync images"][..], &image, &image].concat();
        assert_eq!(*steps.lock().unwrap(), expected);
    }

    #[test]
    fn a_failure_at_any_step_leaves_nothing_behind() {
        let steps = 7;
        for step in 0..=steps {
            let mut records = Records::with_files(ScriptedFiles {
                failing_step: Some(step),
                ..ScriptedFiles::default()
            });
            let first = records.put(1);
            // The row is written last, so a failing step leaves none.
            assert_eq!(first.is_err(), step < steps, "step {step}");
            if let Err(error) = first {
                assert!(error.to_string().contains("cannot be written"), "{error}");
                let verified = records.verified();
                assert_eq!((verified.rows, verified.orphans.len()), (0, 0));
                assert_eq!(records.path().join(INCOMING).read_dir().unwrap().count(), 0);
                records.put(1).unwrap();
            }
            let verified = records.verified();
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
        let verified = records.verified();
        assert_eq!(
            (verified.rows, verified.images, verified.orphans.len()),
            (3, 4, 0)
        );
    }

    #[test]
    fn a_discarded_field_leaves_nothing() {
        let mut records = Records::new();
        records.put(1).unwrap();
        records.put_and_discard();
        let verified = records.verified();
        assert_eq!((verified.rows, verified.orphans.len()), (2, 0));
    }

    #[test]
    fn only_one_appliance_can_write() {
        let records = Records::new();
        let error = Store::open(records.path().into()).err().unwrap();
        assert!(matches!(error, RecordsError::Locked { .. }));
        assert!(error.to_string().contains("in use by another smearscope"));
        let folder = records.close();
        Store::open(folder.path().into()).unwrap();
    }

    #[test]
    fn incomplete_images_are_deleted_at_the_next_start() {
        let (records, _) = Records::of_days(1);
        let incomplete = records.path().join(INCOMING).join("incomplete.jpg");
        std::fs::write(&incomplete, "half").unwrap();
        let unrecorded = records.path().join(IMAGES).join("unrecorded.jpg");
        std::fs::write(&unrecorded, "whole").unwrap();
        let folder = records.close();
        Store::open(folder.path().into()).unwrap();
        assert!(!incomplete.exists());
        assert!(
            unrecorded.exists(),
            "its row may be in a database that was moved away"
        );
    }

    #[test]
    fn nothing_is_saved_to_a_database_that_was_moved() {
        let (mut records, _) = Records::of_days(1);
        let (path, aside) = (
            database(records.path()),
            records.path().join("aside.sqlite"),
        );
        std::fs::rename(&path, &aside).unwrap();
        assert!(records.put(2).is_err());
        std::fs::write(&path, "another").unwrap();
        let error = records.put(2).unwrap_err();
        assert!(error.to_string().contains("was replaced"), "{error}");
        std::fs::rename(&aside, &path).unwrap();
        records.put(2).unwrap();
        let verified = records.verified();
        assert_eq!((verified.rows, verified.orphans.len()), (3, 0));
    }

    #[test]
    fn a_file_that_cannot_be_deleted_does_not_prevent_starting() {
        let (records, _) = Records::of_days(1);
        std::fs::create_dir_all(records.path().join(INCOMING).join("folder/in it")).unwrap();
        let folder = records.close();
        Store::open(folder.path().into()).unwrap();
    }

    #[test]
    fn nothing_is_appended_to_a_changed_row() {
        let (records, _) = Records::of_days(2);
        records
            .tamper("UPDATE fields SET body = replace(body, 'Negative', 'Positive') WHERE seq = 3");
        let folder = records.close();
        let error = Store::open(folder.path().into()).err().unwrap();
        assert!(
            error
                .to_string()
                .contains("row 3 (field) has changed since it was written"),
            "{error}"
        );
    }

    #[test]
    fn records_of_an_earlier_version_go_on() {
        let old = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/0.1.0"
        ));
        let head = std::fs::read_to_string(old.join("head")).unwrap();
        let verify = |records: &Records| {
            records
                .archive()
                .verify(Some(head.trim()), &mut |_, _| ())
                .unwrap()
                .rows
        };
        let state = copy_of(&old.join("state"));
        let archive = Archive::open(state.path()).unwrap();
        assert_eq!(
            archive
                .verify(Some(head.trim()), &mut |_, _| ())
                .unwrap()
                .rows,
            8
        );
        let slides = archive.slides_on(&Page::default(), &ALL).unwrap();
        assert_eq!(slides.len(), 2, "without a table of closings");
        drop(archive);

        let mut records = Records::in_folder(state, RealFiles);
        // The slide that was the last is closed.
        assert_eq!(verify(&records), 9);
        assert_eq!(records.closings(), [Some(ClosingReason::Restart), None]);
        assert_eq!(records.store.next_slide_number().unwrap(), 3);
        for record in records.fields(&ALL) {
            let field = record.field;
            assert_eq!((field.clock, field.inconclusive_band), (None, None));
            assert_eq!((field.calibrated, field.slide_rule), (None, None));
        }
        records.next_slide(2);
        records.put(2).unwrap();
        assert_eq!(verify(&records), 11);
        let last = records.fields(&ALL).pop().unwrap().field;
        assert_eq!(last.inconclusive_band, Some([0.25, 0.75]));
        assert_eq!(last.clock, Some(ClockState::Synchronized));
    }

    #[test]
    fn slide_numbers_go_on_after_a_restart() {
        let mut records = Records::new();
        assert_eq!(records.store.next_slide_number().unwrap(), 1);
        records.put(1).unwrap();
        records.next_slide(2);
        records.put(2).unwrap();
        assert_eq!(records.store.next_slide_number().unwrap(), 3);
        let folder = records.close();
        let store = Store::open(folder.path().into()).unwrap();
        assert_eq!(store.next_slide_number().unwrap(), 3);
        assert_eq!(store.newest().map(utc), Some(day(2)));
    }

    #[test]
    fn the_newest_time_stays_after_an_earlier_one() {
        let mut records = Records::new();
        assert_eq!(records.store.newest(), None);
        for number in [3, 2] {
            records.put(number).unwrap();
            assert_eq!(records.store.newest().map(utc), Some(day(3)));
        }
    }

    #[test]
    fn a_slide_that_was_open_is_closed_at_the_next_start() {
        let mut records = Records::new();
        records.put(1).unwrap();
        let first = records.slide_id();
        records
            .store
            .close_slide(first, ClosingReason::Operator)
            .unwrap();
        records.next_slide(2);
        records
            .store
            .close_slide(records.slide_id(), ClosingReason::Operator)
            .unwrap();
        assert_eq!(records.closings(), [Some(ClosingReason::Operator)]);
        records.put(2).unwrap();
        assert_eq!(
            records.closings(),
            [None, Some(ClosingReason::Operator)],
            "newest first; a slide without a field is not recorded"
        );
        for _ in 0..2 {
            records = records.reopened();
            let closed = [ClosingReason::Restart, ClosingReason::Operator];
            assert_eq!(records.closings(), closed.map(Some));
            assert_eq!(
                records.archive().verify(None, &mut |_, _| ()).unwrap().rows,
                6
            );
        }
        records.tamper("UPDATE closings SET body = replace(body, 'restart', 'operator')");
        let problem = records.problem();
        assert!(
            problem.contains("row 6 (closing) has changed since it was written"),
            "{problem}"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Store::open(file.join("state")).err().unwrap();
        assert!(matches!(
            error,
            RecordsError::File {
                action: "created",
                ..
            }
        ));
        assert!(
            error
                .to_string()
                .contains("file/state cannot be created; check"),
            "{error}"
        );
    }
}
