//! `smearscope calibrate`, and what it changes for the appliance.

use std::path::Path;

use serde_json::Value;

use crate::support::http::Served;
use crate::support::shading::bench;
use crate::support::*;

fn calibrate(state: &Path, fields: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = smearscope(["calibrate"]);
    command.args(arguments).args(["--board", "sim", "--state"]);
    command.arg(state).arg("--fields").arg(fields).assert()
}

fn text(assert: &assert_cmd::assert::Assert) -> String {
    let output = assert.get_output();
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// An appliance whose camera plays these fields; the model counts cells where `more` says so.
fn served(fields: &Path, state: &Path, more: &str) -> Served {
    Served::start_with("", &format!("state = {state:?}\n{more}"), fields).ready()
}

fn capture(served: &Served) -> Value {
    let answer = served.post("/v1/captures");
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

#[test]
fn a_field_in_uneven_warm_light_is_refused_before_calibration_and_judged_as_in_even_light_after_it()
{
    let folder = tempfile::tempdir().unwrap();
    let (state, field) = (folder.path().join("state"), &demo_fields()[0]);
    let (fields, empty) = bench(field, folder.path());
    let before = capture(&served(&fields, &state, ""));
    assert_eq!(before["verdict"], "Inconclusive", "{before}");
    assert!(
        before["probability"].is_null(),
        "refused by the gate: {before}"
    );

    let made = calibrate(
        &state,
        &fields,
        &["light", "--image", empty.to_str().unwrap()],
    )
    .success();
    assert!(
        text(&made).contains("of the light of the brightest"),
        "{}",
        text(&made)
    );
    let served = served(&fields, &state, "");
    let after = capture(&served);
    let classified = served.send("POST", "/v1/classify", &[], &std::fs::read(field).unwrap());
    let even = classified.json();
    assert_eq!(after["verdict"], even["verdict"], "{after}");
    let probability = |finding: &Value| finding["probability"].as_f64().unwrap();
    let difference = (probability(&after) - probability(&even)).abs();
    assert!(difference < 0.02, "{difference}");

    // The picture is recorded as the camera delivered it, with the correction beside it.
    let id = after["record"].as_str().unwrap();
    let image = served.get(&format!("/v1/fields/{id}/image")).body;
    assert_eq!(image, std::fs::read(fields.join("shaded.png")).unwrap());
    let record = served.get(&format!("/v1/fields/{id}")).json();
    let surface = &record["camera"]["light"]["flat_field"]["blue"];
    assert_eq!(surface.as_array().map(Vec::len), Some(6), "{record}");
    // The live picture and the self-test know it as well.
    let snapshot = served.get("/v1/camera/snapshot");
    let quality: Value = serde_json::from_str(snapshot.header("smearscope-quality")).unwrap();
    assert_eq!(quality["evenness"]["passed"], true, "{quality}");
    let checks = served.get("/v1/device").json()["self_test"].to_string();
    assert!(checks.contains("light of today"), "{checks}");
}

#[test]
fn the_cells_of_a_corrected_field_are_those_of_the_even_one() {
    let folder = tempfile::tempdir().unwrap();
    let even_fields = folder.path().join("even");
    std::fs::create_dir(&even_fields).unwrap();
    let [first, second] = panorama_fields(&even_fields);
    std::fs::remove_file(even_fields.join(format!("field{second}.png"))).unwrap();
    let field = even_fields.join(format!("field{first}.png"));
    let (state, more) = (
        folder.path().join("state"),
        format!(
            "[model]\nengine = \"embedded\"\nfolder = {:?}\n",
            cells_model()
        ),
    );
    let (fields, empty) = bench(&field, folder.path());
    let empty = empty.to_str().unwrap();
    calibrate(&state, &fields, &["light", "--image", empty]).success();
    let um = format!("{}", 400.0 * PANORAMA_UM_PER_PIXEL);
    let points = ["--from", "100,50", "--to", "500,50", "--image", empty];
    let scaled = calibrate(
        &state,
        &fields,
        &[&["scale", "--um", &um], &points[..]].concat(),
    );
    assert!(text(&scaled.success()).contains("µm per pixel of today"));

    let after = capture(&served(&fields, &state, &more));
    let scale = format!("[camera]\num_per_pixel = {PANORAMA_UM_PER_PIXEL}\n");
    let other = folder.path().join("other");
    let even = capture(&served(&even_fields, &other, &format!("{more}{scale}")));
    assert_eq!(after["count"]["cells"], even["count"]["cells"]);
    let cells = |finding: &Value| -> Vec<[f64; 3]> {
        let cells = finding["cells"].as_array().unwrap().iter();
        let mut cells: Vec<_> = cells
            .map(|cell| ["x", "y", "blast_probability"].map(|key| cell[key].as_f64().unwrap()))
            .collect();
        cells.sort_by(|one, other| one[0].total_cmp(&other[0]));
        cells
    };
    let (after, even) = (cells(&after), cells(&even));
    assert!(
        even.len() > 3 && after.len() == even.len(),
        "{after:?} {even:?}"
    );
    for (one, other) in after.iter().zip(&even) {
        // In the corners, blue has 40 % of its levels left, so that samples differ by up to two levels.
        let apart = (one[0] - other[0]).hypot(one[1] - other[1]) * f64::from(PANORAMA_UM_PER_PIXEL);
        assert!(apart < 1.0, "µm: {one:?} {other:?}");
        assert!((one[2] - other[2]).abs() < 0.05, "{one:?} {other:?}");
    }
}

#[test]
fn a_calibration_holds_for_one_camera_objective_and_size() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (fields, empty) = bench(&demo_fields()[0], folder.path());
    let empty = empty.to_str().unwrap();
    calibrate(
        &state,
        &fields,
        &["light", "--image", empty, "--objective", "40x"],
    )
    .success();
    let listed = calibrate_list(&state);
    assert!(
        listed.contains("calibrated for 40x, 640x480: light of today"),
        "{listed}"
    );

    // Another objective: not used, and said so.
    let without = Served::start_with("", &format!("state = {state:?}\n"), &fields);
    without.wait_for("selftest");
    let checks = without.get("/v1/device").json()["self_test"].to_string();
    assert!(checks.contains("none for images of"), "{checks}");
    drop(without);

    // Another size: no verdict.
    image::open(&demo_fields()[0])
        .unwrap()
        .crop_imm(0, 0, 320, 240)
        .save(fields.join("a-small.png"))
        .unwrap();
    let small = served(&fields, &state, "[camera]\nobjective = \"40x\"\n");
    let problem = small.post("/v1/captures").problem(503);
    assert!(
        problem.contains("320x240") && problem.contains("smearscope calibrate"),
        "{problem}"
    );

    calibrate(&state, &fields, &["clear", "--objective", "40x"]).success();
    assert!(calibrate_list(&state).contains("no calibrations"));
    let again = calibrate(&state, &fields, &["clear", "--objective", "40x"]).failure();
    assert!(
        text(&again).contains("there is no calibration"),
        "{}",
        text(&again)
    );
}

fn calibrate_list(state: &Path) -> String {
    let mut command = smearscope(["calibrate", "list", "--state"]);
    text(&command.arg(state).assert().success())
}

/// Measures the scale by red cells with a model.
fn by_red_cells(state: &Path, fields: &Path, model: &Path) -> assert_cmd::assert::Assert {
    let mut command = smearscope(["calibrate", "scale", "--red-cells", "--board", "sim"]);
    command
        .env("SMEARSCOPE__MODEL__ENGINE", "embedded")
        .env("SMEARSCOPE__MODEL__FOLDER", model);
    command
        .arg("--state")
        .arg(state)
        .arg("--fields")
        .arg(fields);
    command.assert()
}

#[test]
fn red_cells_give_the_scale_of_the_pictures_after_them_and_all_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let fields = panorama_field(folder.path());
    let model = cells_model_with_ruler(folder.path(), 20);
    let made = text(&by_red_cells(&state, &fields, &model).success());
    assert!(
        made.contains("µm per pixel of today (") && made.contains(" red cells, spread "),
        "{made}"
    );
    let mut listed = smearscope(["calibrate", "list", "--json", "--state"]);
    let listed = listed.arg(&state).assert().success();
    let listed: Value = serde_json::from_slice(&listed.get_output().stdout).unwrap();
    let scale = &listed[0]["scale"];
    let ratio = scale["um_per_pixel"].as_f64().unwrap() / f64::from(PANORAMA_UM_PER_PIXEL);
    assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
    assert_eq!(scale["method"], "red_cells");
    assert!(scale["red_cells"].as_u64().unwrap() >= 20, "{scale}");
    assert!(scale["spread"].as_f64().unwrap() <= 0.25, "{scale}");

    let more = format!(
        "[model]\nengine = \"embedded\"\nfolder = {:?}\n",
        cells_model()
    );
    let served = served(&fields, &state, &more);
    let finding = capture(&served);
    let used = &finding["scale"];
    assert_eq!(used["source"], "calibrated");
    for fact in ["um_per_pixel", "red_cells", "spread"] {
        assert_eq!(used[fact], scale[fact], "{fact}");
    }
    assert!(finding["count"]["cells"].as_u64().unwrap() > 3, "{finding}");
    let id = finding["record"].as_str().unwrap();
    let record = served.get(&format!("/v1/fields/{id}")).json();
    assert_eq!(record["scale"], *used);
    assert_eq!(record["camera"]["scale"], *scale);
    let mut export = smearscope(["records", "export", "--format", "csv", "--state"]);
    let table = text(&export.arg(&state).assert().success());
    let source = format!(",calibrated,{},", scale["red_cells"]);
    assert!(table.contains(&source), "{table}");
    for said in [made, calibrate_list(&state), record.to_string()] {
        assert!(!said.contains("micrometer"), "{said}");
    }
}

