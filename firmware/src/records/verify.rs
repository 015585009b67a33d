//! Whether everything is as it was written.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use smearscope_artifacts::sha256;
use uuid::Uuid;
use walkdir::WalkDir;

use crate::records::Archive;
use crate::records::IMAGES;
use crate::records::RecordsError;
use crate::records::chain::{self, Link};
use crate::records::entry::{ExportEntry, FieldEntry, ImageEntry, RemovalEntry};
use crate::records::schema;

/// What was found where all is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Rows in the chain.
    pub rows: i64,
    /// Image files whose contents are right.
    pub images: u64,
    /// Fields whose images were removed by retention, as their removals say.
    pub removed: u64,
    /// The images of those.
    pub removed_images: u64,
    /// Fields of those that were never exported.
    pub removed_unexported: u64,
    /// When the last of them was removed, if any was.
    pub last_removal: Option<String>,
    /// Image files that no row names: left behind when the power went.
    pub unrecorded: u64,
    /// The hash of the last row, to be kept elsewhere; zeros if there is no row.
    pub head: String,
}

impl Archive {
    /// Looks at the database, walks the chain, then the image files. With `expected_head`, the chain must contain a row
    /// with this hash.
    ///
    /// # Errors
    /// [`RecordsError::Mismatch`] names the first row or file that does not match.
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
        // Before the first row, the head is that of an empty chain.
        let mut is_head_found = expected_head.is_none_or(|head| head == chain::GENESIS);
        let mut images: Vec<(Uuid, ImageEntry)> = Vec::new();
        let mut removed = HashSet::new();
        let mut exported = HashSet::new();
        let mut before: Option<Link> = None;
        let mut statement = self
            .connection()
            .prepare("SELECT * FROM chain ORDER BY seq")
            .map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let link = Link::read(row).map_err(&failed)?;
            if let Some(problem) = link.problem(before.as_ref()) {
                return mismatch(problem);
            }
            is_head_found |= expected_head == Some(&*link.hash);
            let unreadable = |error| RecordsError::Mismatch {
                problem: format!(
                    "row {} says nothing that this program knows: {error}",
                    link.seq
                ),
            };
            match &*link.kind {
                "field" => {
                    let field: FieldEntry = serde_json::from_str(&link.body).map_err(unreadable)?;
                    images.extend(field.images().map(|image| (field.id, image.clone())));
                }
                "removal" => {
                    let removal: RemovalEntry =
                        serde_json::from_str(&link.body).map_err(unreadable)?;
                    if !exported.contains(&removal.field) {
                        verified.removed_unexported += 1;
                    }
                    removed.insert(removal.field);
                    verified.last_removal = Some(removal.removed_at);
                }
                "export" => {
                    let export: ExportEntry =
                        serde_json::from_str(&link.body).map_err(unreadable)?;
                    exported.insert(export.field);
                }
                _ => {}
            }
            verified.rows = link.seq;
            before = Some(link);
        }
        if let (false, Some(expected)) = (is_head_found, expected_head) {
            return mismatch(format!(
                "no row has the hash {expected}: the end of the chain is cut off, or all of it was made anew"
            ));
        }
        verified.head = before.map_or(verified.head, |last| last.hash);
        verified.removed = removed.len() as u64;
        for (field, image) in &images {
            if removed.contains(field) {
                verified.removed_images += 1;
            } else if self.is_right(field, image)? {
                verified.images += 1;
            }
        }
        let named = images.iter().map(|(_, image)| &*image.path).collect();
        verified.unrecorded = self.unrecorded(&named);
        Ok(verified)
    }

    /// Whether an image is there, and as it was written; not if it was removed meanwhile.
    fn is_right(&self, field: &Uuid, image: &ImageEntry) -> Result<bool, RecordsError> {
        let path = image.file(self.folder())?;
        // A pipe in its place would be read for ever.
        let is_file = path.symlink_metadata().map(|found| found.is_file());
        let problem = match is_file.and_then(|is_file| {
            if is_file {
                fs::read(&path)
            } else {
                Ok(Vec::new())
            }
        }) {
            Ok(bytes) if sha256(&bytes) == image.sha256 => return Ok(true),
            Ok(_) => "is not as it was written".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.is_removed(field)? {
                    return Ok(false);
                }
                "is absent, and was not removed by the appliance".to_owned()
            }
            Err(error) => {
                let remedy = "run this as the appliance's user";
                return Err(RecordsError::file(&path, "read", remedy)(error));
            }
        };
        mismatch(format!("{} of field {field} {problem}", image.path))
    }

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
    use crate::records::Store;
    use crate::records::database;
    use crate::records::testing::Records;

    #[test]
    fn what_is_as_it_was_written_is_counted() {
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
    fn a_database_that_answers_two_ways_is_told() {
        let (records, _) = Records::of_days(3);
        records.tamper(
            "CREATE TABLE kept AS SELECT * FROM chain;
             DROP VIEW chain;
             CREATE VIEW chain AS SELECT * FROM kept;
             UPDATE fields SET body = replace(body, 'Negative', 'Positive')",
        );
        let problem = records.problem();
        assert!(problem.contains("are not as they were made"), "{problem}");
        records.tamper("DROP VIEW chain; DROP TABLE kept");
        let problem = records.problem();
        assert!(problem.contains("are not as they were made"), "{problem}");
    }

    #[test]
    fn a_changed_row_is_named() {
        let (records, _) = Records::of_days(3);
        records
            .tamper("UPDATE fields SET body = replace(body, 'Negative', 'Positive') WHERE seq = 3");
        let problem = records.problem();
        assert!(
            problem.starts_with("row 3 (field) is not as it was written"),
            "{problem}"
        );
    }

    #[test]
    fn a_changed_row_whose_hash_is_made_anew_breaks_the_next() {
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
            problem.starts_with("row 4 (field) does not follow"),
            "{problem}"
        );
    }

    #[test]
    fn a_deleted_row_is_named_and_a_cut_end_shown_by_an_earlier_head() {
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
                .starts_with("row 3 is absent: row 4 follows row 2")
        );
    }

    #[test]
    fn an_earlier_head_is_part_of_the_chain_that_grew() {
        let (mut records, _) = Records::of_days(1);
        let head = records.archive().verify(None).unwrap().head;
        records.put(2).unwrap();
        assert_eq!(records.archive().verify(Some(&head)).unwrap().rows, 3);
    }

    #[test]
    fn a_changed_and_an_absent_image_are_named() {
        let (records, ids) = Records::of_days(2);
        let image = &records.images(ids[1])[1];
        let mut bytes = fs::read(image).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(image, bytes).unwrap();
        let name = image.file_name().unwrap().to_str().unwrap();
        let problem = records.problem();
        assert!(
            problem.contains(name) && problem.contains("is not as it was written"),
            "{problem}"
        );
        fs::remove_file(image).unwrap();
        let problem = records.problem();
        assert!(
            problem.contains(name) && problem.contains("is absent"),
            "{problem}"
        );
    }

    #[test]
    fn a_cut_database_is_damaged() {
        let (records, _) = Records::of_days(40);
        let Records { store, folder, .. } = records;
        drop(store);
        let path = database(folder.path());
        let bytes = fs::read(&path).unwrap();
        for pages in 1..bytes.len() / 4096 {
            fs::write(&path, &bytes[..pages * 4096]).unwrap();
            let proved = Archive::open(folder.path()).and_then(|archive| archive.verify(None));
            let opened = Store::open(folder.path().into()).err();
            for error in [proved.unwrap_err(), opened.unwrap()] {
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
