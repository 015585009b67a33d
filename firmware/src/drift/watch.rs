//! Reads the figures of the fields that the camera took from the records.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::drift::figure::FieldFigures;
use crate::drift::report::DriftReport;
use crate::drift::setup::DriftSetup;
use crate::records::{Archive, CHECK_DISK, RecordsError, exist};
use crate::system::files::{PRIVATE, replace};
use crate::system::time::utc;

/// Weeks that are looked at: enough for a laboratory that works on one day a week.
const WEEKS: i64 = 26;
/// Fields that are looked at: enough for one that takes a thousand a day.
const MAX_FIELDS: usize = 50_000;
/// The file in a state folder that tells when the watch was started anew.
const FILE: &str = "drift.json";

/// The drift watch of a state folder. Clones share what was read; only what is new is read again.
#[derive(Clone)]
pub struct DriftWatch(Arc<Mutex<Reader>>);

impl DriftWatch {
    /// A watch that has read nothing yet.
    pub fn new(state: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(Reader {
            state,
            fields: Vec::new(),
            seen: 0,
        })))
    }

    /// The charts with the fields that were recorded up to now. This waits for the disk.
    ///
    /// # Errors
    /// [`RecordsError::File`] and errors of the database.
    pub(crate) fn report(&self) -> Result<DriftReport, RecordsError> {
        self.reader().report_at(Timestamp::now())
    }

    /// Forgets all fields that were recorded up to now: what they show is no fault, for example after a new lamp. Returns the
    /// charts without them.
    ///
    /// # Errors
    /// As [`DriftWatch::report`]; [`RecordsError::File`] also if that cannot be kept, and nothing is forgotten then.
    pub(crate) fn restart(&self) -> Result<DriftReport, RecordsError> {
        let (mut reader, now) = (self.reader(), Timestamp::now());
        reader.restart_at(now)?;
        reader.report_at(now)
    }

    fn reader(&self) -> MutexGuard<'_, Reader> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was read of the records.
struct Reader {
    state: PathBuf,
    /// In the order of recording.
    fields: Vec<WatchedField>,
    /// Number of the last row that was read.
    seen: i64,
}

struct WatchedField {
    seq: i64,
    /// Fields share it with those before them, of which most have the same.
    setup: Arc<DriftSetup>,
    figures: FieldFigures,
}

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Restart {
    /// By the clock of that moment.
    restarted_at: Option<String>,
    /// Number of the last row that does not count.
    #[serde(default)]
    last_row: i64,
}

impl Reader {
    fn report_at(&mut self, now: Timestamp) -> Result<DriftReport, RecordsError> {
        let restart = self.restart_of_file()?;
        self.read()?;
        let fields = || {
            self.fields
                .iter()
                .filter(|field| field.seq > restart.last_row)
        };
        let newest = fields().next_back().map(|field| &field.setup);
        let of_setup = fields().filter(|field| Some(&field.setup) == newest);
        // A day counts once it is over. A later time was that of a clock that was wrong.
        let today = now.to_zoned(TimeZone::UTC).date();
        let days = today.saturating_sub((7 * WEEKS).days())..today;
        let figures = of_setup.map(|field| field.figures);
        let mut figures: Vec<_> = figures.filter(|field| days.contains(&field.date)).collect();
        figures.sort_by_key(|field| field.date);
        Ok(DriftReport::of(&figures, restart.restarted_at))
    }

    fn restart_at(&mut self, now: Timestamp) -> Result<(), RecordsError> {
        self.read()?;
        let restart = Restart {
            restarted_at: Some(utc(now)),
            last_row: self.seen,
        };
        let path = self.state.join(FILE);
        // Plain data always serializes.
        let json = serde_json::to_vec(&restart).unwrap_or_default();
        replace(&path, &json, PRIVATE).map_err(RecordsError::file(&path, "written", CHECK_DISK))?;
        self.fields.clear();
        Ok(())
    }

