//! The checks of a self-test, apart from the parts of the board: model, storage, clock, calibration and drift.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::civil::Time;
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use smearscope_artifacts::AnyModel;
use smearscope_hardware::with_causes;
use utoipa::ToSchema;

use crate::calibration::{Calibration, Calibrations, Setup};
use crate::config::Config;
use crate::config::storage::StorageConfig;
use crate::drift::DriftReport;
use crate::records::{Archive, Condition, check_place, identity};
use crate::system::clock::{self, ClockState};
use crate::system::disk::DiskUsage;
use crate::system::time::utc;

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// The checked part, in one word.
    pub part: &'static str,
    /// Whether the check passed.
    pub passed: bool,
    /// What was found or, if the check failed, the problem and its remedy.
    pub detail: String,
    #[serde(skip)]
    is_required: bool,
    #[serde(skip)]
    is_detailed: bool,
    #[serde(skip)]
    notice: Option<&'static str>,
}

impl Check {
    /// A passed check.
    pub fn passed(part: &'static str, detail: impl Into<String>) -> Self {
        Self {
            part,
            passed: true,
            detail: detail.into(),
            is_required: true,
            is_detailed: false,
            notice: None,
        }
    }

    /// A failed check, which fails the self-test.
    pub fn failed(part: &'static str, detail: impl Into<String>) -> Self {
        Self {
            passed: false,
            ..Self::passed(part, detail)
        }
    }

    /// A part that does not work now but may come back, or one that will fail. It does not fail the self-test.
    pub fn missing(part: &'static str, detail: impl Into<String>) -> Self {
        Self {
            is_required: false,
            ..Self::failed(part, detail)
        }
    }

    /// This check with its detail on the screen even though it passed.
    #[must_use]
    pub fn detailed(self) -> Self {
        Self {
            is_detailed: true,
            ..self
        }
    }

    /// This check with its detail as a notice of this title until the first press.
    #[must_use]
    pub fn noticed(self, title: &'static str) -> Self {
        Self {
            notice: Some(title),
            ..self
        }
    }

    /// The title of its notice, if it has one.
    pub(crate) fn notice(&self) -> Option<&'static str> {
        self.notice
    }

    /// Whether a failure fails the self-test.
    pub(crate) fn is_required(&self) -> bool {
        self.is_required
    }

    /// Whether the screen shows the detail even if the check passed.
    pub(crate) fn is_detailed(&self) -> bool {
        self.is_detailed
    }

    /// A check that passed or failed with this result.
    pub fn of(part: &'static str, result: Result<String>) -> Self {
        match result {
            Ok(detail) => Self::passed(part, detail),
            Err(error) => Self::failed(part, format!("{error:#}")),
        }
    }
}

/// Checks that were made again after the self-test.
#[derive(Debug, Clone)]
pub struct RenewedChecks {
    /// The part that they check. Its earlier checks are obsolete.
    pub(crate) part: &'static str,
    /// Title of the page with which the screen shows each of them until the next press.
    pub(crate) title: &'static str,
    /// The results.
    pub(crate) checks: Vec<Check>,
}

/// The checks of a loaded model: the verified files, the engine and each golden sample.
pub fn model(model: &AnyModel) -> Vec<Check> {
    let engine = model.engine();
    let demo = if model.is_demo() {
        ", demo, not for diagnosis"
    } else {
        ""
    };
    let verified = format!(
        "{} {}, checksums match{demo}",
        model.name(),
        model.version()
    );
    let running = format!("{} {} on {}", engine.engine, engine.version, engine.device);
    let mut checks = vec![
        Check::passed("model", verified),
        Check::passed("engine", running),
    ];
    // Each begins with the name of the engine or device that failed.
    let fallbacks = engine.fallbacks.iter();
    checks
        .extend(fallbacks.map(|reason| Check::passed("engine", format!("used because {reason}"))));
    checks.extend(model.golden().iter().map(|golden| {
        Check::passed(
            "golden",
            format!(
                "{}: {:.6}, expected {:.6}",
                golden.image.display(),
                golden.actual,
                golden.expected
            ),
        )
    }));
    checks
}

/// The part that the checks of [`records`] name.
pub(crate) const RECORDS: &str = "records";
/// The part that the checks of the camera's calibration name.
const CALIBRATION: &str = "calibration";

/// The part that the checks of [`drift`] name.
pub(crate) const DRIFT: &str = "drift";

