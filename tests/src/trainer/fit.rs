//! `smearscope-train fit` and `evaluate` on the data sets of laboratories.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::assert::Assert;
use predicates::prelude::*;
use serde_json::Value;
use smearscope_artifacts::testing::micrographs;

use crate::support::datasets;
use crate::support::*;

fn fit(layout: &str, data: &Path, model: &Path, options: &[&str]) -> assert_cmd::Command {
    let mut command = smearscope_train(["fit", "--dataset", layout]);
    command.args(options).arg("--data").arg(data);
    command.arg("--out").arg(model);
    command
}

fn evaluate(model: &Path, layout: &str, data: &Path, options: &[&str]) -> Assert {
    smearscope_train(["evaluate", "--json", "--dataset", layout, "--model"])
        .arg(model)
        .arg("--data")
        .arg(data)
        .args(options)
        .assert()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_layout_is_fitted_and_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    datasets::all_idb1(&place("all-idb1"));
    datasets::all_idb2(&place("all-idb2"));
    datasets::c_nmc(&place("c-nmc"), 4);
    let layouts = ["all-idb1", "all-idb2", "c-nmc"];
    let some = ["--limit", "36"];
    for layout in layouts {
        let model = place(&format!("{layout}-model"));
        let options = [&some[..], &["--folds", "2", "--epochs", "1"]].concat();
        fit(layout, &place(layout), &model, &options)
            .assert()
            .success();
        let report = json(&model.join("report.json"));
        assert_eq!(report["images"].as_array().unwrap().len(), 36);
        let card = fs::read_to_string(model.join("MODEL_CARD.md")).unwrap();
        let source = format!(" --dataset {layout} --data FIELDS --limit 36 ");
        assert!(card.contains(&source), "{card}");
    }
    // The patches do not depend on the class, but the camera does.
    let warnings =
        &json(&place("all-idb1-model/report.json"))["manifest"]["evaluation"]["warnings"];
    assert!(
        warnings.to_string().contains("from camera alone"),
        "{warnings}"
    );

    for (index, layout) in layouts.iter().enumerate() {
        let model = place(&format!("{layout}-model"));
        evaluate(&model, layout, &place(layout), &some)
            .code(3)
            .stderr(predicate::str::contains("trained this model"));
        let next = layouts[(index + 1) % 3];
        let output = evaluate(&model, next, &place(next), &some).success();
        let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        let evaluation = &report["manifest"]["evaluation"];
        let judged =
            evaluation["positives"].as_u64().unwrap() + evaluation["negatives"].as_u64().unwrap();
        assert_eq!(judged, 36);
        assert!(evaluation["figures"]["auroc"].is_f64());
        assert_eq!(report.get("trained_on"), None);
    }
}

#[test]
fn real_micrographs_train_and_are_evaluated() {
    let micrographs = micrographs();
    if micrographs.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (number, path) in micrographs.iter().enumerate() {
        // The classes do not differ; the test covers the pipeline only.
        let class = data.join(["even", "odd"][number % 2]);
        fs::create_dir_all(&class).unwrap();
        fs::copy(path, class.join(path.file_name().unwrap())).unwrap();
    }
    let model = folder.path().join("model");
    let options = ["--positive", "odd", "--folds", "3", "--epochs", "1"];
    fit("folder", &data, &model, &options).assert().success();
    let report = json(&model.join("report.json"));
    assert_eq!(
        report["images"].as_array().unwrap().len(),
        micrographs.len()
    );

    let out = folder.path().join("evaluation");
    smearscope_train(["evaluate", "--positive", "odd", "--model"])
        .arg(demo_model())
        .arg("--data")
        .arg(&data)
        .arg("--out")
        .arg(&out)
        .assert()
        .success()
        .stdout(predicate::str::contains("sensitivity"));
    let rows = json(&out.join("report.json"));
    let rows = rows["images"].as_array().unwrap();
    // The appliance's command gives the same probabilities for the same files.
    let output = smearscope(["classify", "--json", "--model"])
        .arg(demo_model())
        .args(&micrographs)
        .output()
        .unwrap();
    let told = json_lines(&output.stdout);
    for line in told.iter().filter(|line| line["probability"].is_f64()) {
        let name = Path::new(line["path"].as_str().unwrap())
            .file_name()
            .unwrap();
        let row = rows
            .iter()
            .find(|row| Path::new(row["image"].as_str().unwrap()).ends_with(name))
            .unwrap();
        let difference =
            row["probability"].as_f64().unwrap() - line["probability"].as_f64().unwrap();
        // The same engine on the same tensor.
        assert!(difference.abs() < 1e-6, "{line} {row}");
    }
}

