//! `smearscope faults`: lists the last faults of the appliance.

use std::io::Write;

use anyhow::Result;
use clap::Args;

use crate::cli::args::{FileArgs, StateArgs, storage};
use crate::cli::exit::{Exit, Failure};
use crate::records::{FaultEntry, FaultLog};
use crate::system::sanitize::printable;

/// List the last faults of the appliance, also while it runs.
#[derive(Debug, Args)]
#[command(
    after_help = "Each line has the beginning and the end of a fault, how often it occurred in that time, the part and the \
    message; the newest fault comes first. The last 200 faults are kept, in the state folder; what changed within the last \
    minute may be missing. `start` and `capture` are faults for which no part is known to be the cause."
)]
pub(crate) struct FaultsArgs {
    /// Print JSON, one object per line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    state: StateArgs,
}

impl FaultsArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let storage = storage(&self.file, &self.state)?;
        let log = FaultLog::read(&storage.state).map_err(anyhow::Error::from)?;
        print(&log, self.json, &mut std::io::stdout().lock())?;
        Ok(Exit::Success)
    }
}

fn print(log: &FaultLog, json: bool, out: &mut impl Write) -> Result<()> {
    for fault in log.newest_first() {
        if json {
            writeln!(out, "{}", serde_json::to_string(fault)?)?;
        } else {
            writeln!(out, "{}", printable(&line(fault)))?;
        }
    }
    Ok(())
}

/// A line such as `2026-05-01T08:00:00.000Z  2026-05-01T08:04:00.000Z     3×  camera   no answer from the camera; …`.
fn line(fault: &FaultEntry) -> String {
    let FaultEntry {
        part,
        message,
        began_at,
        ended_at,
        count,
    } = fault;
    let ended = ended_at.as_deref().unwrap_or("lasts");
    format!("{began_at}  {ended:24}  {count:4}×  {part:8} {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_lines_or_objects_the_newest_first() {
        let mut log = FaultLog::default();
        let time = |text: &str| format!("2026-05-01T{text}Z").parse().unwrap();
        log.observe(&[("camera", "no\u{1b} answer")], time("08:00:00"));
        log.observe(&[("OLED", "no answer from it")], time("08:04:00"));
        let printed = |json| {
            let mut out = Vec::new();
            print(&log, json, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let expected = concat!(
            "2026-05-01T08:04:00.000Z  lasts                        1×  OLED     no answer from it\n",
            "2026-05-01T08:00:00.000Z  2026-05-01T08:04:00.000Z     1×  camera   no\\u{1b} answer\n",
        );
        assert_eq!(printed(false), expected);
        let first: serde_json::Value =
            serde_json::from_str(printed(true).lines().next().unwrap()).unwrap();
        let expected = serde_json::json!({
            "part": "OLED", "message": "no answer from it", "began_at": "2026-05-01T08:04:00.000Z",
            "ended_at": null, "count": 1,
        });
        assert_eq!(first, expected);
    }
}
