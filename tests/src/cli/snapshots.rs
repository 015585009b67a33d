//! Snapshots of texts and JSON that people and scripts rely on, in `snapshots/`.
//!
//! After a wanted change, write them again and read the difference:
//! `UPDATE_EXPECT=1 cargo test -p smearscope-tests cli::snapshots`

use expect_test::expect_file;
use serde_json::Value;

use super::records::recorded;
use crate::support::http::Served;
use crate::support::*;

/// The help of these commands is compared.
const COMMANDS: [&str; 27] = [
    "",
    "run",
    "classify",
    "selftest",
    "model",
    "model list",
    "model show",
    "model verify",
    "model install",
    "model rollback",
    "records",
    "records list",
    "records show",
    "records verify",
    "records export",
    "faults",
    "token",
    "token new",
    "token list",
    "token revoke",
    "config",
    "config show",
    "config import-hias",
    "config check",
    "screens",
    "completions",
    "man",
];

/// Values that differ from run to run, or from machine to machine.
const VARYING: [&str; 17] = [
    "captured_at",
    "capture",
    "clock",
    "counting",
    "decoding",
    "elapsed_ms",
    "gate",
    "hash",
    "id",
    "inference",
    "path",
    "preparation",
    "sha256",
    "slide",
    "started_at",
    "storing",
    "version",
];

/// Compares with the file of this name.
fn assert_snapshot(name: &str, actual: &str) {
    let path = root().join("tests/src/cli/snapshots").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    expect_file![path].assert_eq(actual);
}

/// Replaces what varies, and rounds numbers, which processors compute slightly differently.
fn redact(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::Null | Value::Object(_) | Value::Array(_) => redact(value),
                    _ if VARYING.contains(&key.as_str()) => *value = format!("<{key}>").into(),
                    _ => redact(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        Value::Number(number) if number.is_f64() => {
            let rounded = (number.as_f64().unwrap() * 100.0).round() / 100.0;
            *value = rounded.into();
        }
        _ => {}
    }
}

/// Compares the first line of a command's output, which is JSON.
fn assert_first_line(name: &str, command: &mut assert_cmd::Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut line = json_lines(&output.stdout).swap_remove(0);
    redact(&mut line);
    let text = serde_json::to_string_pretty(&line).unwrap();
    assert_snapshot(name, &format!("{text}\n"));
}

#[test]
fn help() {
    for command in COMMANDS {
        let output = smearscope(command.split_whitespace().chain(["--help"]))
            .env("COLUMNS", "100")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}");
        let name = match command {
            "" => "smearscope".to_owned(),
            command => command.replace(' ', "-"),
        };
        let help = String::from_utf8(output.stdout).unwrap();
        assert_snapshot(&format!("help/{name}.txt"), &help);
    }
}

#[test]
fn config_show() {
    let output = smearscope(["config", "show", "/dev/null"])
        .env_remove(NO_SERVER.0)
        .env_remove(VOLATILE.0)
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_snapshot(
        "config-show.toml",
        &String::from_utf8(output.stdout).unwrap(),
    );
}

#[test]
fn classify_json() {
    assert_first_line(
        "classify.json",
        &mut smearscope([
            "classify",
            "--json",
            "--engine",
            "embedded",
            "hardware/fields/field01_1.jpg",
        ]),
    );
}

#[test]
fn records_list_json() {
    let state = recorded();
    let mut list = smearscope(["records", "list", "--json", "--state"]);
    assert_first_line("records-list.json", list.arg(state.path()));
}

#[test]
fn openapi_document() {
    let mut document = Served::start("").ready().get("/v1/openapi.json").json();
    document["info"]["version"] = "<version>".into();
    let text = serde_json::to_string_pretty(&document).unwrap();
    assert_snapshot("openapi.json", &format!("{text}\n"));
}
