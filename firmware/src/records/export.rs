//! Exporting records: as CSV, JSON, or a ZIP archive of both with the images.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use smearscope_artifacts::{Verdict, sha256};
use tempfile::NamedTempFile;
use utoipa::ToSchema;
use uuid::Uuid;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::analysis::picture_scale::ScaleSource;
use crate::records::archive::{Archive, Record};
use crate::records::cells_entry::CellEntry;
use crate::records::chain::{self, Kind};
use crate::records::entry::{ExportEntry, FieldEntry, ImageEntry};
use crate::records::error::RecordsError;
use crate::records::filter::Filter;
use crate::records::first_error::FirstError;
use crate::records::{ballast, schema};
use crate::system::clock::ClockState;
use crate::system::disk::DiskUsage;
use crate::system::sanitize::cell;
use crate::system::time::utc;

/// Fields marked as exported per transaction, which keeps transactions short for the recording appliance.
const MARK_BATCH: usize = 64;

/// Upper estimate of a field's size as text, in bytes.
const FIELD_TEXT: u64 = 8 << 10;
const MIB: u64 = 1 << 20;

/// Format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A table, one row per field.
    Csv,
    /// One JSON object per line.
    Json,
    /// Both, with the images.
    Zip,
}

/// Outcome of an export.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Exported {
    /// Number of exported fields.
    pub(crate) fields: u64,
    /// Fields exported with all images, unchanged.
    pub(crate) whole: Vec<Uuid>,
    /// Those of `whole` that were never exported before.
    pub(crate) new: Vec<Uuid>,
    /// Images left out because they are missing or have changed, each with the cause.
    pub(crate) damaged: Vec<String>,
    /// Rows left out because they cannot be read, each with the cause.
    pub(crate) unreadable: Vec<String>,
    /// Whether the fields could not be marked as exported, because the records are read-only.
    pub(crate) is_unmarked: bool,
}

/// A row of the CSV, with the names of the database's columns. All text is escaped with [`cell`], because a forged row
/// could contain anything.
#[derive(Serialize)]
struct Row<'a> {
    seq: i64,
    id: Uuid,
    slide: Uuid,
    number: u32,
    captured_at: Cow<'a, str>,
    source: Cow<'a, str>,
    verdict: Verdict,
    reason: Option<Cow<'a, str>>,
    probability: Option<f32>,
    log_odds: Option<f32>,
    threshold: Option<f32>,
    quality: Cow<'a, str>,
    slide_verdict: Verdict,
    slide_probability: Option<f32>,
    slide_fields: u32,
    slide_refused: u32,
    slide_unsaved: u32,
    model: Cow<'a, str>,
    model_version: Cow<'a, str>,
    model_sha256: Cow<'a, str>,
    demo: bool,
    engine: Cow<'a, str>,
    engine_version: Cow<'a, str>,
    device: Cow<'a, str>,
    capture_ms: f64,
    preparation_ms: f64,
    inference_ms: Option<f64>,
    storing_ms: f64,
    image: Cow<'a, str>,
    image_sha256: Cow<'a, str>,
    overlay: Option<Cow<'a, str>>,
    overlay_sha256: Option<Cow<'a, str>>,
    exported_at: Option<Cow<'a, str>>,
    images_removed_at: Option<Cow<'a, str>>,
    hash: Cow<'a, str>,
    // Later columns come last, for programs that count columns.
    clock: Option<ClockState>,
    inconclusive_from: Option<f32>,
    inconclusive_to: Option<f32>,
    calibrated: Option<bool>,
    slide_min_fields: Option<u32>,
    slide_correlation: Option<f32>,
    cells: Option<u32>,
    blasts: Option<u32>,
    unclear: Option<u32>,
    um_per_pixel: Option<f32>,
    slide_cells: Option<u32>,
    slide_blasts: Option<u32>,
    slide_unclear: Option<u32>,
    slide_share: Option<f64>,
    slide_share_low: Option<f64>,
    slide_share_high: Option<f64>,
    deciding_share: Option<f64>,
    min_cells: Option<u32>,
    decoding_ms: Option<f64>,
    search_ms: Option<f64>,
    counting_ms: Option<f64>,
    camera_mode: Option<Cow<'a, str>>,
    exposure_us: Option<f64>,
    gain: Option<f64>,
    red_gain: Option<f64>,
    blue_gain: Option<f64>,
    objective: Option<Cow<'a, str>>,
    light_calibrated_at: Option<Cow<'a, str>>,
    scale_calibrated_at: Option<Cow<'a, str>>,
    lens_correction: Option<Cow<'a, str>>,
    scale_source: Option<ScaleSource>,
    scale_red_cells: Option<u32>,
    scale_spread: Option<f32>,
}

