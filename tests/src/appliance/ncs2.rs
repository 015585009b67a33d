//! A Neural Compute Stick 2, through the real binary and the C interface of the runtimes that drive one.
//!
//! The runtime is the bridge of `tests/bridge`, which computes on the processor. It verifies the calls and how the
//! appliance handles their failure, not the stick's arithmetic.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::*;

/// Longer than any machine needs for an analysis.
const PATIENCE: Duration = Duration::from_mins(2);

/// The bridge, built once.
fn bridge() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let messages = escargot::CargoBuild::new()
            .manifest_path(root().join("Cargo.toml"))
            .arg("--locked")
            .package("smearscope-bridge")
            .exec()
            .expect("the bridge builds");
        // Reads all messages, because the last one reports a failed build.
        let libraries: Vec<_> = messages
            .filter_map(|message| {
                let message = message.expect("the bridge builds");
                let message: Value = message.decode_custom().expect("JSON");
                let file = message["filenames"][0].as_str()?;
                file.ends_with("libsmearscope_bridge.so")
                    .then(|| PathBuf::from(file))
            })
            .collect();
        libraries.first().expect("cargo names the bridge").clone()
    });
    &BUILT
}

/// The OpenVINO library that the bridge calls.
fn openvino() -> PathBuf {
    let libraries = std::fs::read_dir(root().join(".runtime/openvino/libs")).expect("OpenVINO");
    libraries
        .map(|entry| entry.expect("entry").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("libopenvino_c.so.")
        })
        .max()
        .expect("libopenvino_c; run scripts/setup")
}

/// A runtime and a USB port.
struct Stick(TempDir);

impl Stick {
    fn plugged_in() -> Self {
        let stick = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(stick.runtime()).unwrap();
        std::fs::copy(bridge(), stick.runtime().join("libopenvino_c.so")).unwrap();
        std::fs::create_dir_all(stick.port()).unwrap();
        std::fs::write(stick.port().join("idVendor"), "03e7\n").unwrap();
        std::fs::write(stick.port().join("idProduct"), "2485\n").unwrap();
        stick
    }

    fn runtime(&self) -> PathBuf {
        self.0.path().join("runtime")
    }

    fn port(&self) -> PathBuf {
        self.0.path().join("usb/1-1")
    }

    fn unplug(&self) {
        std::fs::remove_dir_all(self.port()).unwrap();
    }

    fn fails_as(&self, fault: &str) {
        // Atomically: the bridge may read it at the same time.
        let written = self.0.path().join("fault.new");
        std::fs::write(&written, fault).unwrap();
        std::fs::rename(written, self.0.path().join("fault")).unwrap();
    }

    fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("SMEARSCOPE__MODEL__STICK_LIBRARY", self.runtime()),
            ("SMEARSCOPE__MODEL__USB_DEVICES", self.0.path().join("usb")),
            ("SMEARSCOPE_BRIDGE_TO", openvino()),
            ("SMEARSCOPE_BRIDGE_FAULT", self.0.path().join("fault")),
        ]
    }

    fn smearscope(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = smearscope(args);
        command.envs(self.environment());
        command
    }

    /// The self-test's lines about the engine and the golden samples.
    fn engines(&self, engine: &str) -> Vec<String> {
        let args = ["selftest", "--json", "--board", "sim", "--engine", engine];
        engines(&mut self.smearscope(&args))
    }
}

/// The same lines of any self-test, or its reason for having no engine.
fn engines(selftest: &mut assert_cmd::Command) -> Vec<String> {
    let output = selftest.output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let of = |part: &'static str| checks.iter().filter(move |check| check["part"] == part);
    let details = |check: &Value| check["detail"].as_str().unwrap().to_owned();
    if of("golden").count() == 0 {
        assert!(!output.status.success());
        return of("model").map(details).collect();
    }
    assert_eq!(of("golden").count(), 6, "{report}");
    of("engine").map(details).collect()
}

