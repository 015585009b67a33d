//! Verifying that rows and images have not changed since they were written.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use smearscope_artifacts::sha256;
use uuid::Uuid;
use walkdir::WalkDir;

use crate::records::archive::Archive;
use crate::records::chain::{self, Kind, Link};
use crate::records::entry::{ExportEntry, FieldEntry, ImageEntry, RemovalEntry};
use crate::records::error::RecordsError;
use crate::records::layout::IMAGES;
use crate::records::schema;

/// Result of a successful verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of rows in the chain.
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
    /// Number of image files without a row, which a power cut can leave.
    pub unrecorded: u64,
    /// Hash of the last row, to be stored elsewhere; zeros if there are no rows.
    pub head: String,
}

impl Archive {
    /// Verifies the database, the hash chain and the image files. The chain must contain a row with the hash
    /// `expected_head`, if given.
    ///
    /// # Errors
    /// [`RecordsError::Mismatch`] for the first row or file that has changed.
    pub fn verify(&self, expected_head: Option<&str>) -> Result<Verified, RecordsError> {
        schema::check(self.connection(), self.folder())?;
        let failed = RecordsError::database(self.folder());
        let mut verified = Verified {
            rows: 0,
            images: 0,
            removed: 0,
            removed_images: 0,
            removed_unexported: 0,
            last_removal: None,
            unrecorded: 0,
            head: chain::head_hash(self.connection()).map_err(&failed)?,
        };
        // The head of an empty chain precedes every chain.
        let mut is_head_found = expected_head.is_none_or(|head| head == chain::GENESIS);
        let mut images: Vec<(Uuid, ImageEntry)> = Vec::new();
        let mut removed = HashSet::new();
        let mut exported = HashSet::new();
        let mut previous: Option<Link> = None;
        let mut statement = self
            .connection()
            .prepare("SELECT * FROM chain ORDER BY seq")
            .map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let link = Link::read(row).map_err(&failed)?;
            if let Some(problem) = link.problem(previous.as_ref()) {
                return mismatch(problem);
            }
            is_head_found |= expected_head == Some(&*link.hash);
            match Kind::named(&link.kind) {
                Some(Kind::Field) => {
                    let field: FieldEntry = chain::parse(Kind::Field, link.seq, &link.body)?;
                    images.extend(field.images().map(|image| (field.id, image.clone())));
                }
                Some(Kind::Removal) => {
                    let removal: RemovalEntry = chain::parse(Kind::Removal, link.seq, &link.body)?;
                    if !exported.contains(&removal.field) {
                        verified.removed_unexported += 1;
                    }
                    removed.insert(removal.field);
                    verified.last_removal = Some(removal.removed_at);
                }
                Some(Kind::Export) => {
                    let export: ExportEntry = chain::parse(Kind::Export, link.seq, &link.body)?;
                    exported.insert(export.field);
                }
                _ => {}
            }
            verified.rows = link.seq;
            previous = Some(link);
        }
        if let (false, Some(expected)) = (is_head_found, expected_head) {
            return mismatch(format!(
                "no row has the hash {expected}: the end of the chain was cut off, or the chain was recomputed"
            ));
        }
        verified.head = previous.map_or(verified.head, |last| last.hash);
        verified.removed = removed.len() as u64;
        for (field, image) in &images {
            if removed.contains(field) {
                verified.removed_images += 1;
            } else if self.is_unchanged(field, image)? {
                verified.images += 1;
            }
        }
        let named = images.iter().map(|(_, image)| &*image.path).collect();
        verified.unrecorded = self.unrecorded(&named);
        Ok(verified)
    }

    /// Verifies an image. Returns `false` if retention removed it in the meantime.
    fn is_unchanged(&self, field: &Uuid, image: &ImageEntry) -> Result<bool, RecordsError> {
        let path = image.file(self.folder())?;
        // Reading a pipe in its place would never end.
        let is_file = path.symlink_metadata().map(|found| found.is_file());
        let problem = match is_file.and_then(|is_file| {
            if is_file {
                fs::read(&path)
            } else {
                Ok(Vec::new())
            }
        }) {
            Ok(bytes) if sha256(&bytes) == image.sha256 => return Ok(true),
            Ok(_) => "has changed since it was written".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.is_removed(field)? {
                    return Ok(false);
                }
                "is missing, although the appliance did not remove it".to_owned()
            }
            Err(error) => {
                let remedy = "run this as the appliance's user";
                return Err(RecordsError::file(&path, "read", remedy)(error));
            }
        };
        mismatch(format!("{} of field {field} {problem}", image.path))
    }

    /// The number of image files that are not among `named`.
    fn unrecorded(&self, named: &HashSet<&str>) -> u64 {
        let is_named = |path: &Path| {
            let relative = path.strip_prefix(self.folder()).ok();
            relative
                .and_then(Path::to_str)
                .is_some_and(|path| named.contains(path))
        };
        WalkDir::new(self.folder().join(IMAGES))
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file() && !is_named(entry.path()))
            .count() as u64
    }
}

fn mismatch<T>(problem: String) -> Result<T, RecordsError> {
    Err(RecordsError::Mismatch { problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::layout::database;
    use crate::records::store::Store;
    use crate::records::testing::Records;

    #[test]
    fn unchanged_rows_and_images_are_counted() {
        let (records, _) = Records::of_days(3);
        fs::write(records.path().join("images/left-behind.jpg"), "x").unwrap();
        let head = chain::head(records.archive().connection())
            .unwrap()
            .unwrap()
            .hash;
        let verified = records.archive().verify(Some(&head)).unwrap();
        let expected = Verified {
            rows: 4,
            images: 6,
            removed: 0,
            removed_images: 0,
            removed_unexported: 0,
            last_removal: None,
            unrecorded: 1,
            head,
        };
        assert_eq!(verified, expected);
        let empty = Records::new().archive().verify(None).unwrap();
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
        assert!(
            problem.starts_with("row 4 (field) does not match"),
            "{problem}"
        );
    }

    #[test]
    fn a_deleted_row_is_reported_and_an_earlier_head_reveals_a_cut_end() {
        let (records, _) = Records::of_days(3);
        let head = records.archive().verify(None).unwrap().head;
        records.tamper("DELETE FROM fields WHERE seq = 4");
        records.archive().verify(None).unwrap();
        let error = records
            .archive()
            .verify(Some(&head))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&head) && error.contains("cut off"),
            "{error}"
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
        let head = records.archive().verify(None).unwrap().head;
        records.put(2).unwrap();
        assert_eq!(records.archive().verify(Some(&head)).unwrap().rows, 3);
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
            let verified = Archive::open(folder.path()).and_then(|archive| archive.verify(None));
            let opened = Store::open(folder.path().into()).err();
            for error in [verified.unwrap_err(), opened.unwrap()] {
                assert!(matches!(error, RecordsError::Mismatch { .. }), "{error}");
                let text = error.to_string();
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
}