/// A row of the CSV of cells.
#[derive(Serialize)]
struct CellRow<'a> {
    field: Uuid,
    number: u32,
    x: f32,
    y: f32,
    diameter: f32,
    diameter_um: f32,
    class: Cow<'a, str>,
    call: Cow<'a, str>,
    blast_probability: f32,
    new: bool,
}

impl<'a> CellRow<'a> {
    const HEADER: [&'static str; 10] = [
        "field",
        "number",
        "x",
        "y",
        "diameter",
        "diameter_um",
        "class",
        "call",
        "blast_probability",
        "new",
    ];

    fn of(field: Uuid, entry: &'a CellEntry) -> Self {
        Self {
            field,
            number: entry.number,
            x: entry.x,
            y: entry.y,
            diameter: entry.diameter,
            diameter_um: entry.diameter_um,
            class: cell(&entry.class),
            call: cell(&entry.call),
            blast_probability: entry.blast_probability,
            new: entry.new,
        }
    }
}

impl<'a> Row<'a> {
    #[expect(clippy::too_many_lines, reason = "a list of the columns")]
    fn of(record: &'a Record) -> Self {
        let FieldEntry {
            id,
            slide,
            number,
            captured_at,
            clock,
            source,
            verdict,
            reason,
            probability,
            log_odds,
            threshold,
            inconclusive_band,
            calibrated,
            slide_rule,
            count,
            count_rule,
            scale,
            camera,
            quality,
            standing,
            model,
            engine,
            elapsed_ms,
            image,
            overlay,
        } = &record.field;
        let of_slide = standing.count.as_ref();
        let camera = camera.as_ref();
        let text = |text: &'a Option<String>| text.as_deref().map(cell);
        Self {
            seq: record.seq,
            id: *id,
            slide: *slide,
            number: *number,
            captured_at: cell(captured_at),
            source: cell(source),
            verdict: *verdict,
            reason: reason.as_deref().map(cell),
            probability: *probability,
            log_odds: *log_odds,
            threshold: *threshold,
            quality: cell(&quality.to_string()).into_owned().into(),
            slide_verdict: standing.verdict,
            slide_probability: standing.probability,
            slide_fields: standing.fields,
            slide_refused: standing.refused,
            slide_unsaved: standing.unsaved,
            model: cell(&model.name),
            model_version: cell(&model.version),
            model_sha256: cell(&model.manifest_sha256),
            demo: model.demo,
            engine: cell(&engine.name),
            engine_version: cell(&engine.version),
            device: cell(&engine.device),
            capture_ms: elapsed_ms.capture,
            preparation_ms: elapsed_ms.preparation,
            inference_ms: elapsed_ms.inference,
            storing_ms: elapsed_ms.storing,
            image: cell(&image.path),
            image_sha256: cell(&image.sha256),
            overlay: overlay.as_ref().map(|overlay| cell(&overlay.path)),
            overlay_sha256: overlay.as_ref().map(|overlay| cell(&overlay.sha256)),
            exported_at: record.exported_at.as_deref().map(cell),
            images_removed_at: record.images_removed_at.as_deref().map(cell),
            hash: cell(&record.hash),
            clock: *clock,
            inconclusive_from: inconclusive_band.map(|[low, _]| low),
            inconclusive_to: inconclusive_band.map(|[_, high]| high),
            calibrated: *calibrated,
            slide_min_fields: slide_rule.map(|rule| rule.min_fields),
            slide_correlation: slide_rule.map(|rule| rule.correlation),
            cells: count.as_ref().map(|count| count.cells),
            blasts: count.as_ref().map(|count| count.blasts),
            unclear: count.as_ref().map(|count| count.unclear),
            um_per_pixel: scale.map(|scale| scale.um_per_pixel),
            slide_cells: of_slide.map(|count| count.cells),
            slide_blasts: of_slide.map(|count| count.blasts),
            slide_unclear: of_slide.map(|count| count.unclear),
            slide_share: of_slide.and_then(|count| count.share),
            slide_share_low: of_slide.map(|count| count.interval[0]),
            slide_share_high: of_slide.map(|count| count.interval[1]),
            deciding_share: count_rule.map(|rule| rule.share),
            min_cells: count_rule.map(|rule| rule.min_cells),
            decoding_ms: elapsed_ms.decoding,
            search_ms: elapsed_ms.search,
            counting_ms: elapsed_ms.counting,
            camera_mode: camera.and_then(|camera| text(&camera.mode)),
            exposure_us: camera.and_then(|camera| camera.exposure_us),
            gain: camera.and_then(|camera| camera.gain),
            red_gain: camera.and_then(|camera| camera.red_gain),
            blue_gain: camera.and_then(|camera| camera.blue_gain),
            objective: camera.and_then(|camera| text(&camera.objective)),
            light_calibrated_at: camera
                .and_then(|camera| camera.light.as_ref())
                .map(|light| cell(&light.made_at)),
            scale_calibrated_at: camera
                .and_then(|camera| camera.scale.as_ref())
                .map(|scale| cell(&scale.made_at)),
            lens_correction: camera.and_then(|camera| text(&camera.lens_correction)),
            scale_source: scale.map(|scale| scale.source),
            scale_red_cells: scale.and_then(|scale| scale.red_cells),
            scale_spread: scale.and_then(|scale| scale.spread),
        }
    }
}

