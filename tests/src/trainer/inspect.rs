//! `smearscope-train inspect`, and splits that leak.

use std::fs;
use std::path::Path;

use predicates::prelude::*;
use serde_json::{Value, json};
use smearscope_artifacts::testing::micrographs;

use crate::support::datasets::{self, picture};
use crate::support::*;

fn inspect(layout: &str, data: &Path) -> Value {
    let output = smearscope_train(["inspect", "--json", "--dataset", layout, "--data"])
        .arg(data)
        .assert()
        .success();
    serde_json::from_slice(&output.get_output().stdout).expect("JSON")
}

/// Images in each group, sorted.
fn group_sizes(inventory: &Value) -> Vec<u64> {
    let mut sizes: Vec<u64> = inventory["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["positive"].as_u64().unwrap() + group["negative"].as_u64().unwrap())
        .collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn all_idb1_has_thirteen_sessions_and_a_telltale_camera() {
    let data = tempfile::tempdir().unwrap();
    datasets::all_idb1(data.path());
    let inventory = inspect("all-idb1", data.path());
    assert_eq!(inventory["count"], json!({"positive": 49, "negative": 59}));
    assert_eq!(inventory["grouped_by"], "capture-session");
    assert_eq!(
        group_sizes(&inventory),
        [1, 2, 2, 4, 5, 5, 5, 9, 14, 14, 14, 16, 17]
    );
    let whole = |group: &Value| group["positive"] == 0 || group["negative"] == 0;
    assert!(inventory["groups"].as_array().unwrap().iter().all(whole));
    assert_eq!(
        inventory["cameras"]["C2040UZ"],
        json!({"positive": 33, "negative": 0})
    );
    assert_eq!(
        inventory["sizes"]["648x486"],
        json!({"positive": 16, "negative": 59})
    );
    // 33 + 59 of 108.
    let told = inventory["tells"]["camera"].as_f64().unwrap();
    assert!((told - 92.0 / 108.0).abs() < 1e-12, "{told}");
    assert_eq!(inventory["centroids"], json!({"images": 49, "blasts": 98}));
    assert_eq!(inventory["near_duplicates"], json!([]));

    smearscope_train(["inspect", "--dataset", "all-idb1", "--data"])
        .arg(data.path())
        .assert()
        .success()
        .stdout(predicate::str::contains(
            "the camera of an image alone tells its class on 85 %",
        ));

    // The reference project tests on sessions that it also trains on.
    smearscope_train(["fit", "--dataset", "all-idb1", "--holdout", "reference"])
        .arg("--data")
        .arg(data.path())
        .arg("--out")
        .arg(data.path().join("model"))
        .assert()
        .code(3)
        .stderr(predicate::str::contains("is held out and"))
        .stderr(predicate::str::contains("session"));
}

#[test]
fn all_idb2_and_c_nmc_are_read() {
    let data = tempfile::tempdir().unwrap();
    datasets::all_idb2(data.path());
    let inventory = inspect("all-idb2", data.path());
    assert_eq!(
        inventory["count"],
        json!({"positive": 130, "negative": 130})
    );
    assert_eq!(inventory["grouped_by"], "near-duplicates");
    assert_eq!(inventory["groups"].as_array().unwrap().len(), 260);

    let data = tempfile::tempdir().unwrap();
    datasets::c_nmc(data.path(), 3);
    let inventory = inspect("c-nmc", data.path());
    assert_eq!(inventory["grouped_by"], "subject");
    assert_eq!(group_sizes(&inventory), [3; 12]);
    assert_eq!(
        inventory["sizes"],
        json!({"450x450": {"positive": 18, "negative": 18}})
    );
}

#[test]
fn real_micrographs_are_inspected_with_their_copies() {
    let micrographs = micrographs();
    if micrographs.is_empty() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let rows: Vec<String> = micrographs
        .iter()
        .zip(["normal", "positive"].iter().cycle())
        .map(|(path, label)| format!("{},{label}", path.canonicalize().unwrap().display()))
        .collect();
    let copy = data.path().join("copy.png");
    image::imageops::rotate270(&image::open(&micrographs[3]).unwrap().to_rgb8())
        .save(&copy)
        .unwrap();
    let list = data.path().join("list.csv");
    let table = format!("path,label\n{}\ncopy.png,positive\n", rows.join("\n"));
    fs::write(&list, table).unwrap();
    let inventory = inspect("csv", &list);
    let near = inventory["near_duplicates"].as_array().unwrap();
    assert_eq!(near.len(), 1, "{near:?}");
    assert!(near[0].to_string().contains("copy.png"));
    assert_eq!(
        inventory["groups"].as_array().unwrap().len(),
        micrographs.len()
    );
}

#[test]
fn a_contact_sheet_shows_every_image_in_the_colour_of_its_class() {
    let data = tempfile::tempdir().unwrap();
    datasets::c_nmc(data.path(), 1);
    let sheet = data.path().join("sheet.png");
    smearscope_train(["inspect", "--dataset", "c-nmc", "--data"])
        .arg(data.path().join("fold_0"))
        .arg("--sheet")
        .arg(&sheet)
        .assert()
        .success();
    let sheet = image::open(sheet).unwrap().to_rgb8();
    let count = |colour| sheet.pixels().filter(|pixel| pixel.0 == colour).count();
    let (red, green) = (count([200, 30, 30]), count([30, 140, 60]));
    assert!(red > 6 * 1000, "{red}");
    assert_eq!(red, green);
}

#[test]
fn images_that_share_a_part_are_told() {
    let data = tempfile::tempdir().unwrap();
    let slide = picture(5, 640, 240);
    for (name, left) in [("a/0.png", 0), ("b/1.png", 120), ("b/2.png", 320)] {
        let path = data.path().join("normal").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let field = image::imageops::crop_imm(&slide, left, 0, 320, 240);
        field.to_image().save(path).unwrap();
    }
    let other = data.path().join("positive/c/3.png");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    picture(6, 320, 240).save(other).unwrap();
    let inventory = inspect("folder", data.path());
    let overlaps = inventory["overlaps"].as_array().unwrap();
    let expected = [
        (["normal/a/0.png", "normal/b/1.png"], 200.0 / 320.0),
        (["normal/b/1.png", "normal/b/2.png"], 120.0 / 320.0),
    ];
    assert_eq!(overlaps.len(), expected.len(), "{overlaps:?}");
    for (overlap, (images, share)) in overlaps.iter().zip(expected) {
        assert_eq!(overlap["images"], json!(images));
        let found = overlap["share"].as_f64().unwrap();
        assert!((found - share).abs() < 0.03, "{found} {share}");
    }
    smearscope_train(["inspect", "--data"])
        .arg(data.path())
        .assert()
        .success()
        .stdout(predicate::str::contains("images that share a part: 2"))
        .stdout(predicate::str::contains(
            "1 pairs of images share a part but belong to different groups",
        ));
}

#[test]
fn unusable_files_are_listed_and_fail() {
    let data = tempfile::tempdir().unwrap();
    datasets::c_nmc(data.path(), 1);
    fs::write(data.path().join("fold_0/all/UID_1_9_9_all.bmp"), "BM").unwrap();
    smearscope_train(["inspect", "--dataset", "c-nmc", "--data"])
        .arg(data.path())
        .assert()
        .code(3)
        .stdout(predicate::str::contains("UID_1_9_9_all.bmp"));
}

/// Twelve subjects of two images, six to each class: `negative/a/0.png` to `positive/l/1.png`.
fn patients(root: &Path) {
    for (index, subject) in ('a'..='l').enumerate() {
        let class = ["negative", "positive"][index / 6];
        let folder = root.join(class).join(subject.to_string());
        fs::create_dir_all(&folder).unwrap();
        for number in 0..2 {
            let seed = 10 * index as u64 + number;
            let path = folder.join(format!("{subject}{number}.png"));
            picture(seed, 160, 120).save(path).unwrap();
        }
    }
}

/// The report and the model card of a short fit on twelve patients whose positive images have this width.
fn fit_with_positives_of(width: u32) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    patients(&data);
    for subject in 'g'..='l' {
        for number in 0..2 {
            let path = data.join(format!("positive/{subject}/{subject}{number}.png"));
            let seed = 1000 + 10 * u64::from(u32::from(subject)) + number;
            picture(seed, width, 120).save(path).unwrap();
        }
    }
    let model = folder.path().join("model");
    smearscope_train(["fit", "--epochs", "1", "--folds", "3", "--data"])
        .arg(&data)
        .arg("--out")
        .arg(&model)
        .assert()
        .success();
    let report = fs::read(model.join("report.json")).unwrap();
    let card = fs::read_to_string(model.join("MODEL_CARD.md")).unwrap();
    (serde_json::from_slice(&report).unwrap(), card)
}

fn guessed_from_size(report: &Value) -> f64 {
    let shortcuts = report["shortcuts"]["shortcuts"].as_array().unwrap();
    let size = shortcuts.iter().find(|one| one["name"] == "image size");
    size.unwrap()["accuracy"].as_f64().unwrap()
}

#[test]
fn a_shortcut_is_found_and_told() {
    let (report, card) = fit_with_positives_of(152);
    assert!((guessed_from_size(&report) - 1.0).abs() < 1e-12);
    let warnings = report["manifest"]["evaluation"]["warnings"].to_string();
    let expected = "from image size alone, 100 %";
    assert!(warnings.contains(expected), "{warnings}");
    assert!(card.contains(expected), "{card}");

    let (report, _) = fit_with_positives_of(160);
    assert!(guessed_from_size(&report) <= 0.5, "{report}");
}

fn fit_with_holdout(root: &Path, names: &str) -> assert_cmd::assert::Assert {
    let list = root.join("holdout.txt");
    fs::write(&list, names).unwrap();
    smearscope_train(["fit", "--epochs", "1", "--holdout"])
        .arg(&list)
        .arg("--data")
        .arg(root.join("data"))
        .arg("--out")
        .arg(root.join("model"))
        .assert()
}

#[test]
fn splits_that_leak_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    patients(&data);

    fit_with_holdout(folder.path(), "a0\na1\ng0\n")
        .code(3)
        .stderr(predicate::str::contains("both are of g"));

    // A copy of a held-out image under another patient.
    let copy = data.join("positive/h/copy.png");
    fs::copy(data.join("positive/g/g0.png"), &copy).unwrap();
    fit_with_holdout(folder.path(), "a0\na1\ng0\ng1\n")
        .code(3)
        .stderr(predicate::str::contains("the same image"))
        .stderr(predicate::str::contains("copy.png"));

    // The same, rotated and scaled down.
    let turned = image::imageops::rotate90(&picture(60, 80, 60));
    turned.save(&copy).unwrap();
    fit_with_holdout(folder.path(), "a0\na1\ng0\ng1\n")
        .code(3)
        .stderr(predicate::str::contains("the same image"));

    fs::remove_file(copy).unwrap();
    fit_with_holdout(folder.path(), "a0\na1\ng0\ng1\n").success();
    let manifest = fs::read_to_string(folder.path().join("model/manifest.toml")).unwrap();
    assert!(manifest.contains("split by subjects"), "{manifest}");
}
