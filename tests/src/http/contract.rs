//! The API against its own OpenAPI document: a property-based client sends valid and invalid requests.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use smearscope_artifacts::testing::{skip, venv};

use crate::support::http::*;
use crate::support::*;

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

/// Writes the OpenAPI document of an appliance on loopback that requires tokens; returns an operator's token, too.
fn described(folder: &Path) -> (Served, String) {
    let served = Served::start("access = \"token\"\n");
    let document = served.get("/v1/openapi.json");
    assert_eq!(document.status, 200, "readable without a token");
    std::fs::write(folder.join("openapi.json"), document.body).unwrap();
    let token = served.token("operator");
    // From then on, the appliance accepts a press.
    served.capture(&format!("Bearer {token}"));
    (served, token)
}

/// Runs a program in a folder; returns what it printed, if it succeeded.
fn printed(program: &Path, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

#[test]
fn a_generated_python_client_captures_classifies_exports_and_lists_models() {
    let (Some(generator), Some(python)) = (venv("openapi-python-client"), venv("python")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (served, token) = described(folder.path());
    let clients = root().join("tests/clients");
    let config = clients.join("openapi-python-client.yaml");
    let generate = [
        "generate",
        "--path=openapi.json",
        "--meta=none",
        "--fail-on-warning",
        "--output-path=generated",
        "--config",
        config.to_str().unwrap(),
    ];
    printed(&generator, folder.path(), &generate);
    std::fs::copy(clients.join("client.py"), folder.path().join("client.py")).unwrap();
    let found = printed(&python, folder.path(), &["client.py", &served.url, &token]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let verdict = &found["verdicts"][0];
    assert_eq!(found["verdicts"], json!([verdict, verdict, verdict]));
    let files = found["files"].as_array().unwrap();
    assert!(files.contains(&json!("records.csv")), "{found}");
    assert_eq!(found["models"][0][0], "current");
    assert_eq!(found["models"][0][2], "MIT");
    assert_eq!(found["note"], "seen");
    assert_eq!(found["refused"], 401);
}

#[test]
fn a_generated_typescript_client_captures_classifies_exports_and_lists_models() {
    let Some(node) = venv("node") else {
        return;
    };
    let clients = root().join("tests/clients");
    let tools = clients.join("node_modules");
    if !tools.exists() {
        skip(format_args!(
            "{} is missing; run scripts/setup --python",
            tools.display()
        ));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (served, token) = described(folder.path());
    std::os::unix::fs::symlink(&tools, folder.path().join("node_modules")).unwrap();
    for name in ["client.ts", "package.json"] {
        std::fs::copy(clients.join(name), folder.path().join(name)).unwrap();
    }
    let tool = |arguments: &[&str]| printed(&node, folder.path(), arguments);
    tool(&[
        "node_modules/openapi-typescript/bin/cli.js",
        "openapi.json",
        "--output=api.d.ts",
    ]);
    tool(&[
        "node_modules/typescript/bin/tsc",
        "--strict",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--lib",
        "es2022,dom",
        "client.ts",
    ]);
    let found = tool(&["client.js", &served.url, &token]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let verdict = &found["verdicts"][0];
    assert_eq!(found["verdicts"], json!([verdict, verdict]));
    assert_eq!(found["start"], "PK");
    assert_eq!(found["models"][0][0], "current");
    assert_eq!(found["models"][0][2], "MIT");
    assert_eq!(found["note"], "seen");
    assert_eq!(found["refused"], 401);
}
