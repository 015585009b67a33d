//! `smearscope-train evaluate` with a model that counts cells.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use serde_json::{Value, json};
use smearscope_artifacts::sha256;

use crate::support::*;

fn cells_model() -> PathBuf {
    root().join("model-artifacts/tests/fixtures/cells")
}

/// A file of data sets with two labelled fields and a single cell.
fn datasets(folder: &Path) -> PathBuf {
    for source in ["fields", "cells/lymphocyte"] {
        fs::create_dir_all(folder.join(source)).unwrap();
    }
    let file = folder.join("datasets.toml");
    let text = "[[source]]\npath = 'fields'\num_per_pixel = 0.25\ncomplete = ['leukocyte']\n\
                [[source]]\npath = 'cells'\num_per_pixel = 0.25\n";
    fs::write(&file, text).unwrap();
    let table = "image,class,x,y,width,height\nfield.png,lymphoblast,28,28,64,64\nfield.png,lymphocyte,150,22,60,60\n\
                 tile.png,monocyte,20,14,60,60\n";
    fs::write(folder.join("fields/boxes.csv"), table).unwrap();
    for (name, to) in [
        ("field.png", "fields/field.png"),
        ("tile.png", "fields/tile.png"),
        ("crop.png", "cells/lymphocyte/crop.png"),
    ] {
        fs::copy(cells_model().join(name), folder.join(to)).unwrap();
    }
    file
}

fn evaluate(model: &Path, option: &str, data: &Path) -> Command {
    let mut command = smearscope_train(["evaluate", "--model"]);
    command.arg(model).arg(option).arg(data);
    command
}

#[test]
fn a_model_that_counts_cells_is_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let datasets = datasets(folder.path());
    let out = folder.path().join("figures");
    let output = evaluate(&cells_model(), "--datasets", &datasets)
        .args(["--json", "--out"])
        .arg(&out)
        .assert()
        .success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let saved = fs::read(out.join("report.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&saved).unwrap(), report);
    assert_eq!(report["manifest"]["name"], "cells");
    let recall = &report["sources"][0]["found"]["recall"];
    assert_eq!(
        (&recall["count"], &recall["of"]),
        (&json!(3), &json!(3)),
        "{report:#}"
    );
    assert_eq!(report["sources"][1]["source"], "cells");
    let warnings = report["manifest"]["evaluation"]["warnings"].to_string();
    assert!(
        warnings.contains("not known what this model was trained on"),
        "{warnings}"
    );
    assert!(out.join("cells.png").is_file());

    evaluate(&cells_model(), "--datasets", &datasets)
        .assert()
        .success()
        .stdout(predicate::str::starts_with(
            "cells 1.0.0\nfields: 2 images\n",
        ));
}

#[test]
fn images_that_trained_a_model_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let datasets = datasets(folder.path());
    let model = folder.path().join("model");
    fs::create_dir(&model).unwrap();
    for entry in fs::read_dir(cells_model()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
    }
    let digest = |name: &str| sha256(&fs::read(cells_model().join(name)).unwrap());
    let trained_on = |names: &[&str]| {
        let images: Vec<String> = names.iter().map(|name| digest(name)).collect();
        let report = json!({"trained_on": {"subjects": [], "images": images}});
        fs::write(model.join("report.json"), report.to_string()).unwrap();
    };
    trained_on(&["field.png"]);
    evaluate(&model, "--datasets", &datasets)
        .assert()
        .success()
        .stdout(predicate::str::contains("1 of 3 images were left out"));
    trained_on(&["field.png", "tile.png", "crop.png"]);
    evaluate(&model, "--datasets", &datasets)
        .assert()
        .code(3)
        .stderr(predicate::str::contains("trained on all of the 3 images"));
}

#[test]
fn a_model_of_the_other_kind_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let datasets = datasets(folder.path());
    for (model, option, data, words) in [
        (
            demo_model(),
            "--datasets",
            &datasets,
            "judges whole fields (kind = \"field\"), and --datasets names labelled cells; name the fields by --data",
        ),
        (
            cells_model(),
            "--data",
            &datasets,
            "counts cells (kind = \"cells\"), and --data names whole fields; name labelled cells by --datasets",
        ),
    ] {
        evaluate(&model, option, data)
            .assert()
            .code(3)
            .stderr(predicate::str::contains(words));
    }
}
