//! Verifying that rows and images have not changed since they were written, and that what a row says does not contradict
//! itself. Every row and every file is checked, also after the first damage.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, Statement};
use serde::{Deserialize, Serialize};
use smearscope_artifacts::sha256;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::records::archive::Archive;
use crate::records::cells_entry::{CellsEntry, CountEntry};
use crate::records::chain::{self, Kind, Link};
use crate::records::entry::{
    ClosingEntry, ExportEntry, FieldEntry, ImageEntry, NoteEntry, RemovalEntry, SlideEntry,
};
use crate::records::error::{AS_SERVICE, RecordsError};
use crate::records::head::StoredHead;
use crate::records::loss::Loss;
use crate::records::orphans::image_files;
use crate::records::schema;

/// A row takes more bytes: two hashes of 64 digits. This bounds the number of a row in a database of a given size.
const MIN_ROW: i64 = 128;

/// Result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Number of unchanged rows.
    pub rows: i64,
    /// Number of unchanged image files.
    pub images: u64,
    /// Number of fields whose images retention removed, according to the removal rows.
    pub removed: u64,
    /// Number of images of these fields.
    pub removed_images: u64,
    /// Number of these fields that were never exported.
    pub removed_unexported: u64,
    /// When the last of these images were removed.
    pub last_removal: Option<String>,
    /// Image files without a row, which a power cut can leave; paths relative to the state folder.
    pub orphans: Vec<String>,
    /// Hash of the last row, to be stored elsewhere; zeros if there are no rows.
    pub head: String,
    /// What is damaged, missing or changed; empty if nothing is.
    pub damages: Vec<Damage>,
}

/// What kind of thing is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DamagedPart {
    /// The database: its pages, indexes, tables or views.
    Database,
    /// One or several rows.
    Row,
    /// An image file.
    Image,
    /// The end of the chain: rows that were saved are missing.
    End,
    /// A count or verdict of a field in an unchanged row, which does not follow from the rest of the field's record.
    Contradiction,
}

impl DamagedPart {
    /// What is said of it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Database | Self::Row | Self::Image | Self::End => "damaged",
            Self::Contradiction => "contradictory",
        }
    }
}

/// Something that is damaged, missing or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Damage {
    /// What is damaged.
    pub part: DamagedPart,
    /// Which one, and how.
    pub problem: String,
}

impl Verified {
    /// Nothing is verified yet.
    fn nothing() -> Self {
        Self {
            rows: 0,
            images: 0,
            removed: 0,
            removed_images: 0,
            removed_unexported: 0,
            last_removal: None,
            orphans: Vec::new(),
            head: chain::GENESIS.into(),
            damages: Vec::new(),
        }
    }

    /// Opens and verifies the records in `folder` as [`Archive::verify`] does. A database that is too damaged to be opened
    /// is a result, too.
    ///
    /// # Errors
    /// As [`Archive::verify`] and [`Archive::open`].
    pub(crate) fn of(
        folder: &Path,
        expected_head: Option<&str>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, RecordsError> {
        match Archive::open(folder) {
            Ok(archive) => archive.verify(expected_head, progress),
            Err(RecordsError::Mismatch { problem }) => Ok(Self {
                damages: vec![Damage {
                    part: DamagedPart::Database,
                    problem,
                }],
                ..Self::nothing()
            }),
            Err(error) => Err(error),
        }
    }
}

impl Archive {
    /// Verifies the database, the hash chain and the image files, and lists everything that is damaged. The chain must
    /// contain a row with the hash `expected_head`, if given. Calls `progress` with the numbers of rows and images that are
    /// done and that there are, as far as that is known.
    ///
    /// # Errors
    /// [`RecordsError::File`] if this user may not read the records.
    pub fn verify(
        &self,
        expected_head: Option<&str>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Verified, RecordsError> {
        let mut walk = Walk::new(self, progress);
        walk.verify(expected_head)?;
        Ok(walk.verified)
    }
}

/// A verification in progress.
struct Walk<'a> {
    archive: &'a Archive,
    progress: &'a mut dyn FnMut(u64, u64),
    verified: Verified,
    images: Vec<(Uuid, ImageEntry)>,
    /// The count of the last field. The row of a field's cells follows that of the field.
    counted: Option<(Uuid, CountEntry)>,
    removed: HashSet<Uuid>,
    exported: HashSet<Uuid>,
    is_head_found: bool,
}

/// What is found under the number of a row.
enum Found {
    Row(Link),
    Nothing,
    /// With the cause.
    Unreadable(String),
    /// With the kinds of these rows.
    Several(Vec<&'static str>),
}

/// Consecutive rows that are missing or cannot be read.
struct Run {
    first: i64,
    last: i64,
    /// Why they cannot be read; `None` if they are missing.
    cause: Option<String>,
}

impl<'a> Walk<'a> {
    fn new(archive: &'a Archive, progress: &'a mut dyn FnMut(u64, u64)) -> Self {
        Self {
            archive,
            progress,
            verified: Verified::nothing(),
            images: Vec::new(),
            counted: None,
            removed: HashSet::new(),
            exported: HashSet::new(),
            is_head_found: false,
        }
    }

