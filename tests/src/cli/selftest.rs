//! `smearscope selftest`: its report and its exit code.

use predicates::prelude::*;

use crate::support::*;

#[test]
fn a_whole_bench_passes() {
    smearscope(["selftest", "--board", "sim", "--engine", "openvino"])
        .assert()
        .success()
        .stdout(predicate::str::contains("golden"))
        .stdout(predicate::str::contains("openvino"))
        .stdout(predicate::str::contains("camera"));
}

/// Whether this is a Raspberry Pi, where the test is skipped.
fn is_raspberry_pi() -> bool {
    let model = std::fs::read_to_string("/proc/device-tree/model").unwrap_or_default();
    let is_pi = model.contains("Raspberry Pi");
    if is_pi {
        smearscope_artifacts::testing::skip("this is a Raspberry Pi");
    }
    is_pi
}

#[test]
fn a_desktop_without_a_configured_board_tests_the_simulated_one_and_says_so() {
    if is_raspberry_pi() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "").unwrap();
    smearscope(["selftest", "--engine", "embedded", "--config"])
        .arg(&config)
        .assert()
        .success()
        .stdout(predicate::str::is_match("board +ok +simulated: no board is configured").unwrap())
        .stdout(predicate::str::contains("FAILED").not());
}

#[test]
fn a_machine_without_the_board_is_told_how_to_simulate_it() {
    if is_raspberry_pi() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "board = \"pi\"\n").unwrap();
    smearscope(["selftest", "--engine", "embedded", "--config"])
        .arg(&config)
        .assert()
        .code(1)
        .stdout(predicate::str::is_match("board +FAILED .*--board sim").unwrap())
        .stdout(predicate::str::is_match("model +ok ").unwrap());
    // No restart makes this machine a Raspberry Pi.
    smearscope(["run", "--config"])
        .arg(&config)
        .assert()
        .code(3)
        .stderr(predicate::str::contains(
            "board = \"pi\" does not work here",
        ));
}

#[test]
fn a_damaged_model_fails() {
    let model = copy_of_demo_model();
    std::fs::remove_dir_all(model.path().join("golden")).unwrap();
    smearscope(["selftest", "--board", "sim", "--model"])
        .arg(model.path())
        .assert()
        .failure()
        .stdout(predicate::str::contains("golden"));
}