    /// When the watch was started anew. A damaged file counts as none: the watch then compares with more than it should.
    fn restart_of_file(&self) -> Result<Restart, RecordsError> {
        let path = self.state.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Restart::default()),
            Err(error) => Err(RecordsError::file(&path, "read", CHECK_DISK)(error)),
        }
    }

    fn shared(&self, setup: DriftSetup) -> Arc<DriftSetup> {
        match self.fields.last() {
            Some(last) if *last.setup == setup => Arc::clone(&last.setup),
            _ => Arc::new(setup),
        }
    }

    /// Adds the fields that are new, and drops the oldest where there are more than enough.
    fn read(&mut self) -> Result<(), RecordsError> {
        if !exist(&self.state) {
            return Ok(());
        }
        let archive = Archive::open(&self.state)?;
        self.seen = archive.fields_of_camera(self.seen, MAX_FIELDS, |seq, field| {
            if let Some(figures) = FieldFigures::of(&field) {
                let setup = self.shared(DriftSetup::of(&field));
                self.fields.push(WatchedField {
                    seq,
                    setup,
                    figures,
                });
            }
        })?;
        let surplus = self.fields.len().saturating_sub(MAX_FIELDS);
        self.fields.drain(..surplus);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};
    use serde_json::json;

    use super::*;
    use crate::records::CameraEntry;
    use crate::records::testing::Records;
    use crate::system::clock::ClockState;

    /// The first day of the records.
    const FIRST: Date = date(2026, 6, 1);

    /// Noon, so many days later.
    fn noon(day: i64) -> Timestamp {
        let date = FIRST + day.days();
        date.at(12, 0, 0, 0)
            .to_zoned(TimeZone::UTC)
            .unwrap()
            .timestamp()
    }

    /// Five fields of a day, of this brightness.
    fn put(
        records: &mut Records,
        day: i64,
        luma: f64,
        camera: Option<&CameraEntry>,
        clock: ClockState,
    ) {
        for number in 0..5 {
            records
                .put_changed(1, None, |entry| {
                    entry.captured_at = utc(noon(day) + i64::from(number).minutes());
                    entry.clock = Some(clock);
                    entry.camera = camera.cloned();
                    entry.quality = json!({
                        "highlights": {"value": luma + f64::from(number % 2), "min": 80.0, "passed": true},
                        "focus": {"value": 1.2, "min": 1.22, "passed": number > 0},
                    });
                })
                .unwrap();
        }
    }

    fn watch(records: &Records) -> Reader {
        Reader {
            state: records.path().into(),
            fields: Vec::new(),
            seen: 0,
        }
    }

    #[test]
    fn a_lamp_that_dims_is_told_until_the_watch_is_started_anew() {
        let mut records = Records::new();
        let mut watch = watch(&records);
        let known = ClockState::Synchronized;
        for day in 0..25 {
            put(&mut records, day, 200.0, None, known);
        }
        let report = watch.report_at(noon(25)).unwrap();
        assert_eq!(report.warnings().count(), 0);
        let light = &report.charts[0];
        assert_eq!((light.days.len(), light.days[0].fields), (25, 5));
        assert_eq!(light.missing_days, 0);
        let reference = light.reference.unwrap();
        assert!(
            (reference.mean - (200.0_f64 / 255.0).powf(2.2)).abs() < 0.01,
            "{reference:?}"
        );
        let refused = report.charts[3].days[0].value;
        assert!((refused - 0.2).abs() < 1e-9, "one of five: {refused}");

        // What is new is read, and no more.
        for day in 25..30 {
            put(&mut records, day, 190.0, None, known);
        }
        let report = watch.report_at(noon(29)).unwrap();
        assert_eq!(report.charts[0].days.len(), 29, "today is not over");
        let report = watch.report_at(noon(30)).unwrap();
        assert_eq!(report.charts[0].days.len(), 30);
        let warnings: Vec<_> = report.warnings().collect();
        assert!(warnings[0].contains("% darker"), "{warnings:?}");
        assert_eq!(warnings.len(), 1);
        // Also by a watch that reads all at once.
        assert_eq!(self::watch(&records).report_at(noon(30)).unwrap(), report);

        watch.restart_at(noon(30)).unwrap();
        let report = watch.report_at(noon(30)).unwrap();
        assert_eq!(report.restarted_at, Some(utc(noon(30))));
        assert!(report.charts.iter().all(|chart| chart.days.is_empty()));
        assert_eq!(report.charts[0].missing_days, 21);
        assert_eq!(self::watch(&records).report_at(noon(30)).unwrap(), report);
    }

    #[test]
    fn only_fields_of_the_setup_in_use_with_a_right_time_count() {
        let mut records = Records::new();
        let of = |name: &str| CameraEntry {
            name: Some(name.into()),
            ..CameraEntry::default()
        };
        let (old, new, known) = (of("old"), of("new"), ClockState::Synchronized);
        put(&mut records, 0, 100.0, Some(&old), known);
        put(&mut records, 1, 200.0, Some(&new), known);
        put(&mut records, 2, 200.0, Some(&new), ClockState::NotSet);
        put(&mut records, 190, 200.0, Some(&new), known);
        let dates = |today| {
            let charts = watch(&records).report_at(noon(today)).unwrap().charts;
            let days = charts[0].days.iter();
            days.map(|day| (day.date - FIRST).get_days())
                .collect::<Vec<_>>()
        };
        assert_eq!(dates(3), [1]);
        // What was recorded in the future counts when that has come.
        assert_eq!(dates(182), [1]);
        assert_eq!(dates(191), [190], "half a year later");
    }

    #[test]
    fn exposure_and_gain_are_taken_out() {
        let mut records = Records::new();
        for (day, exposure_us, gain) in [(0, 1000.0, 1.0), (1, 2000.0, 2.0)] {
            let camera = CameraEntry {
                exposure_us: Some(exposure_us),
                gain: Some(gain),
                red_gain: Some(1.5),
                ..CameraEntry::default()
            };
            put(
                &mut records,
                day,
                200.0,
                Some(&camera),
                ClockState::Synchronized,
            );
        }
        let charts = watch(&records).report_at(noon(2)).unwrap().charts;
        let [one, other] = [0, 1].map(|day| charts[0].days[day].value);
        assert!((one / other - 4.0).abs() < 1e-9, "{one} and {other}");
    }

    #[test]
    fn without_records_there_is_nothing_to_watch() {
        let folder = tempfile::tempdir().unwrap();
        let report = DriftWatch::new(folder.path().into()).report().unwrap();
        assert_eq!(report.charts[0].missing_days, 21);
        assert_eq!(report.warnings().count(), 0);
    }
}