#[test]
fn the_stick_gives_the_verdicts_that_openvino_gives() {
    let stick = Stick::plugged_in();
    let verdicts = |engine: &str| {
        let args = ["classify", "--json", "--engine", engine, "hardware/fields"];
        let output = stick.smearscope(&args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        json_lines(&output.stdout)
    };
    let (ncs2, openvino) = (verdicts("ncs2"), verdicts("openvino"));
    assert_eq!(ncs2.len(), demo_fields().len() + 1);
    assert_eq!(ncs2.len(), openvino.len());
    for (ncs2, openvino) in ncs2.iter().zip(&openvino) {
        if ncs2.get("summary").is_some() {
            continue;
        }
        assert_eq!(
            (&ncs2["engine"], &ncs2["device"]),
            (&"ncs2".into(), &"MYRIAD".into())
        );
        assert_eq!(openvino["engine"], "openvino");
        assert_eq!(ncs2["verdict"], openvino["verdict"]);
        let probability = |line: &Value| line["probability"].as_f64().unwrap();
        // The same library gives the same result in the same precision.
        let difference = probability(ncs2) - probability(openvino);
        assert!(difference.abs() < 1e-6, "{ncs2} {openvino}");
    }
}

#[test]
fn auto_takes_a_stick_that_is_plugged_in() {
    let stick = Stick::plugged_in();
    assert_eq!(stick.engines("auto"), ["ncs2 2022.3.1 on MYRIAD"]);
    stick.unplug();
    let [engine] = &stick.engines("auto")[..] else {
        panic!("nothing is instead of a stick that is not there");
    };
    assert!(engine.starts_with("openvino "), "{engine}");
}

#[test]
fn a_broken_stick_is_reported_and_replaced_by_openvino() {
    for (fault, said) in [
        (
            "no device",
            "the stick was unplugged, or another program uses it",
        ),
        (
            "busy",
            "the stick was unplugged, or another program uses it",
        ),
        (
            "wrong precision",
            "its buffers are FP16, FP32 was requested",
        ),
        ("silent", "NaN and NaN are not probabilities"),
    ] {
        let stick = Stick::plugged_in();
        stick.fails_as(fault);
        let [engine, instead] = &stick.engines("auto")[..] else {
            panic!("{fault}: {:?}", stick.engines("auto"));
        };
        assert!(engine.starts_with("openvino "), "{fault}: {engine}");
        assert!(
            instead.contains("ncs2") && instead.contains(said),
            "{fault}: {instead}"
        );
        let [refused] = &stick.engines("ncs2")[..] else {
            panic!("{fault}: nothing takes the place of a stick that was asked for");
        };
        assert!(refused.contains(said), "{fault}: {refused}");
    }
}

#[test]
fn a_runtime_that_cannot_drive_the_stick_is_refused() {
    let stick = Stick::plugged_in();
    for version in ["2023.0.1-11005-fa1c41994f3", "2020.3.2", "custom"] {
        let mut command =
            stick.smearscope(&["selftest", "--json", "--board", "sim", "--engine", "ncs2"]);
        command.env("SMEARSCOPE_BRIDGE_VERSION", version);
        let [refused] = &engines(&mut command)[..] else {
            panic!("{version}");
        };
        let release = version.split('-').next().unwrap();
        assert!(refused.contains(release), "{refused}");
        assert!(refused.contains("model.stick_library"), "{refused}");
    }
    // The newer OpenVINO under the file name of the older one.
    std::fs::copy(openvino(), stick.runtime().join("libopenvino_c.so")).unwrap();
    let refused = &stick.engines("ncs2")[0];
    assert!(
        refused.contains("version 1.0 of the interface"),
        "{refused}"
    );
    std::fs::remove_file(stick.runtime().join("libopenvino_c.so")).unwrap();
    let refused = &stick.engines("ncs2")[0];
    assert!(refused.contains("there is no "), "{refused}");
}

#[test]
fn a_stick_that_is_lost_between_two_presses_is_replaced_and_the_verdict_says_by_what() {
    let stick = Stick::plugged_in();
    let state = stick.0.path().join("state");
    let mut child = Command::new(built("smearscope"))
        .current_dir(root())
        .envs([NO_SERVER, VOLATILE])
        .envs(stick.environment())
        .args([
            "run",
            "--board",
            "sim",
            "--fields",
            "hardware/fields",
            "--state",
        ])
        .arg(&state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, lines) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        for line in stdout.lines() {
            // The receiver may have given up.
            let _ = sender.send(line.unwrap());
        }
    });
    let mut stdin = child.stdin.take().unwrap();
    let mut press = || {
        stdin.write_all(b"press\n").unwrap();
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("a verdict");
            if line.starts_with("verdict:") {
                return line;
            }
        }
    };
    let first = press();
    assert!(first.ends_with(" on ncs2 MYRIAD"), "{first}");
    stick.fails_as("lost");
    stick.unplug();
    let second = press();
    assert!(second.ends_with(" on openvino CPU"), "{second}");
    assert!(
        second.contains("Positive") || second.contains("Negative"),
        "{second}"
    );
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    reader.join().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("MYRIAD: no stick is plugged in"), "{said}");
    assert!(
        said.contains("from now on openvino on CPU runs the model"),
        "{said}"
    );

    let recorded = smearscope(["records", "list", "--json", "--state"])
        .arg(&state)
        .output()
        .unwrap();
    let engines: Vec<_> = json_lines(&recorded.stdout)
        .into_iter()
        .map(|record| {
            [
                record["engine"]["name"].clone(),
                record["engine"]["device"].clone(),
            ]
        })
        .collect();
    assert_eq!(engines, [["ncs2", "MYRIAD"], ["openvino", "CPU"]]);
}
