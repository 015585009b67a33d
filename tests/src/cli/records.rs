//! `smearscope records`: list, show, verify and export, and records that cannot be written.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, starts_with};
use serde_json::{Value, json};
use smearscope::testing::{Archive, FieldEntry, Filter, Record, RecordsError, SlideEntry, Store};
use smearscope_artifacts::{DecisionRule, SlideRule, Verdict};
use uuid::Uuid;

use crate::support::small_disk::{Place, SmallDisk, enter};
use crate::support::*;

/// Exit codes.
const RECORDS: i32 = 6;
const MISMATCH: i32 = 7;

fn run(state: &Path) -> assert_cmd::Command {
    let mut command = smearscope([
        "run",
        "--board",
        "sim",
        "--engine",
        "embedded",
        "--fields",
        "hardware/fields",
        "--state",
    ]);
    command.arg(state);
    command
}

fn records(state: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = smearscope(["records", "--state"]);
    command.arg(state).args(arguments);
    command
}

fn list(state: &Path, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["list", "--json"], arguments].concat();
    let output = records(state, &arguments).output().unwrap();
    assert!(output.status.success());
    json_lines(&output.stdout)
}

/// A state folder with two fields of one slide and one of another.
pub(super) fn recorded() -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    let output = run(state.path())
        .write_stdin("press\npress\nlong\npress\n")
        .output()
        .unwrap();
    assert!(output.status.success());
    state
}

fn image(state: &Path, record: &Value) -> PathBuf {
    state.join(record["image"]["path"].as_str().unwrap())
}

/// Checks that the verdict of each field and of its slide follows from what is recorded.
fn assert_verdicts_follow(all: &[Value]) {
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    for record in all {
        let band = &record["inconclusive_band"];
        let decision = DecisionRule {
            threshold: number(&record["threshold"]),
            inconclusive: [number(&band[0]), number(&band[1])],
            // The log-odds are calibrated already.
            offset: 0.0,
            temperature: 1.0,
        };
        let rule: SlideRule = serde_json::from_value(record["slide_rule"].clone()).unwrap();
        let verdict = |log_odds| decision.decide_log_odds(log_odds).verdict.as_str();
        assert_eq!(record["verdict"], verdict(number(&record["log_odds"])));
        let so_far = all.iter().filter(|other| {
            other["slide"] == record["slide"]
                && other["number"].as_u64() <= record["number"].as_u64()
        });
        let log_odds: Vec<_> = so_far.map(|other| number(&other["log_odds"])).collect();
        let combined = rule.combine(&log_odds).unwrap();
        assert_eq!(record["standing"]["verdict"], verdict(combined));
    }
}

