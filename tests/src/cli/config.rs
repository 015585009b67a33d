//! `smearscope config`, and how all commands name the configuration and the state folder.

use predicates::prelude::*;

use crate::support::*;

#[test]
fn what_show_prints_passes_check() {
    let shown = smearscope(["config", "show"]).output().unwrap();
    assert!(shown.status.success());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, &shown.stdout).unwrap();
    smearscope(["config", "check"])
        .arg(&file)
        .assert()
        .success();
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[model]\nengin = \"auto\"\n").unwrap();
    smearscope(["config", "check"])
        .arg(&file)
        .assert()
        .failure()
        .stderr(predicate::str::contains("engin"))
        .stderr(predicate::str::contains("engine"))
        .stderr(predicate::str::contains("config.toml"));
}

#[test]
fn the_file_is_named_by_its_position_or_by_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[timing]\nhold_s = 7\n").unwrap();
    let named = |arguments: &[&str]| {
        let output = smearscope(arguments).arg(&file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = named(&["config", "show"]);
    assert!(shown.contains("hold_s = 7"), "{shown}");
    assert_eq!(named(&["config", "show", "--config"]), shown);
    assert_eq!(
        named(&["config", "check"]),
        named(&["config", "check", "--config"])
    );
}

#[test]
fn output_that_cannot_be_written_is_no_fault_of_the_configuration() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = std::process::Command::new(built("smearscope"))
        .args(["config", "show", "/dev/null"])
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn what_is_valid_and_cannot_work_or_is_dangerous_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let check = || {
        let mut command = smearscope(["config", "check"]);
        command.arg(&file);
        // The tests' own settings would be a change.
        for (name, _) in [NO_SERVER, VOLATILE] {
            command.env_remove(name);
        }
        command.assert()
    };
    std::fs::write(&file, "switch_off = [\"/no/poweroff\"]\n").unwrap();
    check()
        .code(3)
        .stderr(predicate::str::contains("switch_off = [\"/no/poweroff\"]"));
    std::fs::write(&file, "").unwrap();
    check().success().stderr(predicate::str::contains(
        "changes no setting: nothing is recorded",
    ));
}

#[test]
fn a_missing_state_folder_has_one_exit_code() {
    for arguments in [
        &["records", "list"][..],
        &["faults"],
        &["token", "list"],
        &["model", "rollback"],
        &["tls", "show"],
    ] {
        smearscope(arguments)
            .args(["--config", "/dev/null"])
            .assert()
            .code(3)
            .stderr(predicate::str::contains("name a folder with --state"));
        // With one, each finds nothing, in its own way.
        let folder = tempfile::tempdir().unwrap();
        smearscope(arguments)
            .args(["--config", "/dev/null", "--state"])
            .arg(folder.path())
            .assert()
            .stderr(predicate::str::contains("storage.state is empty").not());
    }
}

#[test]
fn a_state_folder_that_cannot_be_used_has_one_exit_code() {
    // Root may read and write any folder, but not a file in place of one.
    let file = tempfile::NamedTempFile::new().unwrap();
    for arguments in [
        &["records", "list"][..],
        &["faults"],
        &["token", "list"],
        &["token", "new", "--role", "viewer"],
        &["model", "rollback"],
        &["tls", "show"],
    ] {
        smearscope(arguments)
            .args(["--config", "/dev/null", "--state"])
            .arg(file.path())
            .assert()
            .code(6)
            .stderr(predicate::str::contains(file.path().to_str().unwrap()));
    }
}

#[test]
fn a_time_or_an_id_that_is_none_says_what_is_wanted() {
    for (arguments, message) in [
        (
            ["records", "list", "--since", "yesterday"],
            "not a time; give a date such as 2026-05-01",
        ),
        (
            ["records", "list", "--slide", "nonsense"],
            "not the id of a field or slide; `smearscope records list` shows the ids",
        ),
    ] {
        smearscope(arguments)
            .assert()
            .code(2)
            .stderr(predicate::str::contains(message));
    }
}
