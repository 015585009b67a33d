//! `smearscope model`: the appliance always has a working model or reports why not.

use std::collections::HashSet;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assert_cmd::assert::Assert;
use minisign::{KeyPair, SecretKey};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::*;

/// An appliance's configuration and state folder.
struct Appliance {
    folder: TempDir,
}

impl Appliance {
    fn new() -> Self {
        Self::with("")
    }

    /// Adds settings to the section `[model]`.
    fn with(model: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "board = \"sim\"\n[model]\nengine = \"embedded\"\n{model}\n[storage]\nstate = {:?}\n\
             [sim]\nfields = {:?}\n",
            folder.path().join("state"),
            root().join("hardware/fields"),
        );
        fs::write(folder.path().join("config.toml"), text).unwrap();
        Self { folder }
    }

    fn run(&self, args: &[&str]) -> Assert {
        smearscope(args)
            .arg("--config")
            .arg(self.folder.path().join("config.toml"))
            .write_stdin("press\n")
            .assert()
    }

    fn install(&self, model: &Path) -> Assert {
        self.run(&["model", "install", model.to_str().unwrap()])
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("state/models")
    }

    /// The model folders in the store.
    fn folders(&self) -> HashSet<String> {
        let entries = self.store().read_dir().into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "models.toml")
            .collect()
    }

    fn list(&self) -> Vec<Value> {
        let assert = self.run(&["model", "list", "--json"]).success();
        json_lines(&assert.get_output().stdout)
    }

    /// Role and version of each model.
    fn versions(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or("unusable").to_owned();
        let models = self.list();
        assert_eq!(models.iter().filter(|m| m["in_use"] == true).count(), 1);
        models
            .iter()
            .map(|model| (text(&model["role"]), text(&model["version"])))
            .filter(|(role, _)| role != "shipped")
            .collect()
    }

    /// The folder of the model with a role.
    fn folder_of(&self, role: &str) -> PathBuf {
        let models = self.list();
        let model = models.iter().find(|model| model["role"] == role).unwrap();
        model["folder"].as_str().unwrap().into()
    }
}

/// A copy of the demo model with another version.
fn model(version: &str) -> TempDir {
    let copy = copy_of_demo_model();
    let shipped = shipped_version();
    edit(
        copy.path(),
        &format!("version = \"{shipped}\""),
        &format!("version = \"{version}\""),
    );
    copy
}

fn shipped_version() -> String {
    let models = Appliance::new().list();
    models[0]["version"].as_str().unwrap().into()
}

