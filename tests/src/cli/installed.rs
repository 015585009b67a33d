//! The program alone, as `cargo install` puts it anywhere: it has a model, and says how to use it.

use predicates::prelude::*;

use crate::support::*;

/// `smearscope` outside the source tree; `None` if the package's model is installed on this machine.
fn alone(folder: &std::path::Path) -> Option<assert_cmd::Command> {
    if std::path::Path::new("/usr/share/smearscope/models").exists() {
        smearscope_artifacts::testing::skip("the package is installed");
        return None;
    }
    let program = folder.join("smearscope");
    std::fs::copy(built("smearscope"), &program).unwrap();
    let mut command = assert_cmd::Command::new(program);
    command.current_dir(folder);
    Some(command)
}

#[test]
fn it_classifies_with_the_built_in_model() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut list) = alone(folder.path()) else {
        return;
    };
    let output = list.args(["model", "list", "--json"]).output().unwrap();
    let models = json_lines(&output.stdout);
    assert_eq!(models.len(), 1);
    assert_eq!(models[0]["role"], "current");
    assert_eq!(models[0]["folder"], "built in");
    let mut classify = alone(folder.path()).unwrap();
    let field = &demo_fields()[0];
    let output = classify
        .args(["classify", "--json"])
        .arg(field)
        .env_remove("SMEARSCOPE_OPENVINO")
        .output()
        .unwrap();
    assert!(output.status.success());
    // An engine that is not installed is no reason for a warning.
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(json_lines(&output.stdout)[0]["verdict"], "Positive");
}

#[test]
fn it_tests_itself_on_the_simulated_board() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut selftest) = alone(folder.path()) else {
        return;
    };
    selftest
        .args(["selftest", "--board", "sim"])
        .assert()
        .success()
        .stdout(predicate::str::contains("demo fields of the program"));
}

#[test]
fn a_configured_key_refuses_the_built_in_model() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut verify) = alone(folder.path()) else {
        return;
    };
    let key = minisign::KeyPair::generate_unencrypted_keypair()
        .unwrap()
        .pk;
    verify
        .env("SMEARSCOPE__MODEL__PUBLIC_KEY", key.to_base64())
        .args(["model", "verify"])
        .assert()
        .code(4)
        .stderr(predicate::str::contains(
            "built in/manifest.toml: the model is not signed",
        ));
}

#[test]
fn without_arguments_it_prints_the_first_steps() {
    smearscope([""; 0])
        .assert()
        .success()
        .stdout(predicate::str::contains("First steps:"))
        .stdout(predicate::str::contains("selftest --board sim"));
}

#[test]
fn completions_exist_for_each_shell_and_name_each_command() {
    for shell in ["bash", "zsh", "fish"] {
        smearscope(["completions", shell])
            .assert()
            .success()
            .stdout(predicate::str::contains("import-hias"));
    }
}

#[test]
fn the_manual_page_has_a_section_for_each_command() {
    let output = smearscope(["man"]).output().unwrap();
    assert!(output.status.success());
    let page = String::from_utf8(output.stdout).unwrap();
    assert_eq!(page.matches(".TH ").count(), 1);
    for heading in [
        "SMEARSCOPE RUN",
        "SMEARSCOPE RECORDS EXPORT",
        "SMEARSCOPE CONFIG SHOW",
    ] {
        assert!(
            page.contains(&format!("\n.SH \"{heading}\"\n")),
            "{heading}"
        );
    }
}
