//! Number and hash of the last row, in a small file beside the database.
//!
//! After a power cut, SQLite silently drops the rest of its log from the first damaged bit on, so committed rows can vanish
//! from the end of the database. This file is synced after each commit and before the field is reported as saved. If it
//! names a row that the database does not have, rows were lost. It may lag behind the database, because the power can fail
//! between the commit and its sync, and because a failure to write it does not undo the commit.
//!
//! The file has two slots that are written alternately and verified by a checksum, so an interrupted write destroys at most
//! one of them, and a save needs only one sync.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smearscope_artifacts::sha256;

use crate::records::error::{CHECK_DISK, RecordsError};
use crate::records::layout::HEAD;
use crate::system::files::{PRIVATE, replace};
use crate::system::time::utc;

/// Size of a slot; the disk writes it without touching the other one.
const SLOT: usize = 4096;

/// Number and hash of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: String,
}

/// The contents of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredHead {
    #[serde(flatten)]
    pub(super) head: Head,
    /// Since when every saved row is known to be in the database: since the file was created, or since the last loss.
    pub(super) since: String,
}

impl StoredHead {
    /// Reads the file in a state folder; `None` if there is none.
    ///
    /// # Errors
    /// [`RecordsError::Mismatch`] if it is damaged, and [`RecordsError::File`].
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, RecordsError> {
        let path = folder.join(HEAD);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RecordsError::file(&path, "read", CHECK_DISK)(error)),
        };
        let slots = bytes.chunks(SLOT).filter_map(Self::decode);
        let newest = slots.max_by_key(|stored| stored.head.seq);
        newest.map(Some).ok_or_else(|| RecordsError::Mismatch {
            problem: format!("{} is damaged", path.display()),
        })
    }

    /// Creates or replaces the file.
    ///
    /// # Errors
    /// [`RecordsError::File`]
    pub(super) fn create(&self, folder: &Path) -> Result<(), RecordsError> {
        let path = folder.join(HEAD);
        let mut bytes = [b' '; 2 * SLOT];
        for (place, byte) in bytes[self.offset()..].iter_mut().zip(self.encode()) {
            *place = byte;
        }
        replace(&path, &bytes, PRIVATE).map_err(RecordsError::file(&path, "written", CHECK_DISK))
    }

    fn offset(&self) -> usize {
        if self.head.seq % 2 == 0 { 0 } else { SLOT }
    }

    /// The slot's text: a line of JSON and a line with its checksum, padded with spaces.
    fn encode(&self) -> Vec<u8> {
        // Plain data always serializes.
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut slot = format!("{json}\n{}\n", sha256(json.as_bytes())).into_bytes();
        slot.resize(SLOT, b' ');
        slot
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(slot).ok()?.lines();
        let (json, checksum) = (lines.next()?, lines.next()?);
        (sha256(json.as_bytes()) == checksum)
            .then(|| serde_json::from_str(json).ok())
            .flatten()
    }
}

impl Head {
    /// Writes and syncs the head after its row was committed. The row is on the disk, so a failure is only logged; a later
    /// loss of this row would not be noticed.
    pub(super) fn save(self, folder: &Path) {
        let seq = self.seq;
        if let Err(error) = self.try_save(folder) {
            let error = anyhow::Error::from(error);
            log::error!("row {seq} is saved, but its loss would not be noticed: {error:#}");
        }
    }

    fn try_save(self, folder: &Path) -> Result<(), RecordsError> {
        let path = folder.join(HEAD);
        let failed = || RecordsError::file(&path, "written", CHECK_DISK);
        let create = |head| {
            let since = utc(Timestamp::now());
            StoredHead { head, since }.create(folder)
        };
        let file = match File::options().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return create(self),
            Err(error) => return Err(failed()(error)),
        };
        // Others that commit at the same time may save a later head first.
        file.lock().map_err(failed())?;
        let since = match StoredHead::read(folder) {
            Ok(Some(stored)) if stored.head.seq >= self.seq => return Ok(()),
            Ok(Some(stored)) => stored.since,
            Ok(None) => return create(self),
            Err(error @ RecordsError::Mismatch { .. }) => {
                log::error!("{}; it is created again", error.problem());
                return create(self);
            }
            Err(error) => return Err(error),
        };
        let stored = StoredHead { head: self, since };
        file.write_all_at(&stored.encode(), stored.offset() as u64)
            .and_then(|()| file.sync_data())
            .map_err(failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: i64) -> Head {
        Head {
            seq,
            hash: format!("{seq:064}"),
        }
    }

    fn read(folder: &Path) -> Head {
        StoredHead::read(folder).unwrap().unwrap().head
    }

    #[test]
    fn an_interrupted_save_leaves_the_head_before() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(StoredHead::read(folder).unwrap(), None);
        head(4).save(folder);
        let since = StoredHead::read(folder).unwrap().unwrap().since;
        head(5).save(folder);
        head(6).save(folder);
        assert_eq!(read(folder), head(6));
        assert_eq!(StoredHead::read(folder).unwrap().unwrap().since, since);
        let path = folder.join(HEAD);
        let mut bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 2 * SLOT);
        // The newer slot is half written.
        bytes[60] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read(folder), head(5));
        bytes[SLOT + 60] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = StoredHead::read(folder).unwrap_err().to_string();
        assert!(error.contains("records.head is damaged"), "{error}");
    }

    #[test]
    fn a_late_save_does_not_take_the_head_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for seq in [10, 12, 10, 11] {
            head(seq).save(folder);
        }
        assert_eq!(read(folder), head(12));
        fs::write(folder.join(HEAD), "damaged while it is in use").unwrap();
        head(13).save(folder);
        assert_eq!(read(folder), head(13));
    }

    #[test]
    fn a_lower_head_replaces_the_file() {
        let folder = tempfile::tempdir().unwrap();
        head(7).save(folder.path());
        let since = utc(Timestamp::now());
        let lower = StoredHead {
            head: head(2),
            since,
        };
        lower.create(folder.path()).unwrap();
        assert_eq!(StoredHead::read(folder.path()).unwrap(), Some(lower));
    }
}