#[test]
fn what_was_said_is_recorded_and_found_again() {
    let state = recorded();
    let state = state.path();
    let all = list(state, &[]);
    let verdicts: Vec<_> = all
        .iter()
        .map(|line| line["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["Positive", "Positive", "Negative"]);
    assert_verdicts_follow(&all);
    let (first, last) = (&all[0], &all[2]);
    assert_eq!(all[1]["slide"], first["slide"]);
    assert_ne!(last["slide"], first["slide"]);
    assert_eq!(last["number"], 1);
    let field = std::fs::read(&demo_fields()[0]).unwrap();
    assert_eq!(std::fs::read(image(state, first)).unwrap(), field);

    let slide = first["slide"].as_str().unwrap();
    assert_eq!(list(state, &["--slide", slide]).len(), 2);
    assert_eq!(
        list(state, &["--verdict", "negative"]),
        std::slice::from_ref(last)
    );
    let time = last["captured_at"].as_str().unwrap();
    assert_eq!(list(state, &["--since", time]), std::slice::from_ref(last));
    assert_eq!(list(state, &["--until", time]).len(), 2);
    assert_eq!(list(state, &["--until", "2026-01-01"]).len(), 0);

    let id = last["id"].as_str().unwrap();
    let shown = records(state, &["show", id, "--json"]).output().unwrap();
    let shown = json_lines(&shown.stdout).remove(0);
    assert_eq!(&as_listed(shown), last);
    records(state, &["show", slide])
        .assert()
        .success()
        .stdout(contains("[quality.focus]"));
    records(state, &["show", "00000000-0000-0000-0000-000000000000"])
        .assert()
        .code(RECORDS)
        .stderr(contains("no slide or field 00000000"));
    records(state, &["list", "--since", "yesterday"])
        .assert()
        .code(2);
}

#[test]
fn a_table_and_an_archive_are_exported() {
    let state = recorded();
    let state = state.path();
    let out = tempfile::tempdir().unwrap();
    records(
        state,
        &["export", "--format", "csv", "--verdict", "positive"],
    )
    .assert()
    .success()
    .stdout(starts_with("seq,id,slide,"))
    .stdout(predicates::function::function(|text: &str| {
        text.lines().count() == 3
    }));
    records(state, &["export", "--format", "zip"])
        .assert()
        .code(2);
    assert!(list(state, &[])[0]["exported_at"].is_null());
    let archive = out.path().join("all.zip");
    records(state, &["export", "--format", "zip", "--out"])
        .arg(&archive)
        .assert()
        .success()
        .stderr(contains("3 fields, with all their images: 3"));
    assert!(std::fs::read(&archive).unwrap().starts_with(b"PK"));
    assert!(list(state, &[])[0]["exported_at"].is_string());
}

#[test]
fn names_are_harmless_for_terminals_and_tables() {
    let folder = tempfile::tempdir().unwrap();
    let name = "=HYPERLINK(1)\x1b[2J\u{202e}.jpg";
    std::fs::copy(&demo_fields()[0], folder.path().join(name)).unwrap();
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let shown = "=HYPERLINK(1)\\u{1b}[2J\\u{202e}.jpg";
    let is_harmless = || contains(shown).and(contains("\x1b").not());
    smearscope([
        "run", "--board", "sim", "--engine", "embedded", "--panel", "lines", "--fields",
    ])
    .arg(folder.path())
    .arg("--state")
    .arg(state)
    .write_stdin("press\n")
    .assert()
    .success()
    .stdout(is_harmless());
    records(state, &["list"])
        .assert()
        .success()
        .stdout(is_harmless());
    let id = list(state, &[])[0]["id"].as_str().unwrap().to_owned();
    let shown_field = records(state, &["show", &id]).output().unwrap();
    assert!(!shown_field.stdout.contains(&0x1b));
    smearscope(["classify", "--engine", "embedded"])
        .arg(folder.path())
        .assert()
        .success()
        .stdout(is_harmless());
    smearscope(["classify", "--engine", "embedded"])
        .arg(folder.path().join("\x1b[2J.jpg"))
        .assert()
        .code(1)
        .stdout(contains("\x1b").not());
    assert_eq!(list(state, &[])[0]["source"], name, "JSON has it as it is");

    let table = folder.path().join("table.csv");
    std::fs::write(&table, "an existing file").unwrap();
    for (format, file) in [
        ("csv", "table.csv"),
        ("json", "rows.jsonl"),
        ("zip", "all.zip"),
    ] {
        let path = folder.path().join(file);
        records(state, &["export", "--format", format, "--out"])
            .arg(&path)
            .assert()
            .success();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{format}");
    }
    let table = std::fs::read_to_string(&table).unwrap();
    assert!(table.contains(&format!(",'{shown},")), "{table}");
    // Numbers are not quoted.
    assert!(!table.contains(",'-"), "{table}");
    records(state, &["export", "--help"])
        .assert()
        .success()
        .stdout(contains("0600").and(contains("apostrophe")));
}

#[test]
fn what_was_changed_is_named() {
    let state = recorded();
    let state = state.path();
    let verified = records(state, &["verify"]).output().unwrap();
    assert!(verified.status.success());
    let text = String::from_utf8(verified.stdout).unwrap();
    let head = text
        .lines()
        .last()
        .unwrap()
        .strip_prefix("head ")
        .unwrap()
        .to_owned();
    assert!(text.starts_with("6 rows and 6 images"), "{text}");
    assert!(
        text.contains(
            "\nretention removed 0 images of 0 fields; image files without a record: 0\n"
        ),
        "{text}"
    );

    run(state).write_stdin("press\n").assert().success();
    records(state, &["verify", "--expect-head", &head])
        .assert()
        .success();
    records(state, &["verify", "--expect-head", &"1234".repeat(16)])
        .assert()
        .code(MISMATCH)
        .stderr(contains("damaged: no row has the hash 1234").and(contains("1 damage found")));
    records(state, &["verify", "--expect-head", "1234"])
        .assert()
        .code(2)
        .stderr(contains("64 hexadecimal digits"));

    let all = list(state, &[]);
    let (changed, missing) = (image(state, &all[1]), image(state, &all[0]));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut bytes = std::fs::read(&changed).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&changed, bytes).unwrap();
    std::fs::rename(&missing, missing.with_file_name("moved.jpg")).unwrap();
    records(state, &["verify"])
        .assert()
        .code(MISMATCH)
        .stdout(
            contains("9 rows and 6 images are unchanged")
                .and(contains(
                    "image files without a record: 1\nwithout a record: images/",
                ))
                .and(contains("head").not()),
        )
        .stderr(
            contains(format!("{} of field", name(&changed)))
                .and(contains("has changed since it was written"))
                .and(contains(name(&missing)))
                .and(contains("is missing"))
                .and(contains("2 damages found")),
        );
    let output = records(state, &["verify", "--json", "--record-result"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(MISMATCH));
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verified["damages"][1]["part"], "image");
    assert_eq!(verified["rows"], 9);
    let result = std::fs::read(state.join("records.verified")).unwrap();
    let result: Value = serde_json::from_slice(&result).unwrap();
    assert_eq!(
        (&result["damaged"], &result["orphans"]),
        (&2.into(), &1.into())
    );
}

#[test]
fn a_verdict_that_does_not_follow_from_its_record_is_named() {
    let state = recorded();
    let state = state.path();
    let mut last = None;
    let each = |record: Record| {
        last = Some(record.field);
        Ok::<_, RecordsError>(())
    };
    Archive::open(state)
        .unwrap()
        .fields(&Filter::default(), each)
        .unwrap();
    let field = FieldEntry {
        id: Uuid::now_v7(),
        verdict: Verdict::Positive,
        ..last.unwrap()
    };
    let slide = SlideEntry {
        id: field.slide,
        number: 2,
        started_at: field.captured_at.clone(),
    };
    let until = Instant::now() + Duration::from_mins(1);
    let mut store = Store::open(state.into()).unwrap();
    store.commit(&slide, &field, None, until).unwrap();
    let problem = format!(
        "field {}: its verdict is Positive, but its rule gives Negative",
        field.id
    );
    records(state, &["verify"])
        .assert()
        .code(MISMATCH)
        .stderr(starts_with(format!(
            "contradictory: {problem}\n1 damage found"
        )));
    let output = records(state, &["verify", "--json"]).output().unwrap();
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        verified["damages"],
        json!([{"part": "contradiction", "problem": problem}])
    );
}