fn edit(model: &Path, from: &str, to: &str) {
    let path = model.join("manifest.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in the manifest");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn damage(model: &Path) {
    fs::write(model.join("model.onnx"), "no network").unwrap();
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

fn pairs<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected
        .map(|(role, version)| (role.into(), version.into()))
        .into()
}

#[test]
fn models_are_installed_kept_and_taken_back() {
    let appliance = Appliance::new();
    let shipped = shipped_version();
    assert_eq!(appliance.versions(), pairs([("current", &shipped)]));
    let installed = appliance.install(model("1.0.0").path()).success();
    assert!(stdout(&installed).contains("smear-demo 1.0.0: files verified"));
    assert_eq!(
        appliance.versions(),
        pairs([("current", "1.0.0"), ("previous", &shipped)])
    );
    appliance.install(model("2.0.0").path()).success();
    appliance.install(model("3.0.0").path()).success();
    let after = pairs([("current", "3.0.0"), ("previous", "2.0.0")]);
    assert_eq!(appliance.versions(), after);
    assert_eq!(appliance.folders().len(), 2, "the rest is removed");

    // Installing the current version again does not make it the previous one.
    damage(&appliance.folder_of("current"));
    appliance.install(model("3.0.0").path()).success();
    assert_eq!(appliance.versions(), after);

    let shown = appliance.run(&["model", "show", "--json"]).success();
    let shown = &json_lines(&shown.get_output().stdout)[0];
    assert_eq!(shown["version"], "3.0.0");
    assert_eq!(shown["manifest_sha256"].as_str().unwrap().len(), 64);
    assert!(stdout(&appliance.run(&["model", "show"]).success()).contains("trained on"));

    appliance.run(&["model", "rollback"]).success();
    assert_eq!(
        appliance.versions(),
        pairs([("current", "2.0.0"), ("previous", "3.0.0")])
    );
    let verified = appliance.run(&["model", "verify"]).success();
    assert!(stdout(&verified).contains("smear-demo 2.0.0: files verified"));
    let run = appliance.run(&["run"]).success();
    assert!(stdout(&run).contains("smear-demo 2.0.0 on embedded"));
}

#[test]
fn what_may_not_be_used_is_refused_and_changes_nothing() {
    let appliance = Appliance::new();
    let refused = appliance.run(&["model", "rollback"]).code(4);
    assert!(stderr(&refused).contains("there is no previous model"));
    appliance.install(model("1.0.0").path()).success();
    let before = (appliance.versions(), appliance.folders());

    let damaged = model("2.0.0");
    damage(damaged.path());
    let wrong = model("2.0.0");
    edit(wrong.path(), "probability = 0.", "probability = 0.5 # ");
    let incomplete = model("2.0.0");
    fs::remove_dir_all(incomplete.path().join("golden")).unwrap();
    let empty = tempfile::tempdir().unwrap();
    for (model, reason) in [
        (&damaged, "is damaged"),
        (&wrong, "golden sample"),
        (&incomplete, "cannot be read; install the model again"),
        (&empty, "give the folder of a model"),
    ] {
        let refused = appliance.install(model.path()).code(4);
        assert!(stderr(&refused).contains(reason), "{}", stderr(&refused));
        assert_eq!((appliance.versions(), appliance.folders()), before);
    }

    let stateless = smearscope(["model", "install"])
        .arg(damaged.path())
        .assert()
        .code(3);
    assert!(stderr(&stateless).contains("storage.state is empty"));
    // A rollback verifies its model, too.
    appliance.install(model("2.0.0").path()).success();
    damage(&appliance.folder_of("previous"));
    let refused = appliance.run(&["model", "rollback"]).code(4);
    assert!(stderr(&refused).contains("is damaged"));
    assert_eq!(
        appliance.versions(),
        pairs([("current", "2.0.0"), ("previous", "unusable")])
    );
}

#[test]
fn an_installation_that_is_killed_leaves_the_models_as_they_were() {
    let appliance = Appliance::new();
    appliance.install(model("1.0.0").path()).success();
    let before = appliance.versions();
    let installed = appliance.folders();
    let next = model("2.0.0");
    // The kill comes once this file of the copy appears.
    for seen in ["", "model.xml", "golden", "manifest.toml"] {
        let mut child = Command::new(built("smearscope"))
            .args(["model", "install"])
            .arg(next.path())
            .arg("--config")
            .arg(appliance.folder.path().join("config.toml"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Polls the names in the folder during the installation.
        let is_seen = || {
            let names = appliance.store().read_dir().unwrap().flatten();
            let mut staged =
                names.filter(|name| name.file_name().to_string_lossy().contains("2.0.0"));
            staged.any(|name| name.path().join(seen).exists())
        };
        while !is_seen() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was killed in time");
        assert_eq!(appliance.versions(), before);
        let verdict = appliance.run(&["run"]).success();
        assert!(stdout(&verdict).contains("smear-demo 1.0.0 on embedded"));
    }
    assert!(appliance.folders().len() > 1, "something was begun");
    appliance.install(next.path()).success();
    assert_eq!(appliance.folders().len(), 2);
    assert!(appliance.folders().is_superset(&installed));
}

#[test]
fn a_model_that_fails_at_the_start_gives_way_to_the_one_before_it() {
    let appliance = Appliance::new();
    appliance.install(model("1.0.0").path()).success();
    appliance.install(model("2.0.0").path()).success();
    damage(&appliance.folder_of("current"));
    // The self-test reports the problem and changes nothing.
    let told = appliance.run(&["selftest"]).code(1);
    assert!(stdout(&told).contains("is damaged"));
    assert_eq!(appliance.versions()[0].1, "unusable");

    let run = appliance.run(&["run"]).success();
    assert!(
        stderr(&run).contains("model smear-demo-2.0.0 failed, back to smear-demo 1.0.0"),
        "{}",
        stderr(&run)
    );
    assert!(stdout(&run).contains("smear-demo 1.0.0 on embedded"));
    assert_eq!(
        appliance.versions(),
        pairs([("current", "1.0.0"), ("previous", "unusable")])
    );

    // One whose files are intact can fail, too: nothing is left to roll back to, and the list says what a start uses.
    edit(
        &appliance.folder_of("current"),
        "probability = 0.",
        "probability = 0.5 # ",
    );
    let [current, previous, shipped] = &appliance.list()[..] else {
        panic!("three models are listed");
    };
    let problem = current["problem"].as_str().unwrap();
    assert!(problem.contains("golden sample"), "{problem}");
    assert_eq!(
        [current, previous, shipped].map(|model| model["in_use"] == true),
        [false, false, true]
    );

    // If both fail, the shipped model is used, and looked for again at each start.
    damage(&appliance.folder_of("current"));
    for _ in 0..2 {
        let run = appliance.run(&["run"]).success();
        let shipped = shipped_version();
        assert!(stdout(&run).contains(&format!("smear-demo {shipped} on embedded")));
        for part in [
            "smear-demo-1.0.0 failed",
            "smear-demo-2.0.0 failed too",
            &format!("using the shipped model smear-demo {shipped}"),
        ] {
            assert!(stderr(&run).contains(part), "{}", stderr(&run));
        }
    }
    let in_use = appliance
        .list()
        .into_iter()
        .find(|model| model["in_use"] == true);
    assert_eq!(in_use.unwrap()["role"], "shipped");
}

#[test]
fn without_a_readable_list_of_models_the_shipped_one_is_used() {
    let appliance = Appliance::new();
    appliance.install(model("1.0.0").path()).success();
    let list = appliance.store().join("models.toml");
    let shipped = shipped_version();
    let using = format!("using the shipped model smear-demo {shipped}");
    let check = |problem: &str| {
        let run = appliance.run(&["run"]).success();
        for part in [problem, &using] {
            assert!(stderr(&run).contains(part), "{}", stderr(&run));
        }
        assert!(stdout(&run).contains(&format!("smear-demo {shipped} on embedded")));
        let listed = appliance.list();
        assert!(listed[0]["problem"].as_str().unwrap().contains(problem));
        assert_eq!(
            (&listed[1]["role"], &listed[1]["in_use"]),
            (&"shipped".into(), &true.into())
        );
    };
    for text in ["", "current = \"../elsewhere\"", "current = 7", "\0"] {
        fs::write(&list, text).unwrap();
        check("models.toml is damaged");
    }
    let told = appliance.run(&["selftest"]).code(1);
    assert!(stdout(&told).contains("models.toml is damaged"));
    appliance.install(model("1.0.0").path()).success();
    assert_eq!(appliance.versions()[0].1, "1.0.0");

    // As for a user who may not read the appliance's state folder.
    fs::remove_file(&list).unwrap();
    fs::create_dir(&list).unwrap();
    check("models.toml: reading failed");
    let classified = appliance
        .run(&["classify", "hardware/fields/field01_1.jpg"])
        .success();
    assert!(stderr(&classified).contains("reading failed"));
    assert!(stdout(&classified).contains(&format!("smear-demo {shipped}")));
}

#[test]
fn an_older_version_is_installed_only_on_request() {
    let appliance = Appliance::new();
    appliance.install(model("2.0.0").path()).success();
    let older = model("2.0.0-rc.1");
    let refused = appliance.install(older.path()).code(4);
    assert!(
        stderr(&refused).contains(
            "smear-demo 2.0.0-rc.1 is older than smear-demo 2.0.0, which is in use; add --downgrade"
        ),
        "{}",
        stderr(&refused)
    );
    assert_eq!(appliance.versions()[0].1, "2.0.0");
    let folder = older.path().to_str().unwrap();
    appliance
        .run(&["model", "install", "--downgrade", folder])
        .success();
    assert_eq!(
        appliance.versions(),
        pairs([("current", "2.0.0-rc.1"), ("previous", "2.0.0")])
    );
    // A model of another name has no order with it.
    let other = model("0.0.1");
    edit(other.path(), "name = \"smear-demo\"", "name = \"another\"");
    appliance.install(other.path()).success();
}

fn sign(model: &Path, key: &SecretKey) {
    let manifest = fs::read(model.join("manifest.toml")).unwrap();
    let signature = minisign::sign(None, key, Cursor::new(manifest), None, None).unwrap();
    fs::write(model.join("manifest.toml.minisig"), signature.into_string()).unwrap();
}

#[test]
fn with_a_key_only_signed_models_are_installed_and_used() {
    let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().unwrap();
    let appliance = Appliance::with(&format!("public_key = {:?}", pk.to_base64()));
    let unsigned = model("1.0.0");
    for args in [
        &["run"][..],
        &["classify", "hardware/fields"],
        &["model", "verify"],
        &["model", "install", unsigned.path().to_str().unwrap()],
    ] {
        let refused = appliance.run(args).code(4);
        assert!(
            stderr(&refused).contains("the model is not signed"),
            "{args:?}: {}",
            stderr(&refused)
        );
        assert!(!stdout(&refused).contains("verdict:"));
    }
    let forged = model("1.0.0");
    let other = KeyPair::generate_unencrypted_keypair().unwrap();
    sign(forged.path(), &other.sk);
    let refused = appliance.install(forged.path()).code(4);
    assert!(stderr(&refused).contains("made with another key"));

    let signed = model("1.0.0");
    sign(signed.path(), &sk);
    appliance.install(signed.path()).success();
    assert_eq!(appliance.list()[0]["signed"], true);
    let run = appliance.run(&["run"]).success();
    assert!(stdout(&run).contains("smear-demo 1.0.0 on embedded"));

    // A change to an installed model needs a signature, too.
    edit(
        &appliance.folder_of("current"),
        "demo = true",
        "demo = false",
    );
    let run = appliance.run(&["run"]).code(4);
    assert!(stderr(&run).contains("changed after it was signed"));
}

#[test]
fn an_invalid_public_key_is_a_configuration_error() {
    let refused = Appliance::with("public_key = \"secret\"")
        .run(&["run"])
        .code(3);
    assert!(stderr(&refused).contains("model.public_key"));
}
