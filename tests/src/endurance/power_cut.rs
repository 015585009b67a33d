//! An appliance that is killed at random moments.
//!
//! SIGKILL shows that the appliance leaves nothing half done: the records verify and it starts again. It does not show
//! that data reaches the disk, because the kernel keeps running and flushes its caches. The unit tests of the records
//! check the order of syncs, renames and rows; what a disk does with a sync is outside the tests.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::*;

/// Appliances that run in parallel.
const LANES: u64 = 2;
/// State folders, one after the other, in each lane; small ones verify quickly.
const FOLDERS: u64 = 10;
/// Kills in each folder.
const KILLS: u64 = 11;

/// Starts the appliance with presses in its input.
fn start(state: &Path) -> Child {
    let mut child = Command::new(built("smearscope"))
        .envs([NO_SERVER, VOLATILE])
        .current_dir(root())
        .args(["run", "--board", "sim", "--engine", "embedded", "--fields"])
        .arg("hardware/fields")
        .arg("--state")
        .arg(state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A kill may come before the appliance reads them.
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all("press\npress\npress\nlong\n".repeat(3).as_bytes())
        .unwrap();
    child
}

/// The record's id in a verdict line; `None` for other lines.
pub(crate) fn saved_as(line: &str) -> Option<String> {
    let line = line.strip_prefix("verdict:")?;
    assert!(!line.contains("NOT SAVED"), "{line}");
    let (_, id) = line.split_once("saved as ")?;
    Some(id[..36].to_owned())
}

/// The panel's line at the start of an analysis.
const ANALYSING: &str = "leds: red=off amber=breathe green=off";

/// Kills an appliance `moment` after the start of an analysis, and returns the ids of the records that it reported as
/// saved.
fn kill_after(mut child: Child, analyses: usize, moment: Duration) -> BTreeSet<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut saved = BTreeSet::new();
    let mut begun = 0;
    while begun < analyses {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended by itself");
        begun += usize::from(line.trim_end() == ANALYSING);
        saved.extend(saved_as(&line));
    }
    // The random moment of the kill; it waits for nothing.
    thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    // The last line may be incomplete.
    let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
    saved.extend(whole.lines().filter_map(saved_as));
    saved
}

fn recorded(state: &Path) -> BTreeSet<String> {
    let output = smearscope(["records", "list", "--json", "--state"])
        .arg(state)
        .output()
        .unwrap();
    assert!(output.status.success());
    let lines = json_lines(&output.stdout);
    let ids = lines
        .iter()
        .map(|line| line["id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// Returns the numbers of recorded fields and of images without a record.
fn kill_again_and_again(seed: u64) -> (usize, u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let mut known = BTreeSet::new();
    let mut unrecorded = 0;
    for kill in 0..KILLS {
        let (analyses, within) = match random.random_range(0..8) {
            // During the start, except the first time, when the database must be created.
            0 if kill > 0 => (0, 300),
            1..4 => (2, 200),
            _ => (1, 200),
        };
        let moment = Duration::from_micros(random.random_range(0..within * 1000));
        known.extend(kill_after(start(state), analyses, moment));
        let verified = smearscope(["records", "verify", "--state"])
            .arg(state)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&verified.stdout);
        assert!(
            verified.status.success(),
            "seed {seed}, kill {kill}: {}",
            String::from_utf8_lossy(&verified.stderr)
        );
        let (_, rest) = text.split_once("image files without a record: ").unwrap();
        unrecorded = rest.lines().next().unwrap().parse().unwrap();
        let recorded = recorded(state);
        assert!(
            recorded.is_superset(&known),
            "seed {seed}, kill {kill}: {:?} are lost",
            known.difference(&recorded)
        );
        known = recorded;
    }
    (known.len(), unrecorded)
}

#[test]
fn nothing_that_was_recorded_is_lost_or_torn_when_it_is_killed() {
    built("smearscope");
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            thread::spawn(move || {
                let folders =
                    (0..FOLDERS).map(|folder| kill_again_and_again(lane * FOLDERS + folder));
                folders.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
            })
        })
        .collect();
    let counts = lanes.into_iter().map(|lane| lane.join().unwrap());
    let (recorded, unrecorded) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let kills = LANES * FOLDERS * KILLS;
    println!("{kills} kills, {recorded} fields recorded, {unrecorded} images without a record");
    assert!(kills >= 200 && recorded as u64 >= kills / 4);
}
