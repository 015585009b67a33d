//! The checks of a self-test, apart from the parts of the board: model, storage and clock.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Zoned;
use jiff::civil::Time;
use serde::Serialize;
use smearscope_artifacts::Model;
use utoipa::ToSchema;

use crate::config::Config;
use crate::records::Condition;
use crate::system::disk::DiskUsage;

/// The year of the first release: an earlier date means that the clock is not set.
const FIRST_YEAR: i16 = 2026;

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

    /// A part that does not work now but may come back. It does not fail the self-test.
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

/// The checks of a loaded model: the verified files, the engine and each golden sample.
pub fn model(model: &Model) -> Vec<Check> {
    let (manifest, engine) = (model.manifest(), model.engine());
    let demo = if manifest.demo {
        ", demo, not for diagnosis"
    } else {
        ""
    };
    let verified = format!(
        "{} {}, checksums match{demo}",
        manifest.name, manifest.version
    );
    let running = format!("{} {} on {}", engine.engine, engine.version, engine.device);
    let mut checks = vec![
        Check::passed("model", verified),
        Check::passed("engine", running),
    ];
    let fallbacks = engine.fallbacks.iter();
    checks.extend(fallbacks.map(|reason| Check::passed("engine", format!("instead: {reason}"))));
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

/// Failed checks for what is known to be wrong with the records, which are open by now.
pub fn records(config: &Config) -> Vec<Check> {
    let condition = config.state().map(Condition::of).unwrap_or_default();
    let warnings = condition.warnings().into_iter();
    warnings
        .map(|warning| Check::failed("records", warning).noticed("RECORDS"))
        .collect()
}

/// The checks of storage, if records are kept, and of the clock.
pub fn surroundings(config: &Config) -> Vec<Check> {
    let storage = config
        .storage
        .as_ref()
        .map(|storage| check_storage(&storage.state, storage.min_free, storage.reserve));
    storage
        .into_iter()
        .chain([check_clock(&Zoned::now())])
        .collect()
}

/// Checks that `folder` can be written to, that `reserve` bytes are free, as captures require, and that the disk is
/// large enough to keep `min_free` bytes free.
fn check_storage(folder: &Path, min_free: u64, reserve: u64) -> Check {
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

/// Checks that the clock is set.
fn check_clock(now: &Zoned) -> Check {
    let shown = now.strftime("%Y-%m-%d %H:%M %Z").to_string();
    match time_of_day(now) {
        Some(_) => Check::passed("clock", shown),
        None => Check::failed(
            "clock",
            format!("{shown} is wrong; connect the network, or set the clock with `timedatectl`"),
        ),
    }
}

/// The time of day; `None` if the clock is not set. A Pi without a network starts in the past.
pub fn time_of_day(now: &Zoned) -> Option<Time> {
    (now.year() >= FIRST_YEAR).then(|| now.time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_not_set_fails() {
        let at = |text: &str| check_clock(&text.parse::<Zoned>().unwrap());
        assert!(at("2026-07-01T12:00[UTC]").passed);
        let check = at("1970-01-01T00:02[UTC]");
        assert!(!check.passed);
        assert_eq!(
            check.detail,
            "1970-01-01 00:02 UTC is wrong; connect the network, or set the clock with `timedatectl`"
        );
    }

    #[test]
    fn the_storage_check_writes_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let check = check_storage(&state, 1, 1);
        assert!(check.passed, "{}", check.detail);
        assert!(check.detail.ends_with("MiB free"), "{}", check.detail);
        assert_eq!(state.read_dir().unwrap().count(), 0);
        let check = check_storage(&state, 1, u64::MAX);
        assert!(check.detail.contains("MiB are free; free some space"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let check = check_storage(&file, 1, 1);
        assert!(!check.passed);
        assert!(check.detail.contains("file cannot be written to"));
    }
}
