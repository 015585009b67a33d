//! The API against its own OpenAPI document: a property-based client sends valid and invalid requests.

use std::process::Command;

use smearscope_artifacts::testing::venv;

use crate::support::http::*;

#[test]
fn it_is_what_its_description_says_whatever_is_sent() {
    let Some(client) = venv("schemathesis") else {
        return;
    };
    let served = Served::start("").ready();
    let document = served.get("/v1/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(client)
        .current_dir(folder.path())
        .args(["run", &format!("{}/v1/openapi.json", served.url)])
        // Event streams do not end.
        .args(["--exclude-path", "/v1/events"])
        .args(["--exclude-path", "/v1/camera/preview"])
        // The appliance would end.
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
