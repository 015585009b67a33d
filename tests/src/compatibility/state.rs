//! A state folder of version 0.1.0: records of two slides, one field of which was exported and
//! removed, a note, a token, an installed model, and MQTT messages that wait for their broker.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{assert_keeps, fixture, text};
use crate::support::http::Served;
use crate::support::*;

/// The broker for which 0.1.0 kept messages. The test needs none: nothing listens there.
const BROKER: &str = "[mqtt]\nhost = \"localhost\"\nport = 18098\ntls = false\ndevice = \"box\"\n";
const NOTE: &str = "Feathered edge;\n<two> blasts?";

/// A copy that the appliance may write to.
fn state() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&fixture("state"), copy.path());
    copy
}

fn records(state: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = smearscope(["records", "--state"]);
    command.arg(state).args(arguments);
    command
}

fn list(state: &Path) -> Vec<Value> {
    let output = records(state, &["list", "--json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    json_lines(&output.stdout)
}

/// Checks that the chain of records is whole and goes on from the last row of 0.1.0.
fn assert_verifies(state: &Path) {
    let head = text("head");
    records(state, &["verify", "--expect-head", head.trim()])
        .assert()
        .success();
}

#[test]
fn its_records_are_listed_shown_verified_and_exported() {
    let state = state();
    let state = state.path();
    let old = json_lines(text("records.jsonl").as_bytes());
    assert_eq!(old.len(), 3);
    let removed = old
        .iter()
        .filter(|row| row["images_removed_at"].is_string());
    assert_eq!(removed.count(), 1);
    let listed = list(state);
    assert_eq!(listed.len(), old.len());
    for (new, old) in listed.iter().zip(&old) {
        assert_keeps(new, old, "");
        let id = old["id"].as_str().unwrap();
        let shown = records(state, &["show", id, "--json"]).output().unwrap();
        let shown = json_lines(&shown.stdout).remove(0);
        assert_eq!(&as_listed(shown), new);
    }
    assert_verifies(state);

    for (format, lines) in [("csv", 4), ("json", 3)] {
        let output = records(state, &["export", "--format", format])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            String::from_utf8(output.stdout).unwrap().lines().count(),
            lines
        );
    }
    let archive = state.join("archive.zip");
    records(state, &["export", "--format", "zip", "--out"])
        .arg(&archive)
        .assert()
        .success();
    assert!(archive.metadata().unwrap().len() > 0);
    assert_verifies(state);
}

#[test]
fn its_model_is_in_use() {
    let state = state();
    let config = state.path().join("config.toml");
    let storage = format!("[storage]\nstate = {:?}\n", state.path());
    std::fs::write(&config, storage).unwrap();
    let model = |arguments: &[&str]| {
        let mut command = smearscope(["model", "--engine", "embedded", "--config"]);
        command.arg(&config).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let [new, old] = [
        json_lines(&model(&["list", "--json"])),
        json_lines(text("models.jsonl").as_bytes()),
    ];
    // The shipped model may be newer.
    let installed = |models: &[Value]| {
        let mut model = models[0].clone();
        model.as_object_mut().unwrap().remove("folder");
        model
    };
    assert_eq!(old[0]["version"], "0.1.9");
    assert_keeps(&installed(&new), &installed(&old), "");
    model(&["verify"]);
}

#[test]
fn an_appliance_goes_on_from_it() {
    let state = state();
    let more = format!(
        "state = {:?}\nmin_free_mib = 2\nreserve_mib = 1\n{BROKER}",
        state.path()
    );
    let served = Served::start_with(
        "access = \"token\"\n",
        &more,
        &root().join("hardware/fields"),
    );
    let token = format!("Bearer {}", text("operator-token").trim());
    let get = |path: &str| {
        served
            .send("GET", path, &[("authorization", &token)], b"")
            .json()
    };
    let slides = get("/v1/slides")["slides"].clone();
    let slides: Vec<_> = slides
        .as_array()
        .unwrap()
        .iter()
        .map(|slide| slide["id"].as_str().unwrap())
        .collect();
    assert_eq!(slides.len(), 2);
    let notes: Vec<_> = slides
        .iter()
        .flat_map(|slide| {
            let slide = get(&format!("/v1/slides/{slide}"));
            slide["notes"].as_array().unwrap().clone()
        })
        .collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(notes[0]["text"], NOTE);

    // Three fields of 0.1.0 wait for the broker, and then this one.
    let finding = served.capture(&token).json();
    let metrics = served.send("GET", "/metrics", &[("authorization", &token)], b"");
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert_eq!(finding["slide"]["number"], 3, "numbers go on");
    let newest = &get("/v1/slides")["slides"];
    let of_newest = |key: &str| [&newest[0][key], &newest[1][key]].map(Value::clone);
    assert_eq!(of_newest("number"), [json!(3), json!(2)]);
    let closed = [Value::Null, json!("restart")];
    assert_eq!(of_newest("closed_because"), closed, "slide 2 was open");
    let waiting = metrics
        .lines()
        .find_map(|line| line.strip_prefix("smearscope_mqtt_undelivered_verdicts "));
    let waiting = waiting.map(|number| number.parse::<f64>().unwrap());
    assert_eq!(waiting, Some(4.0), "{metrics}");
    drop(served);

    let listed = list(state.path());
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[3]["id"], finding["record"]);
    assert_eq!(listed[3]["model"]["version"], "0.1.9");
    assert_verifies(state.path());
}