/// Finds measured numbers of a report whose path does not call them leaky.
fn find_unnamed_figures(value: &Value, place: &str, unnamed: &mut Vec<String>) {
    // Facts about the model, not measurements.
    const DESCRIPTION: [&str; 9] = [
        "/manifest/decision",
        "/manifest/domain",
        "/manifest/evaluation/negatives",
        "/manifest/evaluation/positives",
        "/manifest/format_version",
        "/manifest/golden",
        "/manifest/input",
        "/manifest/labels",
        "/manifest/slide",
    ];
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                find_unnamed_figures(value, &format!("{place}/{name}"), unnamed);
            }
        }
        Value::Array(values) => {
            for value in values {
                find_unnamed_figures(value, place, unnamed);
            }
        }
        Value::Number(_) => {
            let described = DESCRIPTION.iter().any(|start| place.starts_with(start));
            if !described && !place.contains("/leaky_") {
                unnamed.push(place.to_owned());
            }
        }
        _ => {}
    }
}

#[test]
fn the_published_procedure_is_called_leaky_wherever_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    datasets::c_nmc(&data, 1);
    let model = folder.path().join("model");
    let options = ["--protocol", "reference", "--epochs", "1"];
    let output = fit("c-nmc", &data, &model, &options).assert().success();
    let stdout = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    let figures: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with("  "))
        .collect();
    assert!(figures.len() >= 8, "{stdout}");
    assert!(
        figures.iter().all(|line| line.starts_with("  leaky ")),
        "{stdout}"
    );

    let report = json(&model.join("report.json"));
    let mut unnamed = Vec::new();
    find_unnamed_figures(&report, "", &mut unnamed);
    assert_eq!(unnamed, Vec::<String>::new());
    let evaluation = &report["manifest"]["evaluation"];
    assert!(evaluation["figures"]["leaky_auroc"].is_f64());
    assert!(report["leaky_shortcuts"]["network"].is_f64());
    assert!(evaluation["protocol"].as_str().unwrap().contains("LEAKY"));
    assert!(evaluation["warnings"].to_string().contains("leaky"));
    // Twelve images with 17 copies each; a fifth of them is judged.
    assert_eq!(report["leaky_images"].as_array().unwrap().len(), 43);

    let card = fs::read_to_string(model.join("MODEL_CARD.md")).unwrap();
    let (figures, _) = card
        .split_once("\n## Figures\n")
        .and_then(|(_, rest)| rest.split_once("\n## Export\n"))
        .unwrap();
    let warnings = card.lines().filter(|line| line.contains("**Warning:**"));
    let told = figures.lines().chain(warnings);
    let told: Vec<&str> = told
        .filter(|line| line.contains(|c: char| c.is_ascii_digit()))
        .collect();
    // They include ten figures, the confusion matrix, seven guesses and a dozen groups.
    assert!(told.len() > 30, "{told:?}");
    let unnamed: Vec<&&str> = told
        .iter()
        .filter(|line| !line.to_lowercase().contains("leaky"))
        .collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");

    let mut plots = 0;
    for entry in fs::read_dir(model.join("figures")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "svg") {
            let svg = fs::read_to_string(&path).unwrap();
            assert!(svg.contains("LEAKY "), "{}", path.display());
            plots += 1;
        }
    }
    assert_eq!(plots, 5);

    let options = ["--protocol", "reference", "--folds", "3"];
    fit("c-nmc", &data, &model, &options)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--folds"));
}

