//! The simulated bench's panel of lines, driven through a pipe as `scripts/demo` drives it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal};

use crate::support::*;

fn verdict_lines(stdout: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(stdout)
        .lines()
        .filter(|line| line.starts_with("verdict:"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn three_presses_give_three_verdicts_and_a_clean_end() {
    let output = smearscope(["run", "--board", "sim", "--fields", "hardware/fields"])
        .write_stdin("press\npress\npress\n")
        .output()
        .unwrap();
    let verdicts = verdict_lines(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(verdicts.len(), 3, "{verdicts:#?}");
    for (verdict, field) in verdicts.iter().zip(demo_fields()) {
        let name = field.file_name().unwrap().to_str().unwrap();
        let expected = if name.ends_with("_1.jpg") {
            "Positive"
        } else {
            "Negative"
        };
        assert!(
            verdict.contains(expected) && verdict.contains(name),
            "{verdict}"
        );
        assert!(verdict.contains("not for diagnosis"), "{verdict}");
    }
}

#[test]
fn the_demo_counts_a_positive_and_a_negative_slide() {
    let presses = "press\n".repeat(3) + "long\n" + &"press\n".repeat(5);
    let output = smearscope(["run", "--board", "sim", "--engine", "embedded"])
        .args(["--fields", "hardware/slides", "--um-per-pixel", "0.15"])
        .arg("--model")
        .arg(cells_model())
        .write_stdin(presses)
        .output()
        .unwrap();
    assert!(output.status.success());
    let verdicts = verdict_lines(&output.stdout);
    assert_eq!(verdicts.len(), 8, "{verdicts:#?}");
    // 20 cells are needed for a positive verdict and 200 for a negative one.
    for (number, expected) in [
        (0, "slide 1: Inconclusive "),
        (2, "slide 1: Positive "),
        (3, "slide 2: Inconclusive "),
        (7, "slide 2: Negative "),
    ] {
        assert!(verdicts[number].contains(expected), "{verdicts:#?}");
    }
}

#[test]
fn a_blurred_field_is_inconclusive_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    image::imageops::blur(&field_pixels(), 12.0)
        .save(folder.path().join("blurred.png"))
        .unwrap();
    let output = smearscope(["run", "--board", "sim", "--fields"])
        .arg(folder.path())
        .write_stdin("press\n")
        .output()
        .unwrap();
    let verdicts = verdict_lines(&output.stdout);
    assert_eq!(verdicts.len(), 1);
    assert!(
        verdicts[0].contains("Inconclusive") && verdicts[0].contains("focus"),
        "{verdicts:?}"
    );
}

#[test]
fn a_damaged_model_never_gives_a_verdict() {
    let model = copy_of_demo_model();
    let weights = std::fs::read_dir(model.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ext| ext == "bin"))
        .unwrap();
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let output = smearscope([
        "run",
        "--board",
        "sim",
        "--fields",
        "hardware/fields",
        "--model",
    ])
    .arg(model.path())
    .write_stdin("press\n")
    .output()
    .unwrap();
    assert!(!output.status.success());
    assert_eq!(verdict_lines(&output.stdout), Vec::<String>::new());
    assert!(String::from_utf8_lossy(&output.stderr).contains("damaged"));
}

#[test]
fn a_folder_without_images_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = smearscope(["run", "--board", "sim", "--fields"])
        .arg(folder.path())
        .write_stdin("press\n")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("holds no images") && stderr.contains(folder.path().to_str().unwrap()),
        "{stderr}"
    );
}

#[test]
fn a_bench_without_standard_input_runs_without_a_button() {
    let mut bench = std::process::Command::new(built("smearscope"))
        .current_dir(root())
        .args(["run", "--board", "sim", "--engine", "embedded"])
        .env(NO_SERVER.0, NO_SERVER.1)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(bench.stderr.take().unwrap());
    let mut log = log.lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("standard input is /dev/null; the bench has no button")));
    let process = Pid::from_child(&bench);
    rustix::process::kill_process(process, Signal::TERM).unwrap();
    assert!(log.any(|line| line.contains("stopping on SIGTERM")));
    assert!(bench.wait().unwrap().success());
}
