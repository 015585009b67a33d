//! A configuration of version 0.1.0 with every setting.

use serde_json::Value;

use super::{assert_keeps, fixture, text};
use crate::support::*;

/// What a shown configuration has in place of a secret.
const HIDDEN: &str = "(hidden)";

fn values(toml: &str) -> Value {
    let table: toml::Table = toml::from_str(toml).unwrap();
    serde_json::to_value(table).unwrap()
}

#[test]
fn it_is_valid_and_keeps_its_values() {
    smearscope(["config", "check"])
        .arg(fixture("config.toml"))
        .assert()
        .success();
    let mut command = smearscope(["config", "show"]);
    // The tests' own setting would override the file.
    let shown = command
        .env_remove(NO_SERVER.0)
        .arg(fixture("config.toml"))
        .output()
        .unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let shown = values(&String::from_utf8(shown.stdout).unwrap());
    // The output of 0.1.0 for the same file.
    assert_keeps(&shown, &values(&text("config.shown.toml")), "");

    let mut written = values(&text("config.toml"));
    assert_eq!(written["mqtt"]["password"], "correct horse");
    written["mqtt"]["password"] = HIDDEN.into();
    assert_keeps(&shown, &written, "");
}
