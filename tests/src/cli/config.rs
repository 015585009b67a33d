//! `smearscope config`: `show` prints what `check` accepts, and unknown keys are errors.

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