    fn add(&mut self, part: DamagedPart, problem: impl Into<String>) {
        let problem = problem.into();
        self.verified.damages.push(Damage { part, problem });
    }

    fn verify(&mut self, expected_head: Option<&str>) -> Result<(), RecordsError> {
        let (archive, folder) = (self.archive, self.archive.folder());
        // Before the database, which may get further rows at any time.
        let stored = match StoredHead::read(folder) {
            Err(error @ RecordsError::Mismatch { .. }) => {
                self.add(DamagedPart::End, error.problem());
                None
            }
            result => result?,
        };
        for loss in Loss::known(folder)? {
            self.add(
                DamagedPart::End,
                format!("found {}: {}", loss.found_at, loss.problem),
            );
        }
        // All rows are read from one snapshot.
        let snapshot = archive.connection().unchecked_transaction();
        let snapshot = snapshot.map_err(RecordsError::database(folder))?;
        for problem in schema::damages(archive.connection(), folder) {
            self.add(DamagedPart::Database, problem);
        }
        let stored = stored.as_ref().map(|stored| &stored.head);
        self.rows(expected_head, stored.map_or(0, |head| head.seq));
        if let (false, Some(expected)) = (self.is_head_found, expected_head) {
            self.add(
                DamagedPart::End,
                format!(
                    "no row has the hash {expected}: the end of the chain was cut off, or the chain was recomputed"
                ),
            );
        }
        match Loss::find(archive.connection(), folder, stored) {
            Ok(loss) => {
                if let Some(loss) = loss {
                    self.add(DamagedPart::End, loss.problem);
                }
            }
            // The damage is listed already.
            Err(_) if !self.verified.damages.is_empty() => {}
            Err(error) => self.add(DamagedPart::Database, error.problem()),
        }
        // Images take long: meanwhile the log can be emptied.
        drop(snapshot);
        self.images()?;
        self.orphans();
        Ok(())
    }

    /// Verifies every row. Rows up to the number `saved` were saved, even if the database cannot tell how many it has.
    fn rows(&mut self, expected_head: Option<&str>, saved: i64) {
        let connection = self.archive.connection();
        let mut tables = Vec::new();
        let (mut last, mut is_last_known) = (0, true);
        // The damage is listed already.
        let Ok(limit) = highest_row(connection) else {
            return;
        };
        for kind in Kind::ALL {
            let table = kind.table();
            // A table that is missing is a damage of the schema, or the format is an earlier one.
            let Ok(statement) = connection.prepare(&format!(
                "SELECT body, previous, hash FROM {table} WHERE seq = ?1"
            )) else {
                continue;
            };
            let mut edge = |function: &str| -> Option<i64> {
                let query = format!("SELECT ifnull({function}(seq), 0) FROM {table} NOT INDEXED");
                let seq = connection.query_row(&query, [], |row| row.get(0)).ok()?;
                if seq != 0 && !(1..=limit).contains(&seq) {
                    let kind = kind.name();
                    let problem = format!("a {kind} has the impossible row number {seq}");
                    self.add(DamagedPart::Row, problem);
                }
                Some(seq)
            };
            edge("min");
            match edge("max") {
                Some(highest) => last = last.max(highest.min(limit)),
                None => is_last_known = false,
            }
            tables.push((kind, statement));
        }
        if !is_last_known {
            last = last.max(saved.min(limit));
        }
        // The head of an empty chain precedes every chain.
        self.is_head_found = expected_head.is_none_or(|head| head == chain::GENESIS);
        let mut before: Option<Link> = None;
        let mut run: Option<Run> = None;
        for seq in 1..=last {
            (self.progress)(seq.unsigned_abs(), last.unsigned_abs());
            let found = find(&mut tables, seq);
            let cause = match found {
                Found::Row(link) => {
                    self.end_run(&mut run, Some(seq));
                    self.is_head_found |= expected_head == Some(&*link.hash);
                    self.row(&link, before.as_ref());
                    before = Some(link);
                    continue;
                }
                Found::Several(kinds) => {
                    self.end_run(&mut run, Some(seq));
                    let problem =
                        format!("several rows have the number {seq}: {}", kinds.join(", "));
                    self.add(DamagedPart::Row, problem);
                    before = None;
                    continue;
                }
                Found::Nothing => None,
                Found::Unreadable(cause) => Some(cause),
            };
            before = None;
            match &mut run {
                Some(run) if run.cause == cause => run.last = seq,
                _ => {
                    self.end_run(&mut run, None);
                    run = Some(Run {
                        first: seq,
                        last: seq,
                        cause,
                    });
                }
            }
        }
        self.end_run(&mut run, None);
    }