#[test]
fn a_training_resumes_to_the_same_model_after_kills_and_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    datasets::c_nmc(&data, 2);
    // The network's files name the model.
    let name = ["--name", "resumed"];
    let options = [&name[..], &["--folds", "2", "--epochs", "2"]].concat();
    let whole = folder.path().join("whole");
    fit("c-nmc", &data, &whole, &options).assert().success();

    let model = folder.path().join("model");
    let resume = [&options[..], &["--resume"]].concat();
    // Kills one line later each time, at a random moment between two lines.
    for lines in 1..=4 {
        let mut child = Command::new(built("smearscope-train"))
            .args(["fit", "--dataset", "c-nmc"])
            .args(&resume)
            .arg("--data")
            .arg(&data)
            .arg("--out")
            .arg(&model)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let seen = log
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.contains("fold") || line.contains("model"))
            .take(lines)
            .count();
        assert_eq!(seen, lines);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!model.exists());
    }
    fit("c-nmc", &data, &model, &options)
        .assert()
        .code(4)
        .stderr(predicate::str::contains("--resume"));

    // Limits files to 100 kB, more than the network, but less than the optimiser's state: it cannot be written, as on a
    // full disk.
    let checkpoints = folder.path().join("model.checkpoints");
    let is_saved = || {
        let mut states = fs::read_dir(checkpoints.join("fold-1-of-2")).unwrap();
        states.next().is_some()
    };
    assert!(is_saved());
    let output = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; exec prlimit --fsize=100000 \"$@\"")
        .arg("sh")
        .arg(built("smearscope-train"))
        .args(["fit", "--dataset", "c-nmc"])
        .args(&resume)
        .arg("--data")
        .arg(&data)
        .arg("--out")
        .arg(&model)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("ulimit -f"), "{stderr}");
    assert!(is_saved() && !model.exists());

    let other = [&name[..], &["--folds", "2", "--epochs", "3", "--resume"]].concat();
    fit("c-nmc", &data, &model, &other)
        .assert()
        .code(5)
        .stderr(predicate::str::contains("its --epochs was 2 and is 3 now"));
    fit("c-nmc", &data, &model, &resume)
        .assert()
        .success()
        .stderr(predicate::str::contains("resumed after epoch"));
    for file in ["model.bin", "model.onnx", "report.json"] {
        let same = fs::read(model.join(file)).unwrap() == fs::read(whole.join(file)).unwrap();
        assert!(same, "{file} differs");
    }
    assert!(!checkpoints.exists());
}

#[test]
fn another_precision_keeps_the_verdicts() {
    let folder = tempfile::tempdir().unwrap();
    let half = folder.path().join("half");
    smearscope_train(["export", "--precision", "fp16", "--model"])
        .arg(demo_model())
        .arg("--out")
        .arg(&half)
        .assert()
        .success()
        .stdout(predicate::str::contains(
            "no golden sample changes between positive and negative",
        ));
    let size = |model: &Path| fs::metadata(model.join("model.bin")).unwrap().len();
    assert!(size(&half) * 100 < size(&demo_model()) * 51);
    let judged = |model: &Path| -> Vec<Value> {
        let output = smearscope(["classify", "--json", "--engine", "openvino", "--model"])
            .arg(model)
            .args(demo_fields())
            .output()
            .unwrap();
        json_lines(&output.stdout)
    };
    let probability = |line: &Value| line["probability"].as_f64();
    let (whole, halved) = (judged(&demo_model()), judged(&half));
    assert!(whole.iter().any(|line| probability(line).is_some()));
    for (before, after) in whole.iter().zip(&halved) {
        assert_eq!(before["verdict"], after["verdict"]);
        if let (Some(before), Some(after)) = (probability(before), probability(after)) {
            // FP16 weights have eleven significant bits.
            assert!((before - after).abs() < 2e-3, "{before} {after}");
        }
    }

    smearscope_train(["export", "--precision", "int8", "--model"])
        .arg(demo_model())
        .arg("--out")
        .arg(folder.path().join("bytes"))
        .assert()
        .code(5)
        .stderr(predicate::str::contains("--data"));
}

