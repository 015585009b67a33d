//! `smearscope classify` for scripts (JSON) and for people.

use std::collections::HashMap;

use predicates::prelude::*;
use smearscope_artifacts::testing::micrographs;

use crate::support::*;

fn probabilities(engine: &str, paths: &[std::path::PathBuf]) -> HashMap<String, (String, f64)> {
    let output = smearscope(["classify", "--json", "--engine", engine])
        .args(paths)
        .assert()
        .success();
    json_lines(&output.get_output().stdout)
        .into_iter()
        .filter(|line| line.get("path").is_some())
        .map(|line| {
            assert_eq!(line["engine"], engine);
            (
                line["path"].as_str().unwrap().to_owned(),
                (
                    line["verdict"].as_str().unwrap().to_owned(),
                    line["probability"].as_f64().unwrap(),
                ),
            )
        })
        .collect()
}

#[test]
fn both_engines_agree_on_real_micrographs() {
    let paths = micrographs();
    if paths.is_empty() {
        return;
    }
    let openvino = probabilities("openvino", &paths);
    let embedded = probabilities("embedded", &paths);
    assert_eq!(openvino.len(), paths.len());
    for (path, (verdict, probability)) in &openvino {
        let (other_verdict, other) = &embedded[path];
        assert_eq!(verdict, other_verdict, "{path}");
        assert!(
            (probability - other).abs() <= 1e-4,
            "{path}: {probability} and {other}"
        );
    }
}

#[test]
fn the_shipped_fields_get_the_verdicts_their_names_tell() {
    let paths = demo_fields();
    let verdicts = probabilities("embedded", &paths);
    for path in &paths {
        let expected = if path.to_str().unwrap().ends_with("_1.jpg") {
            "Positive"
        } else {
            "Negative"
        };
        assert_eq!(
            verdicts[path.to_str().unwrap()].0,
            expected,
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_person_reads_a_line_for_every_file_and_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let fields = labelled_fields(folder.path());
    let (positive, negative): (Vec<_>, Vec<_>) = fields
        .iter()
        .partition(|path| path.to_str().unwrap().ends_with("_1.jpg"));
    // Numbers of captures are no labels.
    for number in 0..2 {
        let capture = folder.path().join(format!("capture_{number}.jfif"));
        std::fs::copy(&fields[0], capture).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    smearscope(["classify", "--engine", "embedded"])
        .arg(folder.path())
        .arg(&fields[0])
        .assert()
        .success()
        .stdout(predicate::str::contains("Im000_1.jpg"))
        .stdout(predicate::str::contains("capture_1.jfif"))
        .stdout(predicate::str::contains("not for diagnosis"))
        .stdout(predicate::str::contains(
            "notes.txt: its name is not that of an image",
        ))
        .stdout(predicate::str::contains("Im000_1.jpg: it was named before"))
        .stdout(predicate::str::contains(format!(
            "{} positive",
            positive.len() + 2
        )))
        .stdout(predicate::str::contains("0 errors, 2 passed over;"))
        .stdout(predicate::str::contains(format!("TP {}", positive.len())))
        .stdout(predicate::str::contains(format!("TN {}", negative.len())))
        .stdout(predicate::str::contains("FP 0"));
}

#[test]
fn a_script_finds_every_file_and_the_count_of_those_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&demo_fields()[0], folder.path().join("field.jpe")).unwrap();
    std::os::unix::fs::symlink("field.jpe", folder.path().join("link.jpg")).unwrap();
    std::os::unix::fs::symlink("/nowhere/gone.jpg", folder.path().join("broken.jpg")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    let output = smearscope(["classify", "--json", "--engine", "embedded"])
        .arg(folder.path())
        .output()
        .unwrap();
    let lines = json_lines(&output.stdout);
    let named = |key: &str| -> Vec<&str> {
        let with_key = lines.iter().filter(|line| line[key].is_string());
        with_key
            .map(|line| line["path"].as_str().unwrap().rsplit_once('/').unwrap().1)
            .collect()
    };
    assert_eq!(named("verdict"), ["field.jpe", "link.jpg"]);
    assert_eq!(named("error"), ["broken.jpg"]);
    assert_eq!(named("passed_over"), ["notes.txt"]);
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(
        (&summary["errors"], &summary["passed_over"]),
        (&1.into(), &1.into())
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_script_reads_every_promised_key() {
    let output = smearscope(["classify", "--json", "hardware/fields/field01_1.jpg"])
        .output()
        .unwrap();
    let lines = json_lines(&output.stdout);
    for key in [
        "path",
        "verdict",
        "probability",
        "threshold",
        "inconclusive_band",
        "calibrated",
        "quality",
        "engine",
        "device",
        "model",
        "elapsed_ms",
        "stages_ms",
    ] {
        assert!(!lines[0][key].is_null(), "{key} is missing: {}", lines[0]);
    }
    assert_eq!(lines[0]["demo"], true);
    let focus = &lines[0]["quality"]["focus"];
    assert!(focus["value"].as_f64() >= focus["min"].as_f64());
    assert_eq!(focus["passed"], true);
}

#[test]
fn what_the_model_sees_is_painted_with_a_ring_around_the_strongest_cell() {
    let folder = tempfile::tempdir().unwrap();
    let output = smearscope([
        "classify",
        "--json",
        "hardware/fields/field01_1.jpg",
        "--overlays",
    ])
    .arg(folder.path().join("new"))
    .output()
    .unwrap();
    let line = &json_lines(&output.stdout)[0];
    let overlay = image::open(folder.path().join("new/field01_1-evidence.png"))
        .unwrap()
        .to_rgb8();
    let (width, height) = (overlay.width() as f32, overlay.height() as f32);
    let original = image::image_dimensions(root().join("hardware/fields/field01_1.jpg")).unwrap();
    assert_eq!(
        overlay.dimensions(),
        original,
        "it is no larger than it needs to be"
    );
    let at = |axis: &str| line["strongest"][axis].as_f64().unwrap() as f32;
    let (x, y) = (at("x") * width, at("y") * height);
    // The white pixels of the ring around the strongest cell.
    let radius = 0.084 * width.min(height);
    let white = (0..360).filter(|degree| {
        let (sin, cos) = (*degree as f32).to_radians().sin_cos();
        let (x, y) = (x + radius * cos, y + radius * sin);
        (0.0..width).contains(&x)
            && (0.0..height).contains(&y)
            && overlay.get_pixel(x as u32, y as u32).0 == [255; 3]
    });
    assert!(white.count() >= 90, "a quarter of the ring, in a corner");
}

#[test]
fn the_log_level_of_the_configuration_applies() {
    let logged = |level: &str| {
        let output = smearscope(["classify", "hardware/fields/field01_1.jpg"])
            .env("SMEARSCOPE__LOG__LEVEL", level)
            // An engine that is named and not there is warned about.
            .env("SMEARSCOPE__MODEL__LIBRARY", "/no/libopenvino_c.so")
            .env_remove("RUST_LOG")
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let warned = logged("info");
    assert!(warned.contains("/no/libopenvino_c.so"), "{warned}");
    assert_eq!(logged("error"), "");
}
