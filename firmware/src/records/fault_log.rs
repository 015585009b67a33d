//! The last faults of the appliance, in a small file, so that somebody who comes days later can see what happened.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::records::error::{CHECK_DISK, RecordsError};
use crate::records::layout::FAULTS;
use crate::system::files::{PRIVATE, replace};
use crate::system::time::utc;

/// Faults that are kept.
const MAX_FAULTS: usize = 200;
/// Characters of a message that are kept.
const MAX_MESSAGE: usize = 400;
/// A fault that comes back within this time after its end continues its entry, so that a loose contact does not push out
/// all others.
const PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// A fault, or several of the same kind in quick succession.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct FaultEntry {
    /// What did not work: a part such as `camera`, `disk`, `records`; or `start` or `capture`, if no part is known to be the
    /// cause.
    pub(crate) part: String,
    /// What was wrong, and its remedy.
    pub(crate) message: String,
    /// When it began (RFC 3339, UTC), by the appliance's clock.
    #[schema(format = DateTime)]
    pub(crate) began_at: String,
    /// When it was over, or when the program ended or started again meanwhile; null while it lasts.
    #[schema(required, format = DateTime)]
    pub(crate) ended_at: Option<String>,
    /// How often it occurred within that time, each time less than an hour after the last.
    pub(crate) count: u64,
}

/// The last faults, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FaultLog {
    entries: VecDeque<FaultEntry>,
}