/// Two classes that differ in colour, which a network separates after a few steps.
fn colourful(data: &Path) {
    for (class, faint) in [("negative", 0), ("positive", 2)] {
        fs::create_dir_all(data.join(class)).unwrap();
        for number in 0..10_u64 {
            let mut image = datasets::picture(100 * faint as u64 + number, 192, 144);
            for pixel in image.pixels_mut() {
                pixel.0[1] /= 4;
                pixel.0[faint] /= 4;
            }
            let name = format!("{class}/{class}{number}.png");
            image.save(data.join(name)).unwrap();
        }
    }
}

#[test]
fn an_export_of_an_export_is_like_one_of_the_trained_model() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let (data, model) = (place("data"), place("model"));
    colourful(&data);
    fs::write(
        place("held.txt"),
        "negative0\nnegative1\npositive0\npositive1\n",
    )
    .unwrap();
    let options = ["--network", "compact", "--epochs", "5", "--batch-size", "4"];
    fit("folder", &data, &model, &options)
        .arg("--holdout")
        .arg(place("held.txt"))
        .assert()
        .success();
    let card = fs::read_to_string(model.join("MODEL_CARD.md")).unwrap();
    assert!(
        card.contains(" --holdout held.txt ") && card.contains(" --device cpu "),
        "{card}"
    );
    assert!(card.contains("Largest absolute difference"), "{card}");
    let (made, _) = card.split_once("\n## Export\n").unwrap();

    let mut newest = model.clone();
    for (number, precision) in ["fp16", "int8", "fp16"].into_iter().enumerate() {
        let next = place(&number.to_string());
        smearscope_train(["export", "--precision", precision, "--model"])
            .arg(&newest)
            .arg("--out")
            .arg(&next)
            .arg("--data")
            .arg(&data)
            .assert()
            .success();
        let manifest = fs::read_to_string(next.join("manifest.toml")).unwrap();
        let (architecture, tolerance) = match precision {
            "int8" => ("compact-cnn (INT8 convolutions)", "tolerance = 0.05"),
            _ => ("compact-cnn (FP16 weights)", "tolerance = 0.01"),
        };
        let architecture = format!("architecture = \"{architecture}\"");
        assert!(manifest.contains(&architecture), "{manifest}");
        let mut tolerances = manifest
            .lines()
            .filter(|line| line.starts_with("tolerance"));
        assert!(tolerances.all(|line| line == tolerance), "{manifest}");

        let card = fs::read_to_string(next.join("MODEL_CARD.md")).unwrap();
        let (kept, export) = card.split_once("\n## Export\n").unwrap();
        assert_eq!(kept, made);
        let command = format!("smearscope-train export --model MODEL --precision {precision} ");
        assert!(
            export.contains(&command)
                && export.contains(" --dataset folder --data FIELDS --positive positive\n")
                && export.contains("\n## Made with\n"),
            "{export}"
        );
        assert_eq!(
            export.matches("smearscope-train export").count(),
            1,
            "{export}"
        );
        assert!(!export.contains("Largest absolute difference"), "{export}");
        let copied = |name: &str| fs::read(next.join(name)).unwrap();
        assert!(copied("report.json") == fs::read(model.join("report.json")).unwrap());
        for entry in fs::read_dir(model.join("figures")).unwrap() {
            let figure = Path::new("figures").join(entry.unwrap().file_name());
            let figure = figure.to_str().unwrap();
            assert!(copied(figure) == fs::read(model.join(figure)).unwrap());
        }
        newest = next;
    }
    let weights = |model: &str| fs::read(place(model).join("model.bin")).unwrap();
    assert!(weights("0") == weights("2"));
    assert!(weights("0") != weights("1"));
}
