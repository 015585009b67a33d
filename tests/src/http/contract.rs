//! The API against its own description: a property-based client sends it what the description allows, and what it
//! does not.

use std::process::Command;

use crate::support::http::*;
use crate::support::*;

#[test]
fn it_is_what_its_description_says_whatever_is_sent() {
    let client = root().join(".venv/bin/schemathesis");
    if !client.exists() {
        eprintln!(
            "skipped: {} is absent; run scripts/setup --python",
            client.display()
        );
        return;
    }
    let served = Served::start("").ready();
    let document = served.get("/v1/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(client)
        .current_dir(folder.path())
        .args(["run", &format!("{}/v1/openapi.json", served.url)])
        // Events have no end; a body that is text may be an image's bytes for all it knows.
        .args(["--exclude-path", "/v1/events"])
        .args(["--exclude-path", "/v1/camera/preview"])
        // Nothing would answer after that.
        .args(["--exclude-path", "/v1/off"])
        .args([
            "--exclude-checks",
            "positive_data_acceptance,negative_data_rejection",
        ])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "25",
        ])
        .args([
            "--request-timeout",
            "30",
            "--max-time",
            "45",
            "--seed",
            "1",
            "--no-color",
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    let cases = told
        .lines()
        .find(|line| line.contains(" generated, "))
        .unwrap();
    let count = |word: &str| {
        let before = cases.split_once(word).unwrap().0;
        before.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert!(count(" generated") > 100, "{cases}");
    assert_eq!(count(" generated"), count(" passed"), "{cases}");
    assert_eq!(served.get("/v1/health/live").status, 200);
}