/// Title of the screen's pages about drifts.
pub(crate) const DRIFT_TITLE: &str = "DRIFT";

/// Title of the screen's pages about the checks of records.
pub(crate) const RECORDS_TITLE: &str = "RECORDS";

/// Failed checks for what is known to be wrong with the records in a state folder, which are open by now.
pub fn records(state: &Path) -> Vec<Check> {
    let warnings = Condition::of(state).warnings().into_iter();
    warnings
        .map(|warning| Check::failed(RECORDS, warning).noticed(RECORDS_TITLE))
        .collect()
}

/// Failed checks for what drifts, which do not fail the self-test.
pub(crate) fn drift(report: &DriftReport) -> Vec<Check> {
    let warnings = report.warnings();
    warnings
        .map(|warning| Check::missing(DRIFT, warning).noticed(DRIFT_TITLE))
        .collect()
}

/// The calibration of a camera in a state folder, and its check: what was measured and how old it is. No check if there are
/// no calibrations.
pub fn calibration(state: Option<&Path>, setup: &Setup) -> (Option<Calibration>, Option<Check>) {
    let Some(state) = state else {
        return (None, None);
    };
    let calibrations = match Calibrations::read(state) {
        Ok(calibrations) => calibrations,
        Err(error) => return (None, Some(Check::failed(CALIBRATION, with_causes(&error)))),
    };
    if let Some(calibration) = calibrations.of(setup) {
        let words = calibration.words(Timestamp::now());
        let check = Check::passed(CALIBRATION, words).detailed();
        return (Some(calibration.clone()), Some(check));
    }
    let check = (!calibrations.all().is_empty()).then(|| {
        let Setup { camera, objective } = setup;
        Check::failed(
            CALIBRATION,
            format!(
                "none for {camera} with objective {objective:?}, but for others (`smearscope calibrate list`); calibrate \
                 it, or remove them"
            ),
        )
    });
    (None, check)
}

/// The checks of storage, if records are kept, and of the clock.
pub fn surroundings(config: &Config) -> Vec<Check> {
    let storage = config.storage.as_ref();
    // Without readable records, the storage check or the start says why.
    let newest = storage.and_then(|storage| Archive::open(&storage.state).ok()?.newest().ok()?);
    let now = Zoned::now();
    let state = ClockState::at(now.timestamp(), newest);
    let checks = storage.map(check_storage).into_iter();
    checks.chain([check_clock(&now, state, newest)]).collect()
}

/// Checks that records may be kept in the state folder and that it can be used.
fn check_storage(storage: &StorageConfig) -> Check {
    let warning = match check_place(storage) {
        Ok(warning) => warning,
        Err(error) => {
            return Check::failed("storage", format!("NOT SAVED: {}", with_causes(&error)));
        }
    };
    let mut check = check_folder(&storage.state, storage.min_free, storage.reserve);
    if check.passed
        && let Ok(Some(identity)) = identity(&storage.state)
    {
        check.detail = format!("{}, identity {identity}", check.detail);
    }
    match warning {
        Some(warning) if check.passed => Check {
            detail: format!("{warning}; {}", check.detail),
            ..check.detailed()
        },
        _ => check,
    }
}

/// Checks that `folder` can be written to, that `reserve` bytes are free, as captures require, and that the disk is
/// large enough to keep `min_free` bytes free.
fn check_folder(folder: &Path, min_free: u64, reserve: u64) -> Check {
    let write = || -> Result<String> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let mut file = tempfile::tempfile_in(folder)?;
        file.write_all(b"self-test")?;
        file.sync_all()?;
        let disk = DiskUsage::of(folder)?;
        let (free_mib, total_mib) = (disk.free >> 20, disk.total >> 20);
        anyhow::ensure!(
            min_free >> 20 <= total_mib,
            "storage.min_free_mib is {}, but the disk has only {total_mib} MiB",
            min_free >> 20
        );
        anyhow::ensure!(
            disk.free >= reserve,
            "only {free_mib} MiB are free; free some space"
        );
        Ok(format!("{}, {free_mib} MiB free", folder.display()))
    };
    let result = write().with_context(|| format!("{} cannot be written to", folder.display()));
    Check::of("storage", result)
}

