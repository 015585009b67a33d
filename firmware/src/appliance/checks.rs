//! What a self-test checks beside the parts of the board: the model, the place where things are kept,
//! the clock.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Zoned;
use jiff::civil::Time;
use serde::Serialize;
use smearscope_artifacts::Model;

use crate::config::Config;
use crate::system::disk::DiskUsage;

/// Before this year the program did not exist: the clock has not been set.
const FIRST_YEAR: i16 = 2026;

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked, in a word.
    pub part: &'static str,
    /// Whether it is as it must be.
    pub passed: bool,
    /// What was found, or what is wrong and what to do about it.
    pub detail: String,
}

impl Check {
    /// That something is as it must be.
    pub fn passed(part: &'static str, detail: impl Into<String>) -> Self {
        Self {
            part,
            passed: true,
            detail: detail.into(),
        }
    }

    /// That something is not as it must be.
    pub fn failed(part: &'static str, detail: impl Into<String>) -> Self {
        Self {
            passed: false,
            ..Self::passed(part, detail)
        }
    }

    /// A check by its result.
    pub fn of(part: &'static str, result: Result<String>) -> Self {
        match result {
            Ok(detail) => Self::passed(part, detail),
            Err(error) => Self::failed(part, format!("{error:#}")),
        }
    }
}

/// A model that was verified, the engine that runs it, and its golden samples.
pub fn model(model: &Model) -> Vec<Check> {
    let (manifest, engine) = (model.manifest(), model.engine());
    let demo = if manifest.demo {
        ", demo, not for diagnosis"
    } else {
        ""
    };
    let named = format!(
        "{} {}, checksums right{demo}",
        manifest.name, manifest.version
    );
    let runs = format!("{} {} on {}", engine.engine, engine.version, engine.device);
    let mut checks = vec![Check::passed("model", named), Check::passed("engine", runs)];
    let instead = engine.fallbacks.iter();
    checks.extend(instead.map(|reason| Check::passed("engine", format!("instead: {reason}"))));
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

/// Everything but the board and the model: storage, where there is any, and clock.
pub fn surroundings(config: &Config) -> Vec<Check> {
    let storage = config
        .storage
        .as_ref()
        .map(|to| storage(&to.state, to.min_free, to.reserve));
    storage.into_iter().chain([clock(&Zoned::now())]).collect()
}

/// That something can be written, that `reserve` bytes are free, without which nothing is photographed, and that
/// `min_free` bytes could ever be.
fn storage(folder: &Path, min_free: u64, reserve: u64) -> Check {
    let write = || -> Result<String> {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::tempfile_in(folder)?;
        file.write_all(b"self-test")?;
        file.sync_all()?;
        let disk = DiskUsage::of(folder)?;
        let free_mib = disk.free >> 20;
        let total_mib = disk.total >> 20;
        anyhow::ensure!(
            min_free >> 20 <= total_mib,
            "storage.min_free_mib is {}, but the disk has {total_mib} MiB in all",
            min_free >> 20
        );
        anyhow::ensure!(
            disk.free >= reserve,
            "only {free_mib} MiB are free; make room"
        );
        Ok(format!("{}, {free_mib} MiB free", folder.display()))
    };
    let result = write().with_context(|| format!("{} cannot be written to", folder.display()));
    Check::of("storage", result)
}

fn clock(now: &Zoned) -> Check {
    let shown = now.strftime("%Y-%m-%d %H:%M %Z").to_string();
    match time_of_day(now) {
        Some(_) => Check::passed("clock", shown),
        None => Check::failed(
            "clock",
            format!("{shown} is not now; connect the network, or set it with `timedatectl`"),
        ),
    }
}

/// The time of day, once the clock has been set: a Pi without network starts in the past.
pub fn time_of_day(now: &Zoned) -> Option<Time> {
    (now.year() >= FIRST_YEAR).then(|| now.time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_nobody_set_fails() {
        let at = |text: &str| clock(&text.parse::<Zoned>().unwrap());
        assert!(at("2026-07-01T12:00[UTC]").passed);
        let check = at("1970-01-01T00:02[UTC]");
        assert!(!check.passed);
        assert_eq!(
            check.detail,
            "1970-01-01 00:02 UTC is not now; connect the network, or set it with `timedatectl`"
        );
    }

    #[test]
    fn storage_is_written_to_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let check = storage(&state, 1, 1);
        assert!(check.passed, "{}", check.detail);
        assert!(check.detail.ends_with("MiB free"), "{}", check.detail);
        assert_eq!(state.read_dir().unwrap().count(), 0);
        let check = storage(&state, 1, u64::MAX);
        assert!(check.detail.contains("MiB are free; make room"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let check = storage(&file, 1, 1);
        assert!(!check.passed);
        assert!(check.detail.contains("file cannot be written to"));
    }
}