impl FaultLog {
    /// The faults in a state folder; none if the folder has no such file.
    ///
    /// # Errors
    /// [`RecordsError::File`] if there is no such folder, or if the file cannot be read or is damaged.
    pub(crate) fn read(folder: &Path) -> Result<Self, RecordsError> {
        let path = folder.join(FAULTS);
        match fs::read(&path) {
            Ok(bytes) => {
                let log = serde_json::from_slice(&bytes);
                log.map_err(|error| {
                    let remedy = "remove it; the faults in it are lost";
                    let error = io::Error::new(io::ErrorKind::InvalidData, error);
                    RecordsError::file(&path, "read", remedy)(error)
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::metadata(folder) {
                Ok(_) => Ok(Self::default()),
                Err(error) => Err(RecordsError::unreadable(folder)(error)),
            },
            Err(error) => Err(RecordsError::unreadable(&path)(error)),
        }
    }

    /// Writes and syncs the file in a state folder, which must exist.
    ///
    /// # Errors
    /// [`RecordsError::File`]
    pub(crate) fn write(&self, folder: &Path) -> Result<(), RecordsError> {
        let path = folder.join(FAULTS);
        // Plain data always serializes.
        let json = serde_json::to_vec(self).unwrap_or_default();
        replace(&path, &json, PRIVATE).map_err(RecordsError::file(&path, "written", CHECK_DISK))
    }

    /// The faults, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &FaultEntry> {
        self.entries.iter().rev()
    }

    /// Number of faults that last.
    pub(crate) fn lasting(&self) -> usize {
        let lasting = self.entries.iter().filter(|entry| entry.lasts());
        lasting.count()
    }

    /// Takes note of all faults that there are now, given as part and message. Returns whether anything changed.
    pub(crate) fn observe(&mut self, faults: &[(&str, &str)], now: Timestamp) -> bool {
        let mut has_changed = false;
        let is_present = |entry: &FaultEntry| faults.iter().any(|fault| entry.is(*fault));
        for entry in &mut self.entries {
            if entry.lasts() && !is_present(entry) {
                entry.end(now);
                has_changed = true;
            }
        }
        for fault in faults {
            has_changed |= self.add(*fault, now);
        }
        has_changed
    }

    /// Adds a fault that there is now, if it is not known to last.
    fn add(&mut self, fault: (&str, &str), now: Timestamp) -> bool {
        let mut earlier = self.entries.iter_mut().rev();
        let continued = earlier.find(|entry| entry.is(fault) && entry.is_recent(now));
        if let Some(entry) = continued {
            if entry.lasts() {
                return false;
            }
            entry.ended_at = None;
            entry.count += 1;
            return true;
        }
        if self.entries.len() >= MAX_FAULTS {
            self.entries.pop_front();
        }
        let (part, message) = fault;
        self.entries.push_back(FaultEntry {
            part: part.into(),
            message: message.chars().take(MAX_MESSAGE).collect(),
            began_at: utc(now),
            ended_at: None,
            count: 1,
        });
        true
    }
}

impl FaultEntry {
    fn lasts(&self) -> bool {
        self.ended_at.is_none()
    }

    fn end(&mut self, now: Timestamp) {
        // The clock may have been set back.
        self.ended_at = Some(utc(now).max(self.began_at.clone()));
    }

    /// Whether it is this kind of fault. Numbers do not count: the free space on a full disk varies.
    fn is(&self, (part, message): (&str, &str)) -> bool {
        let kind = |message: &str| -> String {
            let letters = message.chars().take(MAX_MESSAGE);
            letters.filter(|letter| !letter.is_ascii_digit()).collect()
        };
        self.part == part && kind(&self.message) == kind(message)
    }

    /// Whether it lasts or ended less than [`PAUSE`] ago.
    fn is_recent(&self, now: Timestamp) -> bool {
        match &self.ended_at {
            None => true,
            Some(ended) => ended
                .parse::<Timestamp>()
                .is_ok_and(|ended| now.duration_since(ended) < PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: (&str, &str) = ("camera", "no answer from the camera; plug it in");
    const OLED: (&str, &str) = ("OLED", "no answer from the OLED; check its four wires");

    fn at(time: &str) -> Timestamp {
        format!("2026-05-01T{time}Z").parse().unwrap()
    }

    /// The faults, newest first, as part, beginning, end and count.
    fn lines(log: &FaultLog) -> Vec<String> {
        let time = |text: &str| text[11..16].to_owned();
        log.newest_first()
            .map(|entry| {
                let end = entry.ended_at.as_deref().map_or_else(String::new, time);
                let began = time(&entry.began_at);
                format!("{} {began}-{end} {}", entry.part, entry.count)
            })
            .collect()
    }

    #[test]
    fn a_fault_has_a_beginning_an_end_and_a_count() {
        let mut log = FaultLog::default();
        assert!(!log.observe(&[], at("08:00:00")));
        assert!(log.observe(&[CAMERA], at("08:01:00")));
        assert!(!log.observe(&[CAMERA], at("08:02:00")), "it lasts");
        assert!(log.observe(&[CAMERA, OLED], at("08:03:00")));
        assert_eq!(log.lasting(), 2);
        assert!(log.observe(&[OLED], at("08:04:00")));
        assert_eq!(lines(&log), ["OLED 08:03- 1", "camera 08:01-08:04 1"]);
        // Again, soon after its end, and long after it.
        assert!(log.observe(&[OLED, CAMERA], at("09:03:00")));
        assert!(log.observe(&[OLED], at("09:05:00")));
        assert_eq!(lines(&log), ["OLED 08:03- 1", "camera 08:01-09:05 2"]);
        assert!(log.observe(&[OLED, CAMERA], at("10:05:00")));
        let expected = ["camera 10:05- 1", "OLED 08:03- 1", "camera 08:01-09:05 2"];
        assert_eq!(lines(&log), expected);
    }

    #[test]
    fn numbers_make_no_other_fault_but_other_causes_do() {
        let mut log = FaultLog::default();
        log.observe(&[("disk", "disk full, 96 MiB free")], at("08:00:00"));
        assert!(!log.observe(&[("disk", "disk full, 5 MiB free")], at("08:00:01")));
        assert!(log.observe(&[("disk", "the disk is read-only")], at("08:00:02")));
        assert_eq!(lines(&log), ["disk 08:00- 1", "disk 08:00-08:00 1"]);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_end_a_fault_before_it_began() {
        let mut log = FaultLog::default();
        log.observe(&[CAMERA], at("08:00:00"));
        log.observe(&[], at("06:00:00"));
        assert_eq!(lines(&log), ["camera 08:00-08:00 1"]);
    }

    #[test]
    fn the_file_is_bounded_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(FaultLog::read(folder.path()).unwrap(), FaultLog::default());
        let mut log = FaultLog::default();
        let message = "é".repeat(9000);
        for number in 0..MAX_FAULTS + 7 {
            let part = format!("part {number}");
            log.observe(&[(&part, &message)], at("08:00:00"));
            assert!(!log.observe(&[(&part, &message)], at("08:00:01")));
        }
        log.write(folder.path()).unwrap();
        let read = FaultLog::read(folder.path()).unwrap();
        assert_eq!(read, log);
        assert_eq!(read.newest_first().count(), MAX_FAULTS);
        assert_eq!(read.newest_first().last().unwrap().part, "part 7");
        let size = fs::metadata(folder.path().join(FAULTS)).unwrap().len();
        assert!(size < 1 << 18, "{size}");

        fs::write(folder.path().join(FAULTS), "[{").unwrap();
        let error = FaultLog::read(folder.path()).unwrap_err().to_string();
        let expected = "faults.json cannot be read; remove it; the faults in it are lost";
        assert!(error.ends_with(expected), "{error}");
        FaultLog::read(&folder.path().join("absent")).unwrap_err();
    }
}