/// Writes a file that only this user can access. It gets its name once it is complete and synced; after an error, nothing
/// remains.
fn to_file<T>(
    path: &Path,
    write: impl FnOnce(&mut FirstError<&File>) -> anyhow::Result<T>,
) -> Result<T, (Option<io::ErrorKind>, anyhow::Error)> {
    let folder = folder_of(path);
    let remedy = "check that the disk has free space and that this user may write there";
    let failed = |error: io::Error| {
        let kind = error.kind();
        let error = RecordsError::file(path, "written", remedy)(error);
        (Some(kind), error.into())
    };
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(failed(io::Error::other(
            "it exists and is not a regular file",
        )));
    }
    let file = NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = FirstError::new(file.as_file());
    let result = write(&mut out).map_err(|error| (out.error(), error))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    Ok(result)
}

/// The folder that contains `path`.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A time as ZIP archives have it: local time, from 1980 to 2107. Times beyond are 1980.
fn dos_time(time: Timestamp) -> DateTime {
    let local = time.to_zoned(TimeZone::system()).datetime();
    let part = |value: i8| value.unsigned_abs();
    DateTime::from_date_and_time(
        local.year().try_into().unwrap_or_default(),
        part(local.month()),
        part(local.day()),
        part(local.hour()),
        part(local.minute()),
        part(local.second()),
    )
    .unwrap_or_default()
}

impl Archive {
    /// Writes the selected fields as CSV with a header. Returns what is wrong with rows that cannot be read.
    pub(crate) fn write_csv(
        &self,
        filter: &Filter,
        out: impl Write,
    ) -> anyhow::Result<Vec<String>> {
        let mut csv = csv::Writer::from_writer(out);
        let unreadable = self.readable(filter, |record| {
            csv.serialize(Row::of(&record)).map_err(anyhow::Error::from)
        })?;
        csv.flush()?;
        Ok(unreadable)
    }

    /// Writes the selected fields with their cells as JSON, one object per line. Returns what is wrong with rows that cannot be read.
    pub(crate) fn write_json(
        &self,
        filter: &Filter,
        mut out: impl Write,
    ) -> anyhow::Result<Vec<String>> {
        let mut damaged = Vec::new();
        let mut unreadable = self.readable(filter, |record| {
            let record = self.with_readable_cells(record, &mut damaged);
            serde_json::to_writer(&mut out, &record)?;
            anyhow::Ok(out.write_all(b"\n")?)
        })?;
        out.flush()?;
        unreadable.append(&mut damaged);
        Ok(unreadable)
    }

    /// Writes the cells of the selected fields as CSV with a header, one row per cell.
    fn write_cells(&self, filter: &Filter, out: impl Write) -> anyhow::Result<()> {
        let mut csv = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(out);
        csv.write_record(CellRow::HEADER)?;
        // What is wrong with rows that cannot be read is told with the other tables.
        self.readable(filter, |record| {
            let field = record.field.id;
            for cell in self.cells(field).ok().flatten().iter().flatten() {
                csv.serialize(CellRow::of(field, cell))?;
            }
            anyhow::Ok(())
        })?;
        Ok(csv.flush()?)
    }

