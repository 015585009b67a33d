//! `smearscope classify` with a model that counts cells.

use std::collections::HashSet;
use std::path::Path;

use image::{Rgb, RgbImage};
use predicates::prelude::*;
use serde_json::Value;

use crate::support::*;

const MODEL: &str = "model-artifacts/smear-cells";
const UM_PER_PIXEL: &str = "0.112766";

/// Two fields with a part in common, and what is no smear, as files of one slide. Returns where the fields begin.
fn slide(folder: &Path) -> [u32; 2] {
    std::fs::create_dir(folder.join("slide")).unwrap();
    let starts = panorama_fields(&folder.join("slide"));
    RgbImage::from_pixel(640, 480, Rgb([200; 3]))
        .save(folder.join("slide/empty.png"))
        .unwrap();
    starts
}

fn classify(folder: &Path, options: &[&str]) -> assert_cmd::Command {
    let mut command = smearscope(["classify", "--engine", "embedded", "--model", MODEL]);
    command.args(options).arg(folder.join("slide"));
    command
}

#[test]
fn cells_are_counted_in_each_image_and_once_in_a_slide() {
    let folder = tempfile::tempdir().unwrap();
    let starts = slide(folder.path());
    let options = [
        "--json",
        "--um-per-pixel",
        UM_PER_PIXEL,
        "--slide-per",
        "folder",
    ];
    let output = classify(folder.path(), &options).assert().success();
    let lines = json_lines(&output.get_output().stdout);
    let [empty, first, second, slide, summary] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    assert_eq!(empty["verdict"], "Inconclusive");
    assert!(empty["count"].is_null() && empty["cells"] == serde_json::json!([]));
    let mut distinct: Vec<[f64; 2]> = Vec::new();
    let mut counted = 0;
    for (image, start) in [(first, starts[0]), (second, starts[1])] {
        assert_eq!(image["scale"]["source"], "stated");
        let cells = image["cells"].as_array().unwrap();
        let counting: Vec<&Value> = cells
            .iter()
            .filter(|cell| ["blast", "other_leukocyte"].contains(&cell["call"].as_str().unwrap()))
            .collect();
        let blasts = counting.iter().filter(|cell| cell["call"] == "blast");
        assert_eq!(image["count"]["cells"], counting.len());
        assert_eq!(image["count"]["blasts"], blasts.count());
        counted += counting.len();
        for cell in counting {
            let probabilities = cell["probabilities"].as_object().unwrap();
            let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-3, "{cell}");
            let class = cell["class"].as_str().unwrap();
            let own = probabilities[class].as_f64().unwrap();
            assert!(probabilities.values().all(|p| p.as_f64().unwrap() <= own));
            let place = [
                cell["x"].as_f64().unwrap() + f64::from(start),
                cell["y"].as_f64().unwrap(),
            ];
            let is_it = |[x, y]: &[f64; 2]| (x - place[0]).hypot(y - place[1]) < 30.0;
            if !distinct.iter().any(is_it) {
                distinct.push(place);
            }
        }
    }
    assert!(
        distinct.len() + 3 <= counted,
        "{} of {counted}",
        distinct.len()
    );
    assert_eq!(slide["count"]["cells"], distinct.len());
    assert_eq!(
        (&slide["fields"], &slide["refused"]),
        (&2.into(), &1.into())
    );
    assert_eq!(slide["reason"], format!("{} of 200 cells", distinct.len()));
    assert_eq!(slide["count"]["deciding_share"], 0.05);
    assert_eq!(slide["seen_again"], counted - distinct.len());
    assert_eq!(slide["demo"], true);
    assert_eq!(summary["summary"]["slides"]["inconclusive"], 1);

    let words = format!("{} of 200 cells: add fields of this slide", distinct.len());
    classify(folder.path(), &options[1..])
        .assert()
        .success()
        .stdout(predicate::str::contains(words))
        .stdout(predicate::str::contains(
            "slides: 0 positive, 0 negative, 1 inconclusive",
        ))
        .stdout(predicate::str::contains("share of blasts lies above 5.0 %"));
}

