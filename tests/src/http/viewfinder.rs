//! The camera's live picture over HTTP.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use crate::support::http::*;
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
fn watch(served: &Served) -> BufReader<TcpStream> {
    let mut preview = BufReader::new(served.connect());
    write!(
        preview.get_mut(),
        "GET /v1/camera/preview HTTP/1.0\r\nHost: localhost\r\n\r\n"
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
    let seen = image::load_from_memory(&snapshot.body).unwrap().to_rgb8();
    assert_eq!(seen.dimensions(), field.dimensions());
    let differences = seen.as_raw().iter().zip(field.as_raw());
    let sum: u64 = differences
        .map(|(one, other)| u64::from(one.abs_diff(*other)))
        .sum();
    let mean = sum as f64 / field.as_raw().len() as f64;
    assert!(
        mean < 3.0,
        "a JPEG of a JPEG differs by so many levels: {mean}"
    );

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
fn the_preview_goes_on_over_a_capture_and_ends_with_the_appliance() {
    let mut served = Served::start("").ready();
    let mut preview = watch(&served);
    let (quality, first) = part(&mut preview).unwrap();
    assert_eq!(quality["focus"]["passed"], true);
    assert_eq!(served.post("/v1/captures").status, 201);
    let next = std::iter::from_fn(|| part(&mut preview)).find(|(_, picture)| *picture != first);
    let (_, picture) = next.unwrap();
    assert!(image::load_from_memory(&picture).is_ok());

    let others = [(); 3].map(|()| watch(&served));
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
