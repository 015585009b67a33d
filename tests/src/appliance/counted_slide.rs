//! A slide whose cells are counted: every place says the same of it.

use std::path::Path;

use serde_json::Value;

use crate::support::http::Served;
use crate::support::mosquitto::*;
use crate::support::*;

/// Starts an appliance that counts the cells of these fields and publishes to this broker.
fn start(fields: &Path, broker: &Mosquitto) -> Served {
    let more = format!(
        "[model]\nengine = \"embedded\"\nfolder = {:?}\n[camera]\num_per_pixel = {PANORAMA_UM_PER_PIXEL}\n\
         [mqtt]\nhost = \"localhost\"\nport = {}\nca_file = {:?}\nuser = {USER:?}\npassword = {PASSWORD:?}\n\
         device = \"box\"\ncells = true\n",
        cells_model(),
        broker.port,
        broker.ca_file()
    );
    Served::start_with("", &more, fields).ready()
}

fn capture(served: &Served) -> Value {
    let answer = served.send("POST", "/v1/captures", &[], &[]);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// Checks that gallery, differential and metrics have each cell of a count once.
fn assert_cells_agree(served: &Served, id: &str, count: &Value) {
    // The gallery has each cell once.
    let gallery = served.get(&format!("/v1/slides/{id}/cells")).json();
    let shown = gallery["cells"].as_array().unwrap();
    let of_call = |call: &str| shown.iter().filter(|cell| cell["call"] == call).count();
    let blasts = of_call("blast");
    assert_eq!(count["blasts"], blasts);
    assert_eq!(count["cells"], blasts + of_call("other_leukocyte"));
    assert_eq!(
        count["unclear"],
        of_call("novel") + of_call("contradictory")
    );
    let classes = gallery["differential"].as_array().unwrap();
    let all: u64 = classes
        .iter()
        .map(|class| class["cells"].as_u64().unwrap())
        .sum();
    assert_eq!(count["cells"], all);

    // So have the metrics.
    let metrics = String::from_utf8(served.get("/metrics").body).unwrap();
    let counted = metrics.lines().filter(|line| {
        line.starts_with("smearscope_cells_total{")
            && (line.contains("call=\"blast\"") || line.contains("call=\"other_leukocyte\""))
    });
    let counted = counted.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    assert_eq!(count["cells"], counted.sum::<u64>(), "{metrics}");
}

/// Checks that a message tells of each cell what the finding does.
fn assert_published_cells(published: &Value, cells: &Value) {
    let (published, cells) = (published.as_array().unwrap(), cells.as_array().unwrap());
    assert_eq!(published.len(), cells.len());
    for (published, cell) in published.iter().zip(cells) {
        for (key, value) in published.as_object().unwrap() {
            assert_eq!(value, &cell[key], "{key}");
        }
    }
}

#[test]
fn every_place_says_the_same_of_a_slide() {
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("slide");
    std::fs::create_dir(&slide).unwrap();
    let starts = panorama_fields(&slide);
    let broker = Mosquitto::start();
    let listener = broker.listener("smearscope/#");
    let served = start(&slide, &broker);
    let findings: Vec<Value> = starts.iter().map(|_| capture(&served)).collect();
    let last = findings.last().unwrap();
    let count = &last["slide"]["count"];
    assert!(count["cells"].as_u64().unwrap() > 3, "{count}");
    assert!(count["blasts"].as_u64().unwrap() > 0, "{count}");
    assert!(last["slide"]["seen_again"].as_u64().unwrap() >= 3, "{last}");
    assert_eq!(&last["shown"]["count"], count);
    let is_again = |cell: &Value| cell["new"] == false;
    let cells = last["cells"].as_array().unwrap();
    assert!(cells.iter().any(is_again) && !cells.iter().all(is_again));

    // The state, the records and the broker.
    let state = served.get("/v1/device").json()["state"].clone();
    assert_eq!(&state["count"], count);
    assert_eq!(state["shown"], last["shown"]);
    let slides = served.get("/v1/slides").json();
    assert_eq!(&slides["slides"][0]["standing"]["count"], count);
    let messages = listener.wait_for("smearscope/box/verdict", findings.len());
    for (finding, message) in findings.iter().zip(&messages) {
        let id = finding["record"].as_str().unwrap();
        let record = served.get(&format!("/v1/fields/{id}")).json();
        for key in ["count", "scale", "cells", "count_rule", "verdict", "reason"] {
            assert_eq!(record[key], finding[key], "{key}");
        }
        assert_eq!(record["standing"]["count"], finding["slide"]["count"]);
        let message = message.json();
        assert_eq!(message["id"], id);
        assert_eq!(message["count"], finding["count"]);
        assert_eq!(message["count_rule"], finding["count_rule"]);
        assert_eq!(message["slide"]["count"], finding["slide"]["count"]);
        assert_published_cells(&message["cells"], &finding["cells"]);
    }

    let id = slides["slides"][0]["id"].as_str().unwrap();
    assert_cells_agree(&served, id, count);

    // The command line: what is recorded, what was published, and the same images again.
    let state = served.state("");
    let listed = smearscope(["records", "list", "--json", "--state"])
        .arg(&state)
        .output()
        .unwrap();
    let listed = json_lines(&listed.stdout);
    assert_eq!(&listed.last().unwrap()["standing"]["count"], count);
    let words = count["words"].as_str().unwrap();
    let field_words = last["count"]["words"].as_str().unwrap();
    smearscope(["records", "list", "--state"])
        .arg(&state)
        .assert()
        .success()
        .stdout(predicates::str::contains(field_words));
    for finding in &findings {
        smearscope([
            "records",
            "show",
            finding["record"].as_str().unwrap(),
            "--state",
        ])
        .arg(&state)
        .assert()
        .success()
        .stdout(predicates::str::contains("[[cells]]"));
    }
    let um_per_pixel = PANORAMA_UM_PER_PIXEL.to_string();
    let options = ["--slide-per", "folder", "--um-per-pixel", &um_per_pixel];
    let said = smearscope(["classify", "--engine", "embedded", "--model"])
        .arg(cells_model())
        .args(options)
        .arg(&slide)
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let line = said.lines().find(|line| line.contains("  slide ")).unwrap();
    assert!(line.contains(words), "{words}: {line}");
    // The slide, and for each field a row and its cells.
    let rows = 1 + 2 * findings.len();
    smearscope(["records", "verify", "--state"])
        .arg(&state)
        .assert()
        .success()
        .stdout(predicates::str::contains(format!("{rows} rows")));
}

#[test]
fn without_a_scale_nothing_is_counted_and_the_appliance_says_why() {
    let folder = tempfile::tempdir().unwrap();
    panorama_fields(folder.path());
    let more = format!(
        "[model]\nengine = \"embedded\"\nfolder = {:?}\n",
        cells_model()
    );
    let served = Served::start_with("", &more, folder.path()).ready();
    let finding = capture(&served);
    assert_eq!(finding["shown"]["verdict"], "Inconclusive");
    assert_eq!(finding["shown"]["reason"], "scale unknown");
    assert_eq!(finding["slide"]["refused"], 1);
    assert!(finding["count"].is_null() && finding["scale"].is_null());
    // An upload may state its scale.
    let image = std::fs::read(folder.path().join("field107.png")).unwrap();
    let classify = |query: &str| {
        let path = format!("/v1/classify{query}");
        served.send("POST", &path, &[("content-type", "image/png")], &image)
    };
    assert!(classify("").json()["count"].is_null());
    let stated = classify(&format!("?um_per_pixel={PANORAMA_UM_PER_PIXEL}")).json();
    assert!(stated["count"]["cells"].as_u64().unwrap() > 3, "{stated}");
    assert_eq!(stated["scale"]["source"], "stated");
    // The red cells contradict that of an objective of half the power.
    let doubted = classify(&format!("?um_per_pixel={}", 2.0 * PANORAMA_UM_PER_PIXEL)).json();
    let reason = doubted["reason"].as_str().unwrap();
    assert!(reason.contains("red cells would be"), "{reason}");
    assert_eq!(doubted["hint"], "state the right size of a pixel in µm");
    assert!(doubted["count"].is_null() && doubted["scale"].is_null());
    let path = "/v1/classify?um_per_pixel=0";
    served.send("POST", path, &[], b"").problem(400);
}
