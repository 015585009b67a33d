//! `smearscope-train` from synthetic fields to a model that the appliance runs.

use crate::support::*;

#[test]
fn drawn_fields_train_a_model_that_the_appliance_loads() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let model = folder.path().join("model");
    smearscope_train([
        "synth", "--count", "40", "--seed", "7", "--width", "320", "--height", "240", "--out",
    ])
    .arg(&data)
    .assert()
    .success();
    smearscope_train([
        "fit",
        "--epochs",
        "1",
        "--batch-size",
        "8",
        "--seed",
        "7",
        "--data",
    ])
    .arg(&data)
    .arg("--out")
    .arg(&model)
    .assert()
    .success();
    for engine in ["openvino", "embedded"] {
        let output = smearscope(["classify", "--json", "--engine", engine, "--model"])
            .arg(&model)
            .arg(&demo_fields()[0])
            .assert()
            .success();
        assert_eq!(json_lines(&output.get_output().stdout)[0]["demo"], true);
    }
}

#[test]
fn one_class_only_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let class = folder.path().join("data/positive");
    std::fs::create_dir_all(&class).unwrap();
    std::fs::copy(&demo_fields()[0], class.join("one_1.jpg")).unwrap();
    let output = smearscope_train(["fit", "--data"])
        .arg(folder.path().join("data"))
        .arg("--out")
        .arg(folder.path().join("model"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("class") && stderr.contains("data"),
        "{stderr}"
    );
    assert!(!folder.path().join("model").exists());
}