    /// Writes the selected fields to a file that only this user can access. It gets its name once it is complete and
    /// synced; after an error, nothing remains.
    ///
    /// # Errors
    /// [`RecordsError::ExportFull`] and [`RecordsError::ExportTooLarge`] if the disk has no space for it, and others of
    /// reading and writing.
    pub(crate) fn export(
        &self,
        filter: &Filter,
        format: Format,
        path: &Path,
    ) -> anyhow::Result<Exported> {
        let rows = |unreadable| Exported {
            unreadable,
            ..Exported::default()
        };
        let written = to_file(path, |file| {
            Ok(match format {
                Format::Csv => rows(self.write_csv(filter, BufWriter::new(file))?),
                Format::Json => rows(self.write_json(filter, BufWriter::new(file))?),
                Format::Zip => self.write_zip(filter, file)?,
            })
        });
        let mut exported = written.map_err(|(kind, error)| match kind {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                self.export_full(filter, format, path).into()
            }
            Some(kind @ io::ErrorKind::FileTooLarge) => RecordsError::ExportTooLarge {
                path: path.into(),
                source: kind.into(),
            }
            .into(),
            _ => error,
        })?;
        match self.mark_exported(&exported.new) {
            Err(_) if schema::is_read_only(self.folder()) => exported.is_unmarked = true,
            result => result?,
        }
        Ok(exported)
    }

    fn export_full(&self, filter: &Filter, format: Format, path: &Path) -> RecordsError {
        RecordsError::ExportFull {
            path: path.into(),
            size: self.export_size(filter, format).unwrap_or(0).div_ceil(MIB),
            free: DiskUsage::of(folder_of(path)).map_or(0, |disk| disk.free) / MIB,
        }
    }

    /// Upper estimate of the size of an export in bytes.
    fn export_size(&self, filter: &Filter, format: Format) -> Result<u64, RecordsError> {
        // How often the export has the cells, which are more than a field without any.
        let copies_of_cells = match format {
            Format::Csv => 0,
            Format::Json => 1,
            Format::Zip => 2,
        };
        let mut size = 0;
        self.readable(filter, |record| {
            size += FIELD_TEXT;
            if copies_of_cells > 0 {
                size += copies_of_cells * self.cells_size(record.field.id)?;
            }
            if format == Format::Zip && record.images_removed_at.is_none() {
                for image in record.field.images() {
                    // A missing image needs no space.
                    size += image
                        .file(self.folder())?
                        .metadata()
                        .map_or(0, |found| found.len());
                }
            }
            Ok::<_, RecordsError>(())
        })?;
        Ok(size)
    }

    /// Refuses an export to the disk of the records that would leave less than `min_free` bytes there, which would make
    /// retention remove images or stop the appliance.
    ///
    /// # Errors
    /// [`RecordsError::NoRoom`], and errors of reading.
    pub(crate) fn refuse_without_room(
        &self,
        filter: &Filter,
        path: &Path,
        format: Format,
        min_free: u64,
    ) -> Result<(), RecordsError> {
        let metadata = |folder: &Path| {
            let remedy = "check that the folder exists and that this user may write there";
            folder
                .metadata()
                .map_err(RecordsError::file(folder, "written", remedy))
        };
        let folder = folder_of(path);
        if metadata(folder)?.dev() != metadata(self.folder())?.dev() {
            return Ok(());
        }
        let size = self.export_size(filter, format)?;
        let remedy = "check that the disk works";
        let disk = DiskUsage::of(folder).map_err(RecordsError::file(folder, "read", remedy))?;
        if disk.free >= min_free.saturating_add(size) {
            return Ok(());
        }
        Err(RecordsError::NoRoom {
            path: path.into(),
            size: size.div_ceil(MIB),
            free: disk.free / MIB,
            min_free: min_free / MIB,
        })
    }

    /// Writes a ZIP archive: `records.csv`, `cells.csv`, `records.jsonl`, `head.txt` with the hash of the last row, and the images
    /// under the paths that the records name.
    pub(crate) fn write_zip(
        &self,
        filter: &Filter,
        file: &mut FirstError<impl Write + Seek>,
    ) -> anyhow::Result<Exported> {
        let text = SimpleFileOptions::default()
            .large_file(true)
            .last_modified_time(dos_time(Timestamp::now()));
        // Images are compressed already.
        let stored = text.compression_method(CompressionMethod::Stored);
        let mut zip = ZipWriter::new(file);
        // All parts are read from one snapshot.
        let snapshot = self.connection().unchecked_transaction()?;
        zip.start_file("records.csv", text)?;
        self.write_csv(filter, &mut zip)?;
        zip.start_file("cells.csv", text)?;
        self.write_cells(filter, &mut zip)?;
        zip.start_file("records.jsonl", text)?;
        self.write_json(filter, &mut zip)?;
        zip.start_file("head.txt", text)?;
        writeln!(zip, "{}", chain::head_hash(&snapshot)?)?;
        let mut exported = Exported::default();
        exported.unreadable = self.readable(filter, |record| {
            exported.fields += 1;
            let field = &record.field;
            if record.images_removed_at.is_some() {
                return Ok(());
            }
            let mut is_whole = true;
            let captured_at = field
                .captured_at
                .parse()
                .unwrap_or_else(|_| Timestamp::now());
            let stored = stored.last_modified_time(dos_time(captured_at));
            for image in field.images() {
                match self.image(image) {
                    Ok(bytes) => {
                        zip.start_file(&*image.path, stored)?;
                        zip.write_all(&bytes)?;
                    }
                    Err(_) if self.is_removed(&field.id)? => is_whole = false,
                    Err(error) => {
                        is_whole = false;
                        exported.damaged.push(format!("{}: {error}", image.path));
                    }
                }
            }
            exported.whole.extend(is_whole.then_some(field.id));
            exported
                .new
                .extend((is_whole && record.exported_at.is_none()).then_some(field.id));
            anyhow::Ok(())
        })?;
        zip.finish()?;
        Ok(exported)
    }

    /// Reads an image and verifies its SHA-256.
    pub(crate) fn image(&self, image: &ImageEntry) -> io::Result<Vec<u8>> {
        let path = image.file(self.folder()).map_err(io::Error::other)?;
        if !path.symlink_metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let bytes = fs::read(path)?;
        if sha256(&bytes) == image.sha256 {
            Ok(bytes)
        } else {
            Err(io::Error::other("it has changed since it was written"))
        }
    }

    /// Marks fields as exported, also while an appliance runs; it is delayed only briefly.
    pub(crate) fn mark_exported(&self, fields: &[Uuid]) -> Result<(), RecordsError> {
        if fields.is_empty() {
            return Ok(());
        }
        let failed = RecordsError::database(self.folder());
        let mut connection =
            ballast::with_room(self.folder(), || schema::open_for_writing(self.folder()))?;
        let exported_at = utc(Timestamp::now());
        for batch in fields.chunks(MARK_BATCH) {
            let entries: Vec<_> = batch
                .iter()
                .map(|&field| ExportEntry {
                    field,
                    exported_at: exported_at.clone(),
                })
                .collect();
            // On a full disk, these rows are what allows retention to remove images.
            ballast::with_room(self.folder(), || {
                chain::append_all(&mut connection, self.folder(), Kind::Export, &entries)
                    .map_err(&failed)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::records::testing::{Records, day};

    fn csv(records: &Records, filter: &Filter) -> Vec<csv::StringRecord> {
        let mut bytes = Vec::new();
        records.archive().write_csv(filter, &mut bytes).unwrap();
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(&bytes[..]);
        reader.records().map(Result::unwrap).collect()
    }

    #[test]
    fn csv_has_one_row_per_field_and_is_filtered() {
        let (records, ids) = Records::of_days(4);
        let lines = csv(&records, &Filter::default());
        assert_eq!(lines.len(), 5);
        let column = |name| lines[0].iter().position(|column| column == name).unwrap();
        assert_eq!(&lines[2][column("id")], ids[1].to_string());
        assert_eq!(&lines[2][column("captured_at")], day(2));
        assert_eq!(&lines[2][column("log_odds")], "-1.1");
        assert_eq!(&lines[2][column("inference_ms")], "3.0");
        assert_eq!(&lines[2][column("exported_at")], "");
        let filter = Filter {
            since: Some(day(2)),
            until: Some(day(4)),
            verdict: Some(Verdict::Positive),
            ..Filter::default()
        };
        let lines = csv(&records, &filter);
        assert_eq!(lines.len(), 2);
        assert_eq!(&lines[1][column("id")], ids[2].to_string());
        let other_slide = Filter::of_slide(Uuid::nil());
        assert_eq!(records.fields(&other_slide), []);
    }

    #[test]
    fn an_archive_is_complete_and_marks_its_fields_as_exported() {
        let (records, ids) = Records::of_days(2);
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("out.zip");
        let head = records.verified().head;
        let exported = records
            .archive()
            .export(&Filter::default(), Format::Zip, &path)
            .unwrap();
        assert_eq!((exported.fields, &exported.whole), (2, &ids));
        let mut zip = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
        let mut read = |name: &str| {
            let mut bytes = Vec::new();
            zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(read("head.txt"), format!("{head}\n").as_bytes());
        let lines = String::from_utf8(read("records.jsonl")).unwrap();
        let fields: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(fields[1]["id"], ids[1].to_string());
        for image in records.images(ids[1]) {
            let name = image
                .strip_prefix(records.path())
                .unwrap()
                .to_str()
                .unwrap();
            assert_eq!(read(name), fs::read(&image).unwrap());
        }
        let table = String::from_utf8(read("records.csv")).unwrap();
        assert_eq!(table.lines().count(), 3);
        let cells = String::from_utf8(read("cells.csv")).unwrap();
        assert!(cells.starts_with("field,number,x,y,diameter,") && cells.lines().count() == 1);
        assert_eq!(zip.len(), 4 + 4);
        let mut year = |index| {
            let file = zip.by_index(index).unwrap();
            let name = file.name().unwrap().into_owned();
            (name, file.last_modified().unwrap().year())
        };
        let now = Timestamp::now().to_zoned(TimeZone::system());
        assert_eq!(year(0), ("records.csv".into(), now.year().unsigned_abs()));
        let image = records.fields(&Filter::default())[0]
            .field
            .image
            .path
            .clone();
        assert_eq!(year(4), (image, 2026));
        assert_eq!(
            out.path().read_dir().unwrap().count(),
            1,
            "no temporary file is left"
        );
        let exported = records.fields(&Filter::default());
        assert!(exported.iter().all(|record| record.exported_at.is_some()));
        records
            .archive()
            .verify(Some(&head), &mut |_, _| ())
            .unwrap();
    }

    #[test]
    fn a_changed_image_is_reported_and_its_field_not_marked_as_exported() {
        let (records, ids) = Records::of_days(2);
        let image = &records.images(ids[0])[0];
        fs::write(image, "something else").unwrap();
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("out.zip");
        let exported = records
            .archive()
            .export(&Filter::default(), Format::Zip, &path)
            .unwrap();
        assert_eq!((exported.fields, exported.whole), (2, vec![ids[1]]));
        assert_eq!(exported.damaged.len(), 1);
        let name = image.file_name().unwrap().to_str().unwrap();
        assert!(exported.damaged[0].contains(name), "{:?}", exported.damaged);
        assert_eq!(records.fields(&Filter::default())[0].exported_at, None);
    }

    #[test]
    fn unreadable_rows_are_reported_and_skipped() {
        let (records, ids) = Records::of_days(5);
        records.tamper("UPDATE fields SET body = json_remove(body, '$.elapsed_ms') WHERE seq = 3");
        let readable = |filter: &Filter| {
            let mut ids = Vec::new();
            let each = |record: Record| {
                ids.push(record.field.id);
                Ok::<_, RecordsError>(())
            };
            let unreadable = records.archive().readable(filter, each).unwrap();
            (ids, unreadable)
        };
        let (rest, unreadable) = readable(&Filter::default());
        assert_eq!(rest, [ids[0], ids[2], ids[3], ids[4]]);
        assert_eq!(unreadable.len(), 1);
        assert!(
            unreadable[0].starts_with("row 3 is not a valid field: "),
            "{unreadable:?}"
        );
        let strict = records
            .archive()
            .fields(&Filter::default(), |_| Ok::<_, RecordsError>(()));
        assert!(strict.is_err(), "a strict reader stops at the row");
    }

    #[test]
    fn times_that_an_archive_cannot_have_are_replaced() {
        let noon = "2026-05-01T12:00:00Z".parse().unwrap();
        assert_eq!((dos_time(noon).year(), dos_time(noon).month()), (2026, 5));
        assert_eq!(dos_time(Timestamp::UNIX_EPOCH), DateTime::default());
    }

    #[test]
    fn a_failed_archive_is_reported_and_marks_nothing() {
        let (records, _) = Records::of_days(1);
        let path = records.path().join("absent/out.zip");
        let error = records
            .archive()
            .export(&Filter::default(), Format::Zip, &path)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("absent/out.zip cannot be written"),
            "{error}"
        );
        assert_eq!(records.fields(&Filter::default())[0].exported_at, None);
    }
}