    /// Lists the rows of a run, before the row `next`.
    fn end_run(&mut self, run: &mut Option<Run>, next: Option<i64>) {
        let Some(Run { first, last, cause }) = run.take() else {
            return;
        };
        let (rows, is) = if first == last {
            (format!("row {first}"), "is")
        } else {
            (format!("rows {first} to {last}"), "are")
        };
        let problem = match (cause, next) {
            (Some(cause), _) => format!("{rows} cannot be read: {cause}"),
            (None, Some(next)) => {
                format!("{rows} {is} missing: row {next} follows row {}", first - 1)
            }
            (None, None) => format!("{rows} {is} missing"),
        };
        self.add(DamagedPart::Row, problem);
    }

    /// Verifies a row that follows `before`; `None` if the row before it is unknown.
    fn row(&mut self, link: &Link, before: Option<&Link>) {
        let content = self.content(link);
        let problem = link.change().or_else(|| link.mismatch(before));
        match problem.map_or(content, Err) {
            Ok(contradictions) => {
                self.verified.rows += 1;
                for contradiction in contradictions {
                    self.add(DamagedPart::Contradiction, contradiction);
                }
            }
            Err(problem) => self.add(DamagedPart::Row, problem),
        }
        self.verified.head.clone_from(&link.hash);
    }

    /// Reads what a row says, as far as it is needed for the images and the count of cells. Returns what contradicts itself.
    fn content(&mut self, link: &Link) -> Result<Vec<String>, String> {
        let Link { seq, body, .. } = link;
        let read = || -> Result<Content, RecordsError> {
            Ok(match Kind::named(&link.kind) {
                Some(kind @ Kind::Field) => {
                    Content::Field(Box::new(chain::parse(kind, *seq, body)?))
                }
                Some(kind @ Kind::Removal) => Content::Removal(chain::parse(kind, *seq, body)?),
                Some(kind @ Kind::Export) => Content::Export(chain::parse(kind, *seq, body)?),
                Some(kind @ Kind::Slide) => {
                    chain::parse::<SlideEntry>(kind, *seq, body)?;
                    Content::Other
                }
                Some(kind @ Kind::Note) => {
                    chain::parse::<NoteEntry>(kind, *seq, body)?;
                    Content::Other
                }
                Some(kind @ Kind::Closing) => {
                    chain::parse::<ClosingEntry>(kind, *seq, body)?;
                    Content::Other
                }
                Some(kind @ Kind::Cells) => Content::Cells(chain::parse(kind, *seq, body)?),
                None => Content::Other,
            })
        };
        let mut contradictions = Vec::new();
        match read().map_err(RecordsError::problem)? {
            Content::Field(field) => {
                let images = field.images().map(|image| (field.id, image.clone()));
                self.images.extend(images);
                contradictions = field.contradictions();
                self.counted = field.count.map(|count| (field.id, count));
            }
            Content::Cells(cells) => {
                let counted = self.counted.take();
                let counted = counted.filter(|(field, _)| *field == cells.field);
                contradictions.extend(counted.and_then(|(_, count)| cells.contradiction(&count)));
            }
            Content::Removal(removal) => {
                if !self.exported.contains(&removal.field) {
                    self.verified.removed_unexported += 1;
                }
                self.removed.insert(removal.field);
                self.verified.last_removal = Some(removal.removed_at);
            }
            Content::Export(export) => {
                self.exported.insert(export.field);
            }
            Content::Other => {}
        }
        Ok(contradictions)
    }