#[test]
fn without_a_scale_nothing_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    slide(folder.path());
    let output = classify(folder.path(), &["--json"]).assert().success();
    let lines = json_lines(&output.get_output().stdout);
    for line in &lines[1..3] {
        assert_eq!(line["verdict"], "Inconclusive");
        let reason = line["reason"].as_str().unwrap();
        assert!(reason.starts_with("scale unknown"), "{reason}");
        assert!(line["count"].is_null() && line["scale"].is_null());
    }
    classify(folder.path(), &["--um-per-pixel", "0.6"])
        .assert()
        .success()
        .stdout(predicate::str::contains("use an objective of higher power"));
}

#[test]
fn cells_are_marked_and_cut_out() {
    let folder = tempfile::tempdir().unwrap();
    slide(folder.path());
    let [marked, crops] = ["marked", "crops"].map(|name| folder.path().join(name));
    let output = classify(folder.path(), &["--json", "--um-per-pixel", UM_PER_PIXEL])
        .arg("--overlays")
        .arg(&marked)
        .arg("--crops")
        .arg(&crops)
        .assert()
        .success();
    let line = &json_lines(&output.get_output().stdout)[1];
    let cells = line["cells"].as_array().unwrap();
    assert!(cells.len() >= 3, "{line}");
    let picture = image::open(marked.join("field107-cells.png"))
        .unwrap()
        .to_rgb8();
    assert_eq!(picture.dimensions(), (640, 480));
    let bar = picture.rows().nth(480 - 10).unwrap();
    let black = bar.take(120).filter(|pixel| pixel.0 == [0; 3]).count();
    let length = 10.0 / UM_PER_PIXEL.parse::<f64>().unwrap();
    assert_eq!(black, length.round() as usize, "a scale bar of 10 µm");
    let number = |cell: &Value, key: &str| cell[key].as_f64().unwrap();
    for (at, cell) in cells.iter().enumerate() {
        let colour = match cell["call"].as_str().unwrap() {
            "blast" => [213, 94, 0],
            "other_leukocyte" => [0, 114, 178],
            _ => [110; 3],
        };
        let radius = 0.625 * number(cell, "diameter_um") / UM_PER_PIXEL.parse::<f64>().unwrap();
        let (x, y) = (number(cell, "x"), number(cell, "y"));
        let on_circle: Vec<bool> = (0..360)
            .map(|degree| f64::from(degree).to_radians().sin_cos())
            .map(|(sin, cos)| ((x + radius * cos) as i64, (y + radius * sin) as i64))
            .filter(|(x, y)| (2..638).contains(x) && (2..478).contains(y))
            .map(|(x, y)| {
                // The circle is two pixels wide and lies on whole pixels.
                let mut near = (x - 2..=x + 2).flat_map(|x| (y - 2..=y + 2).map(move |y| (x, y)));
                near.any(|(x, y)| picture.get_pixel(x as u32, y as u32).0 == colour)
            })
            .collect();
        let marked = on_circle.iter().filter(|is_marked| **is_marked).count();
        // Labels of other cells hide parts of it.
        assert!(2 * marked >= on_circle.len(), "{cell}: {marked}");
        let name = format!(
            "field107-{:02}-{}.png",
            at + 1,
            cell["class"].as_str().unwrap()
        );
        let crop = image::open(crops.join(&name)).unwrap().to_rgb8();
        let longest = f64::from(crop.width().max(crop.height()));
        assert!(longest >= radius && longest < 4.0 * radius, "{name}");
    }
    let files: HashSet<_> = crops
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    let of_first = |path: &&std::path::PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("field107-")
    };
    assert_eq!(files.iter().filter(of_first).count(), cells.len());
}

#[test]
fn options_for_cells_need_a_model_that_counts_them() {
    let crops = tempfile::tempdir().unwrap();
    let crops = crops.path().to_str().unwrap();
    for option in [["--um-per-pixel", "0.1"], ["--crops", crops]] {
        smearscope(["classify", "hardware/fields/field01_1.jpg"])
            .args(option)
            .assert()
            .failure()
            .stderr(predicate::str::contains(option[0]))
            .stderr(predicate::str::contains("judges whole fields"));
    }
    smearscope(["classify", "--um-per-pixel", "0", "x.jpg"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("from 0.005 to 10"));
}
