//! A configuration of version 0.1.0 with every setting.

use serde_json::Value;

use super::{assert_keeps, fixture, text};
use crate::support::*;

/// The configuration without its passwords, which are never shown.
fn values(toml: &str) -> Value {
    let table: toml::Table = toml::from_str(toml).unwrap();
    let mut values = serde_json::to_value(table).unwrap();
    for section in ["mqtt", "hias"] {
        let password = values[section].as_object_mut().unwrap().remove("password");
        assert_ne!(password.unwrap(), "", "{section}");
    }
    values
}

#[test]
fn it_is_valid_and_keeps_its_values() {
    // It names `systemctl`, which a machine without systemd lacks.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/sh", folder.path().join("systemctl")).unwrap();
    smearscope(["config", "check"])
        .arg(fixture("config.toml"))
        .env("PATH", folder.path())
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
    let shown = String::from_utf8(shown.stdout).unwrap();
    for secret in ["correct horse", "agent secret"] {
        assert!(text("config.toml").contains(secret));
        assert!(!shown.contains(secret));
    }
    for old in ["config.toml", "config.shown.toml"] {
        assert_keeps(&values(&shown), &values(&text(old)), old);
    }
}