#[test]
fn what_gives_no_scale_says_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let fields = panorama_field(folder.path());
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    image::RgbImage::from_pixel(640, 480, image::Rgb([230, 226, 229]))
        .save(empty.join("empty.png"))
        .unwrap();
    let many = cells_model_with_ruler(folder.path(), 1000);
    for (fields, model, part) in [
        (
            &fields,
            demo_model(),
            "use one that counts cells and has a ruler",
        ),
        (
            &fields,
            cells_model(),
            "use one that counts cells and has a ruler",
        ),
        (&fields, many.clone(), "many red cells lie side by side"),
        (
            &empty,
            many,
            "the scale cannot be measured on this picture: ",
        ),
    ] {
        let refused = text(&by_red_cells(&state, fields, &model).failure());
        assert!(refused.contains(part), "{refused}");
    }
    assert!(calibrate_list(&state).contains("no calibrations"));
    for arguments in [&["scale"][..], &["scale", "--red-cells", "--um", "5"]] {
        calibrate(&state, &fields, arguments).failure().code(2);
    }
}

#[test]
fn a_field_with_cells_is_no_empty_field() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let field = &demo_fields()[0];
    let refused = calibrate(&state, field.parent().unwrap(), &["light"]).failure();
    assert!(
        text(&refused).contains("the field is not empty"),
        "{}",
        text(&refused)
    );
    assert!(calibrate_list(&state).contains("no calibrations"));
    let picture = folder.path().join("picture.jpg");
    let saved = ["picture", picture.to_str().unwrap()];
    calibrate(&state, field.parent().unwrap(), &saved).success();
    assert_eq!(
        std::fs::read(picture).unwrap(),
        std::fs::read(field).unwrap()
    );
}