/// Changes bytes of a field's row in the database, and of stale copies of it, as a failing disk does.
fn damage(state: &Path, id: &str, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let path = state.join("records.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let row = format!("{{\"id\":\"{id}\",\"slide\"");
    let find = |bytes: &[u8], text: &str, start: usize| {
        let mut parts = bytes[start..].windows(text.len());
        parts
            .position(|part| part == text.as_bytes())
            .map(|found| start + found)
    };
    let mut start = 0;
    while let Some(begin) = find(&bytes, &row, start) {
        start = begin + row.len();
        let place = find(&bytes, from, begin).unwrap();
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
    }
    assert_ne!(start, 0);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn rows_that_cannot_be_read_are_named_and_the_others_listed_and_exported() {
    let state = recorded();
    let state = state.path();
    let ids: Vec<_> = list(state, &[])
        .iter()
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    // One row without valid JSON, which makes SQLite fail, and one without a field.
    damage(state, &ids[0], "\"slide\":", "\"slide\"?");
    damage(state, &ids[2], "\"elapsed_ms\":", "\"elapsxd_ms\":");
    let named = || {
        contains("row 2 cannot be read: malformed JSON").and(contains("row 6 is not a valid field"))
    };
    let rest = || contains(&*ids[1]).and(contains(&*ids[2]).not());
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["list", "--since", "2026-01-01"],
        &["export", "--format", "csv"],
        &["export", "--format", "json"],
    ] {
        records(state, arguments)
            .assert()
            .code(MISMATCH)
            .stdout(rest())
            .stderr(named());
    }
    let out = tempfile::tempdir().unwrap();
    for format in ["csv", "json", "zip"] {
        let path = out.path().join(format);
        records(state, &["export", "--format", format, "--out"])
            .arg(&path)
            .assert()
            .code(MISMATCH)
            .stderr(named());
        assert!(path.metadata().unwrap().len() > 0);
    }
    records(state, &["show", &ids[1]])
        .assert()
        .code(MISMATCH)
        .stdout(contains(&*ids[1]))
        .stderr(contains("row 2 cannot be read"));
}

#[test]
fn a_database_that_was_cut_is_told_and_nothing_is_added_to_it() {
    let state = recorded();
    let state = state.path();
    let database = state.join("records.sqlite");
    assert!(!state.join("records.sqlite-wal").exists(), "it was closed");
    let whole = std::fs::read(&database).unwrap();
    std::fs::write(&database, &whole[..whole.len() - 4096]).unwrap();
    records(state, &["verify"])
        .assert()
        .code(MISMATCH)
        .stderr(contains("records.sqlite is damaged"));
    run(state)
        .write_stdin("press\n")
        .assert()
        .code(MISMATCH)
        .stdout(contains("verdict:").not())
        .stderr(contains("records.sqlite is damaged"));
    std::fs::write(&database, "").unwrap();
    run(state)
        .write_stdin("press\n")
        .assert()
        .code(MISMATCH)
        .stdout(contains("verdict:").not())
        .stderr(contains("is missing or empty, but"));
    std::fs::write(&database, &whole).unwrap();
    records(state, &["verify"]).assert().success();
}

/// A running appliance.
struct AtWork {
    child: std::process::Child,
    stdin: std::process::ChildStdin,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl AtWork {
    fn start(state: &Path, analysis_s: &str) -> Self {
        let mut child = std::process::Command::new(built("smearscope"))
            .envs([NO_SERVER, VOLATILE])
            .env("SMEARSCOPE__TIMING__ANALYSIS_S", analysis_s)
            .current_dir(root())
            .args(["run", "--board", "sim", "--engine", "embedded"])
            .args(["--fields", "hardware/fields", "--state"])
            .arg(state)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        }
    }

    fn press(&mut self) {
        self.stdin.write_all(b"press\n").unwrap();
    }

    fn verdict(&mut self) -> String {
        self.lines
            .find(|line| line.as_ref().unwrap().starts_with("verdict:"))
            .unwrap()
            .unwrap()
    }

    fn end(mut self) {
        drop(self.stdin);
        assert!(self.child.wait().unwrap().success());
    }
}

/// A writer that keeps its transaction open.
fn occupy(state: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(state.join("records.sqlite")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

/// Number of image files.
fn pictures(state: &Path) -> usize {
    let slides = state.join("images").read_dir().unwrap();
    let count = |slide: std::io::Result<std::fs::DirEntry>| {
        slide.unwrap().path().read_dir().unwrap().count()
    };
    slides.map(count).sum()
}

#[test]
fn records_that_others_hold_are_waited_for_as_long_as_a_press_may_take() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let mut appliance = AtWork::start(state, "20");
    appliance.press();
    assert!(appliance.verdict().contains("saved as"));
    let others = occupy(state);
    appliance.press();
    let verdict = appliance.verdict();
    assert!(verdict.contains("NOT SAVED"), "{verdict}");
    drop(others);
    appliance.press();
    assert!(appliance.verdict().contains("saved as"));
    appliance.end();
    let rows = list(state, &[]);
    let numbers: Vec<_> = rows.iter().map(|row| &row["standing"]["fields"]).collect();
    assert_eq!(numbers, [1, 2], "not saved is not saved");
    assert_eq!(pictures(state), 4);

    // A deadline longer than any export holds the database.
    let mut appliance = AtWork::start(state, "60");
    appliance.press();
    assert!(appliance.verdict().contains("saved as"));
    let others = occupy(state);
    appliance.press();
    while pictures(state) < 8 {
        std::thread::yield_now();
    }
    // The time for which the writer holds the database.
    std::thread::sleep(std::time::Duration::from_secs(12));
    drop(others);
    let verdict = appliance.verdict();
    assert!(verdict.contains("saved as"), "{verdict}");
    appliance.end();
    assert_eq!(list(state, &[]).len(), 4);
}

#[test]
fn records_are_read_and_exported_while_the_appliance_runs_and_written_by_none_other() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let mut appliance = AtWork::start(state, "20");
    let mut verdict = || {
        appliance.press();
        appliance.verdict()
    };
    let first = verdict();
    let id = list(state, &[])[0]["id"].as_str().unwrap().to_owned();
    assert!(first.contains(&format!("saved as {id}")), "{first}");
    run(state)
        .write_stdin("press\n")
        .assert()
        .code(RECORDS)
        .stdout(contains("verdict:").not())
        .stderr(contains("is in use by another smearscope"));
    let out = tempfile::tempdir().unwrap();
    records(state, &["export", "--format", "zip", "--out"])
        .arg(out.path().join("out.zip"))
        .assert()
        .success();
    verdict();
    let all = list(state, &[]);
    assert_eq!(all.len(), 2);
    assert!(all[0]["exported_at"].is_string() && all[1]["exported_at"].is_null());
    records(state, &["verify"]).assert().success();
    appliance.end();
}

#[test]
fn a_disk_without_room_refuses_new_fields() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let config = folder.path().join("config.toml");
    // More than any disk has.
    std::fs::write(
        &config,
        "[storage]\nreserve_mib = 1073741824\nmin_free_mib = 1073741824\n",
    )
    .unwrap();
    run(&state)
        .arg("--config")
        .arg(&config)
        .write_stdin("press\npress\n")
        .assert()
        .success()
        .stdout(contains("verdict:").not())
        .stderr(contains("disk full").and(contains("export records")));
    assert_eq!(list(&state, &[]), Vec::<Value>::new());
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_is_analysed() {
    // Even root cannot create folders there.
    let state = Path::new("/proc/smearscope");
    run(state)
        .write_stdin("press\n")
        .assert()
        .code(RECORDS)
        .stdout(contains("verdict:").not())
        .stderr(contains(
            "/proc/smearscope cannot be created; check that the disk",
        ));
    records(state, &["list"])
        .assert()
        .code(RECORDS)
        .stderr(contains("/proc/smearscope/records.sqlite cannot be read"));
}

#[test]
fn without_a_folder_there_are_no_records() {
    smearscope(["records", "list", "--config", "/dev/null"])
        .assert()
        .code(3)
        .stderr(contains("storage.state is empty"));
}

fn copy(from: &Path, to: &Path) {
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg("-r").arg(from).arg(to).status().unwrap().success());
}

#[test]
fn a_copy_on_a_medium_that_cannot_be_written_to_is_read() {
    let test = "a_copy_on_a_medium_that_cannot_be_written_to_is_read";
    if enter(module_path!(), test) != Place::Inside {
        return;
    }
    let original = recorded();
    let all = list(original.path(), &[]);
    let disk = SmallDisk::of_mib(24);
    // A name with characters that a URI must escape.
    let closed = disk.path().join("a #1?b%20");
    copy(original.path(), &closed);
    // As after a power cut.
    let others = occupy(original.path());
    others
        .execute_batch("COMMIT; PRAGMA user_version = 2")
        .unwrap();
    let open = disk.path().join("open");
    copy(original.path(), &open);
    drop(others);
    std::fs::remove_file(open.join("records.sqlite-shm")).unwrap();
    disk.seal();

    assert_eq!(list(&closed, &[]), all);
    records(&closed, &["verify"])
        .assert()
        .success()
        .stdout(starts_with("6 rows and 6 images"));
    let out = tempfile::tempdir().unwrap();
    records(&closed, &["export", "--format", "zip", "--out"])
        .arg(out.path().join("all.zip"))
        .assert()
        .success()
        .stderr(contains("with all their images: 3").and(contains("not marked as exported")));
    // The log is applied to a copy elsewhere.
    assert_eq!(list(&open, &[]), all);
    records(&open, &["export", "--format", "zip", "--out"])
        .arg(out.path().join("open.zip"))
        .assert()
        .success()
        .stderr(contains("with all their images: 3"));
    assert!(!open.join("records.sqlite-shm").exists());
}

#[test]
fn an_export_to_a_full_disk_says_so_and_leaves_nothing() {
    let test = "an_export_to_a_full_disk_says_so_and_leaves_nothing";
    if enter(module_path!(), test) != Place::Inside {
        return;
    }
    let state = recorded();
    let stick = SmallDisk::of_mib(8);
    stick.fill();
    for format in ["csv", "json", "zip"] {
        let to = stick.path().join("out");
        records(state.path(), &["export", "--format", format, "--out"])
            .arg(&to)
            .assert()
            .code(RECORDS)
            .stderr(
                contains("out cannot be written: no space is left on its disk (0 MiB free, about")
                    .and(contains("os error").not())
                    .and(contains("ZipWriter").not()),
            );
        assert_eq!(stick.path().read_dir().unwrap().count(), 1, "{format}");
    }
    assert!(list(state.path(), &[])[0]["exported_at"].is_null());
}

#[test]
fn records_are_for_their_owner_whatever_the_umask() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path().join("state");
    let run = run(&state);
    let mut shell = assert_cmd::Command::new("sh");
    shell
        .args(["-c", "umask 022; exec \"$0\" \"$@\""])
        .arg(run.get_program())
        .args(run.get_args())
        .envs(
            run.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(root())
        .write_stdin("press\n")
        .assert()
        .success();
    let mut find = std::process::Command::new("find");
    let found = find
        .arg(&state)
        .args(["-printf", "%y %m %p\\n"])
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let mut files = 0;
    for line in found.lines() {
        assert!(
            line.starts_with("d 700 ") || line.starts_with("f 600 "),
            "{line}"
        );
        files += usize::from(line.starts_with('f'));
    }
    assert!(files >= 5, "{files} files");
}

#[test]
fn an_export_onto_the_disk_of_the_records_leaves_it_room() {
    let test = "an_export_onto_the_disk_of_the_records_leaves_it_room";
    if enter(module_path!(), test) != Place::Inside {
        return;
    }
    let original = recorded();
    let disk = SmallDisk::of_mib(24);
    let state = disk.path().join("state");
    copy(original.path(), &state);
    let config = original.path().join("config.toml");
    let free = rustix::fs::statvfs(disk.path()).unwrap();
    let free = (free.f_bavail * free.f_frsize) >> 20;
    let storage =
        |min_free: u64| format!("[storage]\nreserve_mib = 1\nmin_free_mib = {min_free}\n");
    let export = |format: &str, to: &Path| {
        let mut command = records(&state, &["export", "--format", format, "--out"]);
        command.arg(to).arg("--config").arg(&config);
        command
    };
    let onto = disk.path().join("out");
    std::fs::write(&config, storage(free + 1)).unwrap();
    for format in ["csv", "json", "zip"] {
        export(format, &onto)
            .assert()
            .code(RECORDS)
            .stderr(contains("storage.min_free_mib").and(contains("another disk")));
        assert!(!onto.exists());
    }
    let elsewhere = original.path().join("out");
    export("zip", &elsewhere).assert().success();
    std::fs::write(&config, storage(1)).unwrap();
    export("zip", &onto).assert().success();
}

/// Takes one field with these settings of the section `[storage]`; what is printed about it, and the failures of the
/// self-test.
fn one_field(state: &Path, storage: &[(&str, &str)]) -> (String, Vec<String>) {
    let settings = || {
        let name = |key: &str| format!("SMEARSCOPE__STORAGE__{key}");
        storage.iter().map(move |(key, value)| (name(key), *value))
    };
    let output = run(state)
        .envs(settings())
        .write_stdin("press\n")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let tested = smearscope([
        "selftest", "--json", "--engine", "embedded", "--board", "sim",
    ])
    .args(["--fields", "hardware/fields", "--state"])
    .arg(state)
    .envs(settings())
    .output()
    .unwrap();
    let checks = json_lines(&tested.stdout)[0]["checks"].clone();
    let failed = checks.as_array().unwrap().iter();
    let failed = failed.filter(|check| check["passed"] == false);
    let failed = failed.map(|check| check["detail"].as_str().unwrap().to_owned());
    (String::from_utf8(output.stdout).unwrap(), failed.collect())
}

#[test]
fn a_disk_in_memory_saves_nothing_unless_that_is_accepted() {
    let test = "a_disk_in_memory_saves_nothing_unless_that_is_accepted";
    if enter(module_path!(), test) != Place::Inside {
        return;
    }
    let disk = SmallDisk::of_mib(256);
    let state = disk.path().join("state");
    let room = [("RESERVE_MIB", "1"), ("MIN_FREE_MIB", "1")];
    let (told, failed) = one_field(&state, &[&room[..], &[("VOLATILE", "false")]].concat());
    assert!(told.contains("NOT SAVED, does not count"), "{told}");
    let [problem] = &failed[..] else {
        panic!("{failed:?}");
    };
    assert!(problem.contains("in memory (tmpfs)"), "{problem}");
    assert!(problem.contains("storage.volatile = true"), "{problem}");
    assert!(!state.exists());
    let (told, failed) = one_field(&state, &[&room[..], &[("VOLATILE", "true")]].concat());
    assert!(told.contains(" · saved as "), "{told}");
    assert_eq!(failed, [""; 0]);
    assert_eq!(list(&state, &[]).len(), 1);
}

#[test]
fn another_folder_than_the_expected_one_starts_no_records() {
    let folder = tempfile::tempdir().unwrap();
    let [state, away] = ["state", "away"].map(|name| folder.path().join(name));
    let room = [("RESERVE_MIB", "1"), ("MIN_FREE_MIB", "1")];
    assert!(one_field(&state, &room).0.contains(" · saved as "));
    let id = std::fs::read_to_string(state.join("records.identity")).unwrap();
    let expecting = [&room[..], &[("IDENTITY", id.trim())]].concat();
    // The disk is not mounted: its folder is empty.
    std::fs::rename(&state, &away).unwrap();
    std::fs::create_dir(&state).unwrap();
    let (told, failed) = one_field(&state, &expecting);
    assert!(told.contains("NOT SAVED, does not count"), "{told}");
    assert!(failed[0].contains("has the identity none"), "{failed:?}");
    assert_eq!(state.read_dir().unwrap().count(), 0, "nothing was started");
    std::fs::remove_dir(&state).unwrap();
    std::fs::rename(&away, &state).unwrap();
    assert!(one_field(&state, &expecting).0.contains(" · saved as "));
    assert_eq!(list(&state, &[]).len(), 2);
}
