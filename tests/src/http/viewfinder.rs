//! The camera's live picture over HTTP.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;

use image::imageops::{FilterType, crop_imm, resize};
use serde_json::Value;

use crate::support::http::*;
use crate::support::pictures::assert_shows;
use crate::support::*;

/// Figures that only a capture has, because they need two pictures or the model.
const OF_CAPTURES: [&str; 3] = ["distance", "motion", "moved"];

/// Reads one part of the preview: its figures and its picture.
fn part(preview: &mut impl BufRead) -> Option<(Value, Vec<u8>)> {
    let (mut length, mut quality) = (None, None);
    for line in preview.by_ref().lines().map(Result::unwrap) {
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = Some(value.parse().unwrap());
        } else if let Some(value) = line.strip_prefix("smearscope-quality: ") {
            quality = Some(serde_json::from_str(value).unwrap());
        } else if line.is_empty() && length.is_some() {
            let mut picture = vec![0; length?];
            preview.read_exact(&mut picture).unwrap();
            return Some((quality?, picture));
        }
    }
    None
}

/// Opens the preview with HTTP/1.0, which has no chunked encoding.
fn watch(served: &Served, query: &str) -> BufReader<TcpStream> {
    let mut preview = BufReader::new(served.connect());
    write!(
        preview.get_mut(),
        "GET /v1/camera/preview{query} HTTP/1.0\r\nHost: localhost\r\n\r\n"
    )
    .unwrap();
    let mut status = String::new();
    preview.read_line(&mut status).unwrap();
    assert!(status.contains(" 200 "), "{status}");
    preview
}

#[test]
fn a_snapshot_shows_what_a_capture_would_find_and_takes_nothing_from_it() {
    let served = Served::start("").ready();
    let snapshot = served.get("/v1/camera/snapshot");
    assert_eq!(snapshot.status, 200, "{snapshot:?}");
    assert_eq!(snapshot.header("content-type"), "image/jpeg");
    assert_eq!(snapshot.header("cache-control"), "no-store");
    let quality: Value = serde_json::from_str(snapshot.header("smearscope-quality")).unwrap();

    let field = image::open(&demo_fields()[0]).unwrap().to_rgb8();
    assert_shows(&snapshot.body, &field);

    let finding = served.post("/v1/captures").json();
    let name = demo_fields()[0].file_name().unwrap().to_owned();
    assert!(
        finding["source"]
            .as_str()
            .unwrap()
            .contains(name.to_str().unwrap())
    );
    let mut found = finding["quality"].clone();
    for figure in OF_CAPTURES {
        found.as_object_mut().unwrap().remove(figure);
    }
    assert_eq!(quality, found);
    assert_eq!(quality["focus"]["passed"], true);
}

#[test]
fn a_region_is_sent_at_full_resolution_and_what_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let field = image::open(&demo_fields()[0]).unwrap().to_rgb8();
    let field = resize(&field, 1920, 1440, FilterType::CatmullRom);
    field.save(folder.path().join("1.png")).unwrap();
    let served = Served::start_with("", "", folder.path()).ready();
    let snapshot = |region: &str| {
        let snapshot = served.get(&format!("/v1/camera/snapshot{region}"));
        assert_eq!(snapshot.status, 200, "{snapshot:?}");
        assert_eq!(snapshot.header("smearscope-size"), "[1920,1440]");
        snapshot
    };
    let whole = snapshot("");
    assert_shows(&whole.body, &resize(&field, 800, 600, FilterType::Triangle));
    let region = snapshot("?region=1100,700,800,600");
    let pixels = crop_imm(&field, 1100, 700, 800, 600).to_image();
    assert_shows(&region.body, &pixels);
    let figures = |answer: &Answer| answer.header("smearscope-quality").to_owned();
    assert_eq!(
        figures(&region),
        figures(&whole),
        "those of the whole field"
    );
    let large = snapshot("?region=0,720,1920,720");
    let pixels = crop_imm(&field, 0, 720, 1920, 720).to_image();
    assert_shows(
        &large.body,
        &resize(&pixels, 800, 300, FilterType::Triangle),
    );

    let mut preview = watch(&served, "?region=7,9,200,100");
    let (quality, picture) = part(&mut preview).unwrap();
    let expected: Value = serde_json::from_str(&figures(&whole)).unwrap();
    assert_eq!(quality, expected);
    assert_shows(&picture, &crop_imm(&field, 7, 9, 200, 100).to_image());

    for path in ["snapshot", "preview"] {
        for (region, reason) in [
            ("1121,0,800,600", "1920x1440 pixels"),
            ("0,1440,1,1", "1920x1440 pixels"),
            ("4294967295,0,4294967295,1", "1920x1440 pixels"),
            ("0,0,0,1", "is no region"),
            ("1,2,3", "is no region"),
        ] {
            let problem = served.get(&format!("/v1/camera/{path}?region={region}"));
            let problem = problem.problem(400);
            assert!(problem.contains(reason), "{problem}");
        }
    }
}

#[test]
fn the_preview_goes_on_over_a_capture_and_ends_with_the_appliance() {
    let mut served = Served::start("").ready();
    let mut preview = watch(&served, "");
    let (quality, first) = part(&mut preview).unwrap();
    assert_eq!(quality["focus"]["passed"], true);
    assert_eq!(served.post("/v1/captures").status, 201);
    let next = std::iter::from_fn(|| part(&mut preview)).find(|(_, picture)| *picture != first);
    let (_, picture) = next.unwrap();
    assert!(image::load_from_memory(&picture).is_ok());

    let others = [(); 3].map(|()| watch(&served, ""));
    let problem = served.get("/v1/camera/preview").problem(503);
    assert!(
        problem.contains("4 clients are watching already"),
        "{problem}"
    );
    drop(others);
    served.panel("quit");
    while part(&mut preview).is_some() {}
}

#[test]
fn a_preview_that_is_impossible_says_why_and_takes_no_image_from_the_capture() {
    let fields = tempfile::tempdir().unwrap();
    let pipe = fields.path().join("1.jpg");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let served = Served::start_with("", "", fields.path()).ready();
    for path in ["/v1/camera/snapshot", "/v1/camera/preview"] {
        let problem = served.get(path).problem(503);
        assert!(
            problem.contains("does not support a preview of the pipe"),
            "{problem}"
        );
    }
    std::thread::scope(|scope| {
        let capture = scope.spawn(|| served.post("/v1/captures"));
        std::fs::write(&pipe, std::fs::read(&demo_fields()[0]).unwrap()).unwrap();
        assert_eq!(capture.join().unwrap().status, 201);
    });
}
