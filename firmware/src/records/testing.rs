//! Test support: a store with recorded fields.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::RgbImage;
use rusqlite::Connection;
use smearscope_artifacts::Verdict;
use tempfile::TempDir;
use uuid::Uuid;
use walkdir::WalkDir;

use crate::records::archive::{Archive, Record};
use crate::records::cells_entry::{CellEntry, CellsEntry};
use crate::records::entry::{
    ClosingReason, ElapsedEntry, EngineEntry, FieldEntry, ModelEntry, SlideEntry, SlideRuleEntry,
    SlideSummaryEntry,
};
use crate::records::error::RecordsError;
use crate::records::files::{Files, RealFiles};
use crate::records::filter::{Filter, Page};
use crate::records::layout::database;
use crate::records::slides::SlideRecord;
use crate::records::store::{FieldImages, Images, Store};
use crate::records::verify::Verified;
use crate::system::clock::ClockState;

/// A store in a temporary state folder.
pub(crate) struct Records {
    pub(super) store: Store,
    folder: TempDir,
    slide: SlideEntry,
}

impl Records {
    pub(crate) fn new() -> Self {
        Self::with_files(RealFiles)
    }

    pub(super) fn with_files(files: impl Files + 'static) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), files)
    }

    /// Opens the records in a folder, with a new slide.
    pub(super) fn open(folder: TempDir) -> Self {
        Self::in_folder(folder, RealFiles)
    }

    pub(super) fn in_folder(folder: TempDir, files: impl Files + 'static) -> Self {
        let store = Store::open_with(folder.path().into(), Box::new(files)).unwrap();
        Self {
            store,
            folder,
            slide: SlideEntry {
                id: Uuid::now_v7(),
                number: 1,
                started_at: day(1),
            },
        }
    }

    /// A slide with one field for each of the first days of 2026.
    pub(super) fn of_days(days: u8) -> (Self, Vec<Uuid>) {
        let mut records = Self::new();
        let ids = (1..=days).map(|day| records.put(day).unwrap()).collect();
        (records, ids)
    }

    /// Records a field captured on a day in January 2026.
    pub(super) fn put(&mut self, day: u8) -> Result<Uuid, RecordsError> {
        self.put_cells(day, None)
    }

    /// Records a field captured on a day in January 2026, and its cells if it has some.
    pub(super) fn put_cells(
        &mut self,
        day: u8,
        cells: Option<&[CellEntry]>,
    ) -> Result<Uuid, RecordsError> {
        self.put_changed(day, cells, |_| ())
    }

    /// Like [`Records::put_cells`], after a change of the field's row.
    pub(crate) fn put_changed(
        &mut self,
        day: u8,
        cells: Option<&[CellEntry]>,
        change: impl FnOnce(&mut FieldEntry),
    ) -> Result<Uuid, RecordsError> {
        let (id, slide) = (Uuid::now_v7(), self.slide.id);
        let images = self.write_images(id)?;
        let until = Instant::now() + Duration::from_mins(1);
        let mut entry = entry(id, slide, day, images);
        change(&mut entry);
        let cells = cells.map(|cells| CellsEntry {
            field: id,
            cells: cells.to_vec(),
        });
        self.store
            .commit(&self.slide, &entry, cells.as_ref(), until)?;
        Ok(id)
    }

    /// Starts a new slide on a day in January 2026.
    pub(super) fn next_slide(&mut self, on_day: u8) {
        self.slide = SlideEntry {
            id: Uuid::now_v7(),
            number: self.slide.number + 1,
            started_at: day(on_day),
        };
    }

    /// Writes the images of a field as if the power had failed before its row was committed, and returns their paths.
    pub(super) fn put_without_row(&mut self) -> Vec<PathBuf> {
        let images = self.write_images(Uuid::now_v7()).unwrap();
        let images = std::iter::once(images.image).chain(images.overlay);
        images.map(|image| self.path().join(image.path)).collect()
    }

    /// Writes the images of a field and discards them.
    pub(super) fn put_and_discard(&mut self) {
        let images = self.write_images(Uuid::now_v7()).unwrap();
        self.store.discard(&images);
    }

    fn write_images(&mut self, id: Uuid) -> Result<Images, RecordsError> {
        let image = RgbImage::from_pixel(3, 2, image::Rgb([7, 1, 2]));
        let images = FieldImages {
            encoded: None,
            image: &image,
            exif: None,
            overlay: Some(&image),
        };
        self.store.write_images(self.slide.id, id, &images)
    }

    /// The id of the slide that fields are recorded to.
    pub(super) fn slide_id(&self) -> Uuid {
        self.slide.id
    }

    /// Why the recorded slides were closed, newest first.
    pub(super) fn closings(&self) -> Vec<Option<ClosingReason>> {
        let slides = self
            .archive()
            .slides_on(&Page::default(), &Filter::default())
            .unwrap();
        slides.iter().map(SlideRecord::closed_because).collect()
    }

