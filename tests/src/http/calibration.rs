//! The calibration of the camera over HTTP and on the page.

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::http::*;
use crate::support::shading::bench;
use crate::support::*;

/// A bench whose camera sees a field in uneven, warm light, and first an empty field.
fn served(folder: &std::path::Path) -> Served {
    let (fields, empty) = bench(&demo_fields()[0], folder);
    // The simulated camera plays its images by name.
    std::fs::copy(empty, fields.join("empty.png")).unwrap();
    Served::start_with("", "", &fields).ready()
}

fn capture(served: &Served) -> Value {
    let answer = served.post("/v1/captures");
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

#[test]
fn the_light_is_measured_used_at_once_kept_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path());
    let before = served.get("/v1/calibration").json();
    assert!(
        before["camera"].as_str().unwrap().starts_with("images of "),
        "{before}"
    );
    assert!(
        before["light"].is_null() && before["words"].is_null(),
        "{before}"
    );

    let measured = served.post("/v1/calibration/light");
    assert_eq!(measured.status, 201, "{measured:?}");
    let measured = measured.json();
    assert_eq!(served.get("/v1/calibration").json(), measured);
    assert_eq!(measured["size"], json!([640, 480]));
    for light in measured["light"]["evenness"].as_array().unwrap() {
        assert!((0.4..0.7).contains(&light.as_f64().unwrap()), "{measured}");
    }
    let finding = capture(&served);
    assert!(
        finding["probability"].is_f64(),
        "the next picture is corrected: {finding}"
    );
    assert_eq!(finding["quality"]["evenness"]["passed"], true);

    // The camera shows the shaded field again after the empty one: a field with cells is no empty field.
    assert_eq!(capture(&served)["source"], "empty.png");
    let refused = served.post("/v1/calibration/light").problem(422);
    assert!(refused.contains("the field is not empty"), "{refused}");
    assert_eq!(served.get("/v1/calibration").json(), measured);

    let header = [("content-type", "application/json")];
    let points = |from: [f64; 2], to: [f64; 2], um: f64| {
        let body = json!({"from": from, "to": to, "um": um}).to_string();
        served.send("POST", "/v1/calibration/scale", &header, body.as_bytes())
    };
    let other = r#"{"from": [20, 240], "to": [620, 240], "um": 90, "size": [1280, 960]}"#;
    let other = served.send("POST", "/v1/calibration/scale", &header, other.as_bytes());
    let problem = other.problem(422);
    assert!(
        problem.contains("in a picture of 1280x960 pixels"),
        "{problem}"
    );
    let scaled = points([20.0, 240.0], [620.0, 240.0], 90.0);
    assert_eq!(scaled.status, 201, "{scaled:?}");
    let scale = &scaled.json()["scale"];
    assert!(
        (scale["um_per_pixel"].as_f64().unwrap() - 0.15).abs() < 1e-6,
        "{scale}"
    );
    assert_eq!(scaled.json()["light"], measured["light"], "both are kept");
    let near = points([20.0, 240.0], [40.0, 240.0], 3.0).problem(422);
    assert!(near.contains("20 pixels apart"), "{near}");

    let removed = served.send("DELETE", "/v1/calibration", &[], b"");
    assert_eq!(removed.status, 200, "{removed:?}");
    assert!(removed.json()["light"].is_null());
}

#[test]
fn red_cells_give_the_scale_with_a_model_that_has_a_ruler() {
    let folder = tempfile::tempdir().unwrap();
    let fields = panorama_field(folder.path());
    let without = Served::start_with("", "", &fields).ready();
    let refused = without.post("/v1/calibration/scale/red-cells").problem(422);
    assert!(
        refused.contains("counts cells and has a ruler"),
        "{refused}"
    );
    drop(without);

    let model = cells_model_with_ruler(folder.path(), 20);
    let more = format!("[model]\nengine = \"embedded\"\nfolder = {model:?}\n");
    let served = Served::start_with("", &more, &fields).ready();
    let measured = served.post("/v1/calibration/scale/red-cells");
    assert_eq!(measured.status, 201, "{measured:?}");
    let measured = measured.json();
    assert_eq!(measured, served.get("/v1/calibration").json());
    let scale = &measured["scale"];
    assert_eq!(scale["method"], "red_cells");
    let cells = scale["red_cells"].as_u64().unwrap();
    let words = measured["words"].as_str().unwrap();
    assert!(
        words.contains(&format!("({cells} red cells, spread ")),
        "{words}"
    );
    let finding = capture(&served);
    assert_eq!(finding["scale"]["source"], "calibrated");
    let Some(browser) = Browser::start() else {
        return;
    };
    let record = finding["record"].as_str().unwrap();
    browser.open(&format!("{}/#/fields/{record}", served.url));
    browser.until(&format!(
        "document.querySelector('.viewer')?.textContent.includes('calibrated by {cells} red cells of another field')"
    ));
    browser.check(&served.url, &[]);
}