    fn images(&mut self) -> Result<(), RecordsError> {
        self.verified.removed = self.removed.len() as u64;
        let images = std::mem::take(&mut self.images);
        for (done, (field, image)) in images.iter().enumerate() {
            (self.progress)(done as u64, images.len() as u64);
            if self.removed.contains(field) {
                self.verified.removed_images += 1;
                continue;
            }
            match self.image(field, image)? {
                Ok(is_there) => self.verified.images += u64::from(is_there),
                Err(problem) => self.add(DamagedPart::Image, problem),
            }
        }
        self.images = images;
        Ok(())
    }

    /// Verifies an image. Returns `false` if retention removed it in the meantime, and what is wrong with it otherwise.
    fn image(
        &self,
        field: &Uuid,
        image: &ImageEntry,
    ) -> Result<Result<bool, String>, RecordsError> {
        let path = match image.file(self.archive.folder()) {
            Ok(path) => path,
            Err(error) => return Ok(Err(error.problem())),
        };
        // Reading a pipe in its place would never end.
        let is_file = path.symlink_metadata().map(|found| found.is_file());
        let bytes = is_file.and_then(|is_file| {
            if is_file {
                fs::read(&path)
            } else {
                Ok(Vec::new())
            }
        });
        let problem = match bytes {
            Ok(bytes) if sha256(&bytes) == image.sha256 => return Ok(Ok(true)),
            Ok(_) => "has changed since it was written".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.archive.is_removed(field).unwrap_or(false) {
                    return Ok(Ok(false));
                }
                "is missing, although the appliance did not remove it".to_owned()
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(RecordsError::file(&path, "read", AS_SERVICE)(error));
            }
            Err(error) => format!("cannot be read: {error}"),
        };
        Ok(Err(format!("{} of field {field} {problem}", image.path)))
    }

    /// Lists the image files that no row names.
    fn orphans(&mut self) {
        let folder = self.archive.folder();
        let named: HashSet<&Path> = self
            .images
            .iter()
            .map(|(_, image)| Path::new(&image.path))
            .collect();
        let mut problems = Vec::new();
        let mut orphans = Vec::new();
        for path in image_files(folder) {
            match path {
                Ok(path) => {
                    let relative = path.strip_prefix(folder).unwrap_or(&path);
                    if !named.contains(relative) {
                        orphans.push(relative.to_string_lossy().into_owned());
                    }
                }
                Err(error) => problems.push(format!("the images cannot be listed: {error}")),
            }
        }
        orphans.sort();
        self.verified.orphans = orphans;
        for problem in problems {
            self.add(DamagedPart::Image, problem);
        }
    }
}

/// What the body of a row says.
enum Content {
    Field(Box<FieldEntry>),
    Cells(CellsEntry),
    Removal(RemovalEntry),
    Export(ExportEntry),
    Other,
}

/// The highest number that a row can have in a database of this size; a damaged number may be far higher.
fn highest_row(connection: &rusqlite::Connection) -> rusqlite::Result<i64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(pragma("page_count")?.saturating_mul(pragma("page_size")?) / MIN_ROW)
}