    /// Closes the store and opens it again, as at a restart.
    pub(super) fn reopened(self) -> Self {
        let Self {
            store,
            folder,
            slide,
        } = self;
        drop(store);
        Self {
            store: Store::open(folder.path().into()).unwrap(),
            folder,
            slide,
        }
    }

    /// A copy of the folder as a power cut would leave it.
    pub(super) fn copied(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in WalkDir::new(self.path()).into_iter().map(Result::unwrap) {
            let to = copy
                .path()
                .join(entry.path().strip_prefix(self.path()).unwrap());
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(to).unwrap();
            } else if !entry.path().to_string_lossy().ends_with("-shm") {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
        copy
    }

    /// Closes the store.
    pub(super) fn close(self) -> TempDir {
        self.folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn archive(&self) -> Archive {
        Archive::open(self.path()).unwrap()
    }

    pub(super) fn fields(&self, filter: &Filter) -> Vec<Record> {
        let mut records = Vec::new();
        let each = |record| {
            records.push(record);
            Ok::<_, RecordsError>(())
        };
        self.archive().fields(filter, each).unwrap();
        records
    }

    /// The existing image files of a field.
    pub(super) fn images(&self, id: Uuid) -> Vec<PathBuf> {
        let filter = Filter::of_field(id);
        self.fields(&filter)[0]
            .field
            .images()
            .map(|image| self.path().join(&image.path))
            .filter(|path| path.exists())
            .collect()
    }

    /// Changes the database, bypassing its triggers.
    pub(super) fn tamper(&self, sql: &str) {
        let connection = Connection::open(database(self.path())).unwrap();
        let triggers: Vec<(String, String)> = connection
            .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for (name, _) in &triggers {
            connection
                .execute_batch(&format!("DROP TRIGGER {name}"))
                .unwrap();
        }
        connection.execute_batch(sql).unwrap();
        // The verification must not detect the bypass itself.
        for (_, trigger) in &triggers {
            connection.execute_batch(trigger).unwrap();
        }
    }

    /// The result of a verification that finds no damage.
    pub(super) fn verified(&self) -> Verified {
        let verified = self.archive().verify(None, &mut |_, _| ()).unwrap();
        assert_eq!(verified.damages, []);
        verified
    }

    /// The problems that a verification finds, one per line.
    pub(super) fn problem(&self) -> String {
        let verified = self.archive().verify(None, &mut |_, _| ()).unwrap();
        let damages = verified.damages.into_iter();
        let problems: Vec<_> = damages.map(|damage| damage.problem).collect();
        problems.join("\n")
    }
}

/// A copy of a state folder.
pub(super) fn copy_of(state: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in WalkDir::new(state).min_depth(1) {
        let entry = entry.unwrap();
        let copy = folder
            .path()
            .join(entry.path().strip_prefix(state).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir(copy).unwrap();
        } else {
            std::fs::copy(entry.path(), copy).unwrap();
        }
    }
    folder
}

/// Noon of a day in January 2026.
pub(super) fn day(day: u8) -> String {
    format!("2026-01-{day:02}T12:00:00.000Z")
}

fn entry(id: Uuid, slide: Uuid, number: u8, images: Images) -> FieldEntry {
    let (verdict, probability, log_odds) = if number % 2 == 1 {
        (Verdict::Positive, 0.750_26, 1.1)
    } else {
        (Verdict::Negative, 0.249_74, -1.1)
    };
    FieldEntry {
        id,
        slide,
        number: number.into(),
        captured_at: day(number),
        clock: Some(ClockState::Synchronized),
        source: format!("field{number}.jpg"),
        verdict,
        reason: None,
        probability: Some(probability),
        log_odds: Some(log_odds),
        threshold: Some(0.5),
        inconclusive_band: Some([0.25, 0.75]),
        calibrated: Some(false),
        slide_rule: Some(SlideRuleEntry {
            min_fields: 1,
            correlation: 1.0,
        }),
        count: None,
        count_rule: None,
        scale: None,
        camera: None,
        quality: serde_json::json!({"focus": {"value": 1.5, "min": 1.22, "passed": true}}),
        standing: SlideSummaryEntry {
            verdict: Verdict::Positive,
            reason: None,
            probability: Some(0.75),
            count: None,
            seen_again: 0,
            fields: number.into(),
            refused: 0,
            unsaved: 0,
        },
        model: ModelEntry {
            name: "test".into(),
            version: "1.2.3".into(),
            manifest_sha256: "ab".repeat(32),
            demo: true,
        },
        engine: EngineEntry {
            name: "embedded".into(),
            version: "0".into(),
            device: "CPU".into(),
        },
        elapsed_ms: ElapsedEntry {
            capture: 1.0,
            preparation: 2.0,
            decoding: Some(0.5),
            inference: Some(3.0),
            search: None,
            counting: Some(0.1),
            storing: 4.0,
        },
        image: images.image,
        overlay: images.overlay,
    }
}
