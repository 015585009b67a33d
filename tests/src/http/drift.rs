//! The drift watch: what it tells of the records of some weeks, on the page as well.

use std::path::Path;
use std::time::{Duration, Instant};

use image::RgbImage;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use smearscope::testing::{Archive, FieldEntry, FieldImages, Filter, Record, SlideEntry, Store};
use uuid::Uuid;

use crate::support::browser::Browser;
use crate::support::http::*;
use crate::support::mosquitto::wait_until;
use crate::support::*;

/// An appliance with these records.
fn served(state: &Path) -> Served {
    let fields = root().join("hardware/fields");
    Served::start_with("", &format!("state = {state:?}\n"), &fields).ready()
}

/// A field that an appliance recorded.
fn captured(state: &Path) -> FieldEntry {
    assert_eq!(served(state).post("/v1/captures").status, 201);
    let mut found = None;
    let each = |record: Record| {
        found = Some(record.field);
        Ok::<_, smearscope::testing::RecordsError>(())
    };
    let archive = Archive::open(state).unwrap();
    archive.fields(&Filter::default(), each).unwrap();
    found.unwrap()
}

/// Records five fields on each of the last 30 days before today, as if by a lamp that dims by 1 % a day on the last five of
/// them.
fn record_a_month(state: &Path) {
    let field = captured(state);
    let mut store = Store::open(state.into()).unwrap();
    for day in 1..=30_i32 {
        let taken = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(31 - day));
        let light = 0.99_f64.powi((day - 25).max(0));
        let slide = SlideEntry {
            id: Uuid::now_v7(),
            number: 1 + day.unsigned_abs(),
            started_at: taken.to_string(),
        };
        for number in 1..=5 {
            let id = Uuid::now_v7();
            let image = RgbImage::new(3, 2);
            let images = FieldImages {
                encoded: None,
                image: &image,
                exif: None,
                overlay: None,
            };
            let images = store.write_images(slide.id, id, &images).unwrap();
            let mut entry = FieldEntry {
                id,
                slide: slide.id,
                number,
                captured_at: taken.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
                image: images.image,
                overlay: images.overlay,
                ..field.clone()
            };
            let luma = 200.0 + f64::from(day % 3) + f64::from(number % 2);
            entry.quality["highlights"]["value"] = (luma * light.powf(1.0 / 2.2)).into();
            let until = Instant::now() + Duration::from_mins(1);
            store.commit(&slide, &entry, None, until).unwrap();
        }
    }
}

fn chart(report: &Value, figure: &str) -> Value {
    let charts = report["charts"].as_array().unwrap();
    let chart = charts.iter().find(|chart| chart["figure"] == figure);
    chart.unwrap().clone()
}

#[test]
fn a_lamp_that_dims_is_a_warning_until_the_watch_is_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    record_a_month(folder.path());
    let served = served(folder.path());
    let report = served.get("/v1/drift").json();
    let light = chart(&report, "light");
    assert_eq!(light["days"].as_array().unwrap().len(), 30, "{light}");
    let warning = light["warning"].as_str().unwrap();
    assert!(warning.starts_with("the light is "), "{warning}");
    assert!(warning.contains("% darker"), "{warning}");
    let refused = chart(&report, "refused");
    assert_eq!(refused["warning"], Value::Null);
    // The last value is within 5 % of what it was before.
    let [first, last] = [0, 29].map(|day| light["days"][day]["value"].as_f64().unwrap());
    assert!((last / first - 0.95).abs() < 0.02, "{first} and {last}");

    let warnings = || served.get("/v1/device").json()["state"]["warnings"].clone();
    let is_told = || warnings() == serde_json::json!([warning]);
    wait_until("the warning is told", is_told);
    let test = served.get("/v1/device").json()["self_test"].clone();
    assert_eq!(test["passed"], true, "what drifts works: {test}");
    assert!(served.logged("darker").contains("% darker"));

    let restarted = served.post("/v1/drift/restart");
    assert_eq!(restarted.status, 200, "{restarted:?}");
    let light = chart(&restarted.json(), "light");
    assert_eq!(
        (&light["days"], &light["missing_days"]),
        (&serde_json::json!([]), &21.into())
    );
    wait_until("the warning is gone", || {
        warnings() == serde_json::json!([])
    });
}

#[test]
fn the_page_shows_a_chart_of_each_figure() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    record_a_month(folder.path());
    let served = served(folder.path());
    browser.open(&format!("{}/#/device", served.url));
    let card = "document.querySelector('[aria-labelledby=drift-title]')";
    browser.until(&format!(
        "{card}?.querySelectorAll('svg.chart').length === 4"
    ));
    let text = browser.text("[aria-labelledby=drift-title]");
    assert!(text.contains("% darker than in the weeks before"), "{text}");
    let dots = |class: &str| {
        let script = format!("return {card}.querySelectorAll('svg circle{class}').length");
        browser.run(&script).as_u64().unwrap()
    };
    assert_eq!(dots(""), 4 * 30);
    assert!((1..=5).contains(&dots(".out")), "{}", dots(".out"));
    for theme in ["light", "dark"] {
        browser.look(1280, 900, theme);
        if browser.audits() {
            browser.audit(&format!("drift, {theme}"));
        }
        browser.run(&format!("{card}.scrollIntoView(); return 0"));
        browser.photograph(&root().join(format!("target/page/drift-{theme}.png")));
    }
    browser.run("window.confirm = () => true; return 0");
    browser.click("[aria-labelledby=drift-title] button");
    browser.until(&format!("{card}.textContent.includes('21 are needed')"));
    browser.check(&served.url, &[]);
}

#[test]
fn without_records_nothing_is_watched() {
    let served = Served::start_with("", "state = \"\"\n", &root().join("hardware/fields")).ready();
    let problem = served.get("/v1/drift").problem(404);
    assert!(problem.contains("storage.state"), "{problem}");
}