/// Looks for the row with a number in every table, so that a damaged page of one table does not hide rows of others.
fn find(tables: &mut [(Kind, Statement<'_>)], seq: i64) -> Found {
    let mut links = Vec::new();
    let mut cause = None;
    for (kind, statement) in tables {
        match read(*kind, statement, seq) {
            Ok(Some(link)) => links.push(link),
            Ok(None) => {}
            Err(problem) => cause = Some(problem),
        }
    }
    match (links.len(), cause) {
        (0, None) => Found::Nothing,
        (0, Some(cause)) => Found::Unreadable(cause),
        (1, _) => links.pop().map_or(Found::Nothing, Found::Row),
        _ => Found::Several(
            links
                .iter()
                .filter_map(|link| Kind::named(&link.kind).map(Kind::name))
                .collect(),
        ),
    }
}

fn read(kind: Kind, statement: &mut Statement<'_>, seq: i64) -> Result<Option<Link>, String> {
    let text = |row: &rusqlite::Row<'_>, index: usize| -> rusqlite::Result<Option<String>> {
        Ok(match row.get_ref(index)? {
            ValueRef::Text(text) => String::from_utf8(text.to_vec()).ok(),
            _ => None,
        })
    };
    let found = statement
        .query_row([seq], |row| {
            Ok([text(row, 0)?, text(row, 1)?, text(row, 2)?])
        })
        .optional()
        .map_err(|error| format!("the database is damaged there ({error})"))?;
    match found {
        None => Ok(None),
        Some([Some(body), Some(previous), Some(hash)]) => Ok(Some(Link {
            seq,
            kind: kind.name().into(),
            body,
            previous,
            hash,
        })),
        Some(_) => Err(format!("the {} there is not valid text", kind.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::export::Format;
    use crate::records::filter::Filter;
    use crate::records::layout::database;
    use crate::records::store::Store;
    use crate::records::testing::Records;

    /// Bytes between the flipped bits; a prime, so that all bits of a byte and all places of a page occur.
    const FLIP_STEP: usize = 499;

    fn verify(records: &Records, expected_head: Option<&str>) -> Verified {
        let archive = records.archive();
        archive.verify(expected_head, &mut |_, _| ()).unwrap()
    }

    #[test]
    fn unchanged_rows_and_images_are_counted() {
        let (records, _) = Records::of_days(3);
        fs::write(records.path().join("images/left-behind.jpg"), "x").unwrap();
        let head = chain::head(records.archive().connection())
            .unwrap()
            .unwrap()
            .hash;
        let verified = verify(&records, Some(&head));
        let expected = Verified {
            rows: 4,
            images: 6,
            removed: 0,
            removed_images: 0,
            removed_unexported: 0,
            last_removal: None,
            orphans: vec!["images/left-behind.jpg".into()],
            head,
            damages: Vec::new(),
        };
        assert_eq!(verified, expected);
        let empty = Records::new().verified();
        assert_eq!((empty.rows, &*empty.head), (0, &*"0".repeat(64)));
    }

    #[test]
    fn a_changed_view_is_detected() {
        let (records, _) = Records::of_days(3);
        records.tamper(
            "CREATE TABLE kept AS SELECT * FROM chain;
             DROP VIEW chain;
             CREATE VIEW chain AS SELECT * FROM kept;
             UPDATE fields SET body = replace(body, 'Negative', 'Positive')",
        );
        let problem = records.problem();
        assert!(
            problem.contains("have changed since they were created"),
            "{problem}"
        );
        records.tamper("DROP VIEW chain; DROP TABLE kept");
        let problem = records.problem();
        assert!(
            problem.contains("have changed since they were created"),
            "{problem}"
        );
    }

    #[test]
    fn a_changed_row_is_reported() {
        let (records, _) = Records::of_days(3);
        records
            .tamper("UPDATE fields SET body = replace(body, 'Negative', 'Positive') WHERE seq = 3");
        let problem = records.problem();
        assert!(
            problem.starts_with("row 3 (field) has changed since it was written"),
            "{problem}"
        );
    }

    #[test]
    fn a_changed_row_with_a_recomputed_hash_breaks_the_next() {
        let (records, _) = Records::of_days(3);
        let connection = rusqlite::Connection::open(database(records.path())).unwrap();
        let link = connection
            .query_row("SELECT * FROM chain WHERE seq = 3", [], Link::read)
            .unwrap();
        let body = link.body.replace("Negative", "Positive");
        let text = format!("{}\nfield\n3\n{body}", link.previous);
        let hash = sha256(text.as_bytes());
        records.tamper(&format!(
            "UPDATE fields SET body = '{body}', hash = '{hash}' WHERE seq = 3"
        ));
        let problem = records.problem();
        let (verdict, row) = problem.split_once('\n').unwrap();
        assert!(
            verdict.ends_with("its verdict is Positive, but its rule gives Negative"),
            "{problem}"
        );
        assert!(row.starts_with("row 4 (field) does not match"), "{problem}");
    }

    #[test]
    fn a_deleted_row_is_reported_and_an_earlier_head_reveals_a_cut_end() {
        let (records, _) = Records::of_days(3);
        let head = records.verified().head;
        records.tamper("DELETE FROM fields WHERE seq = 4");
        let damages = verify(&records, Some(&head)).damages;
        let [hash, end] = &damages[..] else {
            panic!("{damages:?}");
        };
        assert!(
            hash.problem.contains(&head) && hash.problem.contains("cut off"),
            "{damages:?}"
        );
        assert_eq!((hash.part, end.part), (DamagedPart::End, DamagedPart::End));
        assert!(
            end.problem
                .starts_with("row 4, which was saved, is missing")
                && end
                    .problem
                    .contains("the images of 1 field without a row remain"),
            "{damages:?}"
        );
        let (records, _) = Records::of_days(3);
        records.tamper("DELETE FROM fields WHERE seq = 3");
        assert!(
            records
                .problem()
                .starts_with("row 3 is missing: row 4 follows row 2")
        );
    }

    #[test]
    fn an_earlier_head_is_part_of_a_longer_chain() {
        let (mut records, _) = Records::of_days(1);
        let head = records.verified().head;
        records.put(2).unwrap();
        assert_eq!(verify(&records, Some(&head)).rows, 3);
    }

    #[test]
    fn a_changed_and_a_missing_image_are_reported() {
        let (records, ids) = Records::of_days(2);
        let image = &records.images(ids[1])[1];
        let mut bytes = fs::read(image).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(image, bytes).unwrap();
        let name = image.file_name().unwrap().to_str().unwrap();
        let problem = records.problem();
        assert!(
            problem.contains(name) && problem.contains("has changed since it was written"),
            "{problem}"
        );
        fs::remove_file(image).unwrap();
        let problem = records.problem();
        assert!(
            problem.contains(name) && problem.contains("is missing"),
            "{problem}"
        );
    }

    #[test]
    fn a_truncated_database_is_reported_as_damaged() {
        let (records, _) = Records::of_days(40);
        let folder = records.close();
        let path = database(folder.path());
        let bytes = fs::read(&path).unwrap();
        for pages in 1..bytes.len() / 4096 {
            fs::write(&path, &bytes[..pages * 4096]).unwrap();
            let verified = Verified::of(folder.path(), None, &mut |_, _| ()).unwrap();
            let first = &verified.damages[0];
            assert_eq!(first.part, DamagedPart::Database);
            let error = Store::open(folder.path().into()).err().unwrap();
            assert!(matches!(error, RecordsError::Mismatch { .. }), "{error}");
            for text in [&first.problem, &error.to_string()] {
                assert!(
                    text.contains("records.sqlite is damaged"),
                    "{pages} pages: {text}"
                );
            }
        }
        fs::write(
            &path,
            "no database at all, but long enough to have a header of one ".repeat(20),
        )
        .unwrap();
        let error = Archive::open(folder.path()).err().unwrap();
        assert!(error.to_string().contains("is damaged"), "{error}");
    }

    #[test]
    fn every_damaged_row_and_file_is_named() {
        let (mut records, ids) = Records::of_days(6);
        let orphan = &records.put_without_row()[0];
        let orphan = orphan.strip_prefix(records.path()).unwrap();
        let missing = records.images(ids[0])[0].clone();
        fs::remove_file(&missing).unwrap();
        fs::write(&records.images(ids[5])[1], "changed").unwrap();
        records.tamper(
            "UPDATE fields SET body = replace(body, 'T12', 'T13') WHERE seq = 3;
             UPDATE fields SET hash = replace(hash, substr(hash, 1, 8), '00000000') WHERE seq = 4;
             DELETE FROM fields WHERE seq IN (5, 6)",
        );
        let verified = verify(&records, None);
        let named = |part| {
            let damages = verified
                .damages
                .iter()
                .filter(move |damage| damage.part == part);
            damages.map(|damage| &*damage.problem).collect::<Vec<_>>()
        };
        assert_eq!(
            named(DamagedPart::Row),
            [
                "row 3 (field) has changed since it was written",
                "row 4 (field) has changed since it was written",
                "rows 5 to 6 are missing: row 7 follows row 4",
            ]
        );
        let [first, second] = named(DamagedPart::Image)[..] else {
            panic!("{:?}", verified.damages);
        };
        assert!(first.contains(&ids[0].to_string()) && first.contains("is missing"));
        assert!(second.contains(&ids[5].to_string()) && second.contains("has changed"));
        assert_eq!(verified.damages.len(), 5);
        assert_eq!((verified.rows, verified.images), (3, 6));
        // Those of the deleted rows have no row, either.
        assert_eq!(verified.orphans.len(), 2 + 4);
        assert!(
            verified
                .orphans
                .contains(&orphan.to_str().unwrap().to_owned())
        );
    }

    #[test]
    fn rows_on_a_damaged_page_are_named_and_the_others_verified() {
        let (records, _) = Records::of_days(40);
        let connection = rusqlite::Connection::open(database(records.path())).unwrap();
        let page: i64 = connection
            .query_row(
                "SELECT rootpage FROM sqlite_schema WHERE name = 'fields'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        drop(connection);
        let folder = records.close();
        let path = database(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        // The first child of the table's root page, which is an interior page of its tree.
        let root = usize::try_from(page - 1).unwrap() * 4096;
        let cell = usize::from(u16::from_be_bytes([bytes[root + 12], bytes[root + 13]]));
        let child = u32::from_be_bytes(bytes[root + cell..][..4].try_into().unwrap());
        let child = (child as usize - 1) * 4096;
        bytes[child..child + 8].fill(0xff);
        fs::write(&path, bytes).unwrap();
        let verified = Verified::of(folder.path(), None, &mut |_, _| ()).unwrap();
        let rows: Vec<_> = verified
            .damages
            .iter()
            .filter(|damage| damage.part == DamagedPart::Row)
            .collect();
        let [rows] = &rows[..] else {
            panic!("{:?}", verified.damages);
        };
        let (range, cause) = rows.problem.split_once(" cannot be read: ").unwrap();
        let (first, last) = range
            .strip_prefix("rows ")
            .unwrap()
            .split_once(" to ")
            .unwrap();
        let [first, last] = [first, last].map(|row| row.parse::<i64>().unwrap());
        assert_eq!(verified.rows, 41 - (last - first + 1), "{range}");
        assert!(first <= 2 && last < 20, "{range}");
        assert!(cause.contains("the database is damaged there"), "{cause}");
        assert_eq!(verified.damages[0].part, DamagedPart::Database);
    }

    /// All that the tables of the chain contain, and their definitions; `None` if it cannot be read.
    fn content(path: &Path) -> Option<Vec<String>> {
        let connection = rusqlite::Connection::open(path).ok()?;
        let mut lines = Vec::new();
        let tables = Kind::ALL.map(Kind::table);
        for query in tables
            .map(|table| format!("SELECT seq, body, previous, hash FROM {table} NOT INDEXED"))
            .iter()
            .chain([&"SELECT type, name, sql FROM sqlite_schema".to_owned()])
        {
            let mut statement = connection.prepare(query).ok()?;
            let columns = statement.column_count();
            let mut rows = statement.query([]).ok()?;
            while let Some(row) = rows.next().ok()? {
                let values = (0..columns).map(|column| format!("{:?}", row.get_ref_unwrap(column)));
                lines.push(values.collect());
            }
        }
        Some(lines)
    }

    #[test]
    fn every_flipped_bit_that_changes_a_record_is_found() {
        let (records, _) = Records::of_days(3);
        records
            .archive()
            .export(
                &Filter::default(),
                Format::Zip,
                &records.path().join("out.zip"),
            )
            .unwrap();
        let slide = records.fields(&Filter::default())[0].field.slide;
        records.archive().annotate(slide, "a note").unwrap();
        let folder = records.close();
        // Opening and closing it moves the log into the database.
        drop(Store::open(folder.path().into()).unwrap());
        let path = database(folder.path());
        let whole = fs::read(&path).unwrap();
        let before = content(&path).unwrap();
        let mut changes = 0;
        for place in (0..whole.len()).step_by(FLIP_STEP) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place % 8);
            fs::write(&path, &bytes).unwrap();
            let found = Verified::of(folder.path(), None, &mut |_, _| ());
            let found = found.unwrap_or_else(|error| panic!("byte {place}: {error}"));
            if content(&path).as_ref() != Some(&before) {
                changes += 1;
                assert_ne!(found.damages, [], "byte {place}");
            }
        }
        assert!(changes > 10, "{changes} flips changed something");
    }
}