#[test]
fn without_a_place_to_keep_it_nothing_is_measured() {
    let served = Served::start_with("", "state = \"\"\n", &root().join("hardware/fields")).ready();
    let problem = served.post("/v1/calibration/light").problem(409);
    assert!(problem.contains("storage.state"), "{problem}");
}

#[test]
fn a_button_on_the_page_measures_the_light() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path());
    browser.open(&format!("{}/#/device", served.url));
    let card = "document.querySelector('[aria-labelledby=camera-title]')";
    browser.until(&format!(
        "{card}?.textContent.includes('not measured: pictures')"
    ));
    browser.click("[aria-labelledby=camera-title] button");
    browser.until(&format!(
        "{card}.textContent.includes('pictures are corrected')"
    ));
    let light = served.get("/v1/calibration").json()["light"].clone();
    let red = light["white_balance"][0].as_f64().unwrap();
    let text = browser.text("[aria-labelledby=camera-title]");
    assert!(text.contains(&format!("red × {red:.2}")), "{text}");
    // The record of a corrected picture says so.
    let record = capture(&served)["record"].as_str().unwrap().to_owned();
    browser.open(&format!("{}/#/fields/{record}", served.url));
    browser.until("document.querySelector('[aria-labelledby=field-record]')?.textContent.includes('as the camera delivered it')");
    assert_eq!(capture(&served)["source"], "empty.png");
    browser.open(&format!("{}/#/device", served.url));
    browser.until(&format!(
        "{card}?.textContent.includes('pictures are corrected')"
    ));
    // The next picture of the camera shows cells.
    browser.click("[aria-labelledby=camera-title] button");
    browser.until(&format!(
        "{card}.textContent.includes('the field is not empty')"
    ));
    browser.check(&served.url, &["422"]);
}

#[test]
fn two_clicks_on_the_live_picture_set_the_scale() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path());
    browser.look(1280, 1000, "light");
    browser.open(&format!("{}/#/device", served.url));
    browser.until("document.querySelector('[aria-labelledby=camera-title] button')");
    browser.click("[aria-labelledby=camera-title] button:nth-of-type(2)");
    browser.until("document.querySelector('.micrometer .preview img')?.naturalWidth === 640");
    let frame = ".micrometer .frame";
    let key = |selector: &str, key: &str| {
        browser.run(&format!(
            "document.querySelector({selector:?}).dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true, cancelable: true }}))"
        ));
    };
    let width = browser.run(&format!(
        "return document.querySelector({frame:?}).clientWidth"
    ));
    let fit = width.as_f64().unwrap() / 640.0;
    // Magnified 1.5 times around its middle, the picture begins with the column 320 - 320 / 1.5.
    key(frame, "+");
    let column = |column: f64| (column - (320.0 - 320.0 / 1.5)) * fit * 1.5;
    browser.click_at(frame, column(120.0), 200.0);
    browser.until("document.querySelectorAll('.pin').length === 1");
    key(frame, "0");
    browser.click_at(frame, 170.0 * fit, 200.0);
    browser.until("document.querySelectorAll('.pin').length === 2");
    browser.enter("#um", "72");
    browser.click(".micrometer [type=submit]");
    browser.until(
        "document.querySelector('.micrometer [role=alert]').innerText.includes('choose two lines')",
    );
    assert!(served.get("/v1/calibration").json()["scale"].is_null());

    // Once there are two points, a click moves the nearer one, and so do the arrow keys.
    browser.click_at(frame, 600.0 * fit, 200.0);
    let pixels = || {
        let text = browser.text(".micrometer .small[role=status]");
        text.split(' ').next().unwrap().parse::<f64>().unwrap()
    };
    browser.until(
        "parseFloat(document.querySelector('.micrometer .small[role=status]').innerText) > 400",
    );
    let before = pixels();
    key(".pin:last-of-type", "ArrowLeft");
    assert!(
        (before - pixels() - 1.0 / fit).abs() < 0.2,
        "{before}, {}",
        pixels()
    );
    browser.drag(".pin:last-of-type", [20.0, 20.0], [1.0, 0.0]);
    assert!((before - pixels()).abs() < 0.2, "{before}, {}", pixels());
    browser.click(".micrometer [type=submit]");
    browser.until("!document.querySelector('.micrometer')");
    let calibration = served.get("/v1/calibration").json();
    assert_eq!(calibration["size"], json!([640, 480]));
    let scale = calibration["scale"]["um_per_pixel"].as_f64().unwrap();
    let expected = 72.0 / (600.0 - 120.0);
    assert!(
        (scale / expected - 1.0).abs() < 0.01,
        "{scale}, expected {expected}"
    );
    let text = browser.text("[aria-labelledby=camera-title]");
    assert!(
        text.contains("µm per pixel, on a stage micrometer"),
        "{text}"
    );
    browser.check(&served.url, &["422"]);
}