/// Checks that the clock is set and not behind the newest record. A clock that no time server set may be right.
fn check_clock(now: &Zoned, state: ClockState, newest: Option<Timestamp>) -> Check {
    const REMEDY: &str = "connect the network, or set the clock with `timedatectl`";
    let shown = now.strftime("%Y-%m-%d %H:%M %Z").to_string();
    let later = newest.filter(|newest| clock::is_behind(now.timestamp(), *newest));
    match (state, later.map(utc)) {
        (ClockState::NotSet, _) => Check::failed("clock", format!("{shown} is wrong; {REMEDY}")),
        (ClockState::Synchronized, Some(newest)) => Check::passed(
            "clock",
            format!("{shown}, synchronized; the time of the newest record, {newest}, was wrong"),
        ),
        (ClockState::Synchronized, None) => {
            Check::passed("clock", format!("{shown}, synchronized"))
        }
        (_, Some(newest)) => Check::failed(
            "clock",
            format!(
                "{shown} is before the newest record, {newest}; {REMEDY}; if it is right, that record's time was wrong, and \
                 this message ends when the clock passes it or a time server confirms the clock"
            ),
        ),
        (_, None) => Check::passed(
            "clock",
            format!("{shown}, not synchronized with a time server"),
        ),
    }
}

/// The time of day; `None` if the clock is not set.
pub fn time_of_day(now: &Zoned) -> Option<Time> {
    clock::is_set(now.timestamp()).then(|| now.time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    #[test]
    fn a_clock_that_is_not_set_or_behind_the_records_fails() {
        let check = |now: &str, state, newest: Option<&str>| {
            let newest = newest.map(|time| time.parse().unwrap());
            let check = check_clock(&now.parse().unwrap(), state, newest);
            (check.passed, check.detail)
        };
        let (now, later) = ("2026-07-01T12:00[UTC]", Some("2026-07-01T13:00:00Z"));
        for (found, passed, detail) in [
            (
                check("1970-01-01T00:02[UTC]", ClockState::NotSet, later),
                false,
                "1970-01-01 00:02 UTC is wrong; connect the network, or set the clock with `timedatectl`",
            ),
            (
                check(now, ClockState::Unsynchronized, None),
                true,
                "2026-07-01 12:00 UTC, not synchronized with a time server",
            ),
            (
                check(now, ClockState::BehindRecords, later),
                false,
                "2026-07-01 12:00 UTC is before the newest record, 2026-07-01T13:00:00.000Z; connect the network, or set \
                 the clock with `timedatectl`; if it is right, that record's time was wrong, and this message ends when the \
                 clock passes it or a time server confirms the clock",
            ),
            (
                check(now, ClockState::Synchronized, Some("2026-07-01T11:00:00Z")),
                true,
                "2026-07-01 12:00 UTC, synchronized",
            ),
            (
                check(now, ClockState::Synchronized, later),
                true,
                "2026-07-01 12:00 UTC, synchronized; the time of the newest record, 2026-07-01T13:00:00.000Z, was wrong",
            ),
        ] {
            assert_eq!(found, (passed, detail.to_owned()));
        }
    }

    #[test]
    fn a_folder_that_may_not_hold_records_fails() {
        let folder = tempfile::tempdir().unwrap();
        let mut raw = Raw::default();
        raw.storage.state = folder.path().into();
        raw.storage.volatile = true;
        (raw.storage.min_free_mib, raw.storage.reserve_mib) = (1, 1);
        let check = |raw: &Raw| check_storage(&raw.clone().validate().unwrap().storage.unwrap());
        assert!(check(&raw).passed);
        raw.storage.identity = "9f2e7a50-0c1d-4a3b-8c4d-5e6f70819203".into();
        let failed = check(&raw);
        assert!(!failed.passed);
        assert!(
            failed.detail.starts_with("NOT SAVED: "),
            "{}",
            failed.detail
        );
        let id = raw.storage.identity.clone();
        std::fs::write(folder.path().join("records.identity"), &id).unwrap();
        let passed = check(&raw);
        assert!(
            passed.detail.ends_with(&format!("identity {id}")),
            "{}",
            passed.detail
        );
    }

    #[test]
    fn the_storage_check_writes_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let check = check_folder(&state, 1, 1);
        assert!(check.passed, "{}", check.detail);
        assert!(check.detail.ends_with("MiB free"), "{}", check.detail);
        assert_eq!(state.read_dir().unwrap().count(), 0);
        let check = check_folder(&state, 1, u64::MAX);
        assert!(check.detail.contains("MiB are free; free some space"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let check = check_folder(&file, 1, 1);
        assert!(!check.passed);
        assert!(check.detail.contains("file cannot be written to"));
    }
}
