//! Images sent over HTTP get the verdicts of the command line, or an error that says what to do.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use image::ImageFormat;

use crate::support::http::*;
use crate::support::*;

const BYTES: (&str, &str) = ("content-type", "application/octet-stream");

/// A multipart form with one file in this field.
fn form(field: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let mut body = format!(
        "--frontier\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nfirst\r\n--frontier\r\n\
         Content-Disposition: form-data; name=\"{field}\"; filename=\"x.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    )
    .into_bytes();
    body.extend(bytes);
    body.extend(b"\r\n--frontier--\r\n");
    ("multipart/form-data; boundary=frontier".into(), body)
}

#[test]
fn images_of_all_formats_raw_or_in_a_form_are_judged_as_on_the_command_line() {
    let served = Served::start("");
    let folder = tempfile::tempdir().unwrap();
    let pixels = field_pixels();
    for (format, kind, name) in [
        (ImageFormat::Jpeg, "image/jpeg", "x.jpg"),
        (ImageFormat::Png, "image/png", "x.png"),
        (ImageFormat::Tiff, "image/tiff", "x.tif"),
        (ImageFormat::Bmp, "image/bmp", "x.bmp"),
    ] {
        let mut bytes = Cursor::new(Vec::new());
        pixels.write_to(&mut bytes, format).unwrap();
        let bytes = bytes.into_inner();
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let local = smearscope(["classify", "--json", "--engine", "embedded"])
            .arg(&path)
            .output()
            .unwrap();
        let mut local = json_lines(&local.stdout).remove(0);
        let (form_kind, form) = form("file", &bytes);
        for (kind, body) in [(kind, &bytes), (&*form_kind, &form)] {
            let answer = served.send("POST", "/v1/classify", &[("content-type", kind)], body);
            assert_eq!(answer.status, 200, "{answer:?}");
            let mut answer = answer.json();
            for gone in ["path", "elapsed_ms", "stages_ms"] {
                answer.as_object_mut().unwrap().remove(gone);
                local.as_object_mut().unwrap().remove(gone);
            }
            assert_eq!(answer, local, "{kind}");
        }
    }
    assert_eq!(
        served.get("/v1/device").json()["state"]["fields"],
        0,
        "they are no fields of the slide"
    );
}

#[test]
fn what_is_no_image_is_refused_and_the_reason_named() {
    let served = Served::start("body_mib = 1\n");
    let send = |kind: &str, body: &[u8]| {
        served.send("POST", "/v1/classify", &[("content-type", kind)], body)
    };
    let field = fs::read(&demo_fields()[0]).unwrap();
    let cut = send("image/jpeg", &field[..field.len() / 2]);
    assert!(cut.problem(422).contains("truncated"));
    assert!(send(BYTES.1, b"").problem(422).contains("empty"));
    assert!(send("image/png", b"a letter").problem(422).contains("JPEG"));
    assert!(
        send("text/plain", &field)
            .problem(415)
            .contains("image/jpeg")
    );
    let (kind, body) = form("picture", &field);
    assert!(send(&kind, &body).problem(422).contains("`file`"));
    assert!(
        send("multipart/form-data", b"x")
            .problem(400)
            .contains("boundary")
    );
    // A header that claims 60,000 × 60,000 pixels.
    let mut bomb = b"BM".to_vec();
    for value in [
        54_u32,
        0,
        54,
        40,
        60_000,
        60_000,
        0x0018_0001,
        0,
        0,
        0,
        0,
        0,
        0,
    ] {
        bomb.extend(value.to_le_bytes());
    }
    assert!(send("image/bmp", &bomb).problem(422).contains("pixels"));
    let (kind, body) = form("file", &vec![0; 2 << 20]);
    let large = format!(
        "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\
         \r\n{:x}\r\n",
        body.len()
    );
    let mut stream = served.connect();
    stream.write_all(large.as_bytes()).unwrap();
    // The server may close the connection before the client has sent everything.
    let _ = stream.write_all(&body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    assert_eq!(send("image/jpeg", &field).status, 200, "it goes on");
}

#[test]
fn a_full_queue_refuses() {
    let served = Served::start("analyses = 1\nqueue = 0\n").ready();
    let field = fs::read(&demo_fields()[0]).unwrap();
    let _occupied = served.occupy();
    let full = served.send("POST", "/v1/classify", &[BYTES], &field);
    assert!(full.problem(429).contains("http.queue"));
    assert_eq!(full.header("retry-after"), "1");
}

#[test]
fn slow_bodies_hold_no_place_in_the_queue_and_are_given_up() {
    let served = Served::start("analyses = 1\nqueue = 0\nstall_s = 1\n");
    let field = fs::read(&demo_fields()[0]).unwrap();
    let slow: Vec<_> = (0..5).map(|_| served.begin_upload()).collect();
    let image = served.send("POST", "/v1/classify", &[BYTES], &field);
    assert_eq!(image.status, 200, "{image:?}");
    for mut slow in slow {
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("http.stall_s"), "{answer}");
    }
}

#[test]
fn hias_gets_its_answers_in_its_own_shape() {
    let served = Served::start("");
    let of = |label: &str| {
        let ends = |path: &&std::path::PathBuf| path.to_str().unwrap().ends_with(label);
        fs::read(demo_fields().iter().find(ends).unwrap()).unwrap()
    };
    let positive = served.send(
        "POST",
        "/Inference",
        &[("content-type", "image/jpeg")],
        &of("_1.jpg"),
    );
    assert_eq!(positive.status, 200);
    let positive = positive.json();
    assert_eq!(
        (&positive["Response"], &positive["Diagnosis"]),
        (&"OK".into(), &"Positive".into())
    );
    assert!(positive["Confidence"].as_f64().unwrap() > 0.5);
    assert_eq!(
        positive["Message"],
        "Acute Lymphoblastic Leukemia detected!"
    );
    assert_eq!(positive["Notice"], "demo model, not for diagnosis");
    let (kind, body) = form("file", &of("_0.jpg"));
    let negative = served
        .send("POST", "/Inference", &[("content-type", &kind)], &body)
        .json();
    assert_eq!(negative["Diagnosis"], "Negative");
    assert!(negative["Confidence"].as_f64().unwrap() > 0.5);
    let bad = served.send(
        "POST",
        "/Inference",
        &[("content-type", "image/jpeg")],
        b"a letter",
    );
    assert_eq!(bad.status, 422);
    assert_eq!(bad.json()["Response"], "FAILED");
    assert!(bad.json()["Message"].as_str().unwrap().contains("JPEG"));
}

#[test]
fn a_batch_is_classified_by_a_running_appliance_as_it_is_here() {
    let served = Served::start("access = \"token\"\nanalyses = 1\nqueue = 0\n");
    let token = served.token("viewer");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.jpg"), "a letter").unwrap();
    labelled_fields(folder.path());
    let classify = |args: &[&str], token: &str| {
        let output = smearscope(["classify"])
            .arg(folder.path())
            .args(args)
            .env("SMEARSCOPE_TOKEN", token)
            .output()
            .unwrap();
        let code = output.status.code();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (code, text(output.stdout), text(output.stderr))
    };
    let remote = ["--url", &*served.url];
    let (code, here, _) = classify(&["--engine", "embedded"], "");
    let (remote_code, there, _) = std::thread::scope(|scope| {
        // Two clients for one place: each waits for its turn.
        let other = scope.spawn(|| classify(&remote, &token));
        let first = classify(&remote, &token);
        assert_eq!(other.join().unwrap().1, first.1);
        first
    });
    assert_eq!((code, remote_code), (Some(1), Some(1)), "one is no image");
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("letter.jpg"));
        // The appliance does not report the engine's version.
        lines
            .map(|line| line.split(" on ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(lines(&there), lines(&here));
    assert!(there.contains("labelled images: TP "), "{there}");
    let letter = there
        .lines()
        .find(|line| line.contains("letter.jpg"))
        .unwrap();
    assert!(
        letter.starts_with("error") && letter.contains("JPEG"),
        "{letter}"
    );

    let objects = |text: &str| {
        let mut objects = json_lines(text.as_bytes());
        objects.retain(|object| object.get("error").is_none());
        for object in &mut objects {
            for gone in ["elapsed_ms", "stages_ms"] {
                object.as_object_mut().unwrap().remove(gone);
            }
        }
        objects
    };
    let (_, here, _) = classify(&["--json", "--engine", "embedded"], "");
    let (_, there, _) = classify(&["--json", remote[0], remote[1]], &token);
    assert_eq!(objects(&there), objects(&here));

    let (code, stdout, stderr) = classify(&remote, "");
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert!(stderr.contains("SMEARSCOPE_TOKEN"), "{stderr}");
    assert!(!stderr.contains(&token));
    let url = served.url.clone();
    drop(served);
    let (code, _, stderr) = classify(&["--url", &url], &token);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("does not answer"), "{stderr}");
}

#[test]
fn a_batch_is_sent_over_tls_to_the_appliance_with_the_certificate() {
    let served = Served::start("tls = \"on\"\n");
    let classify = |certificate: &Path| {
        let output = smearscope([
            "classify",
            "hardware/fields/field01_1.jpg",
            "--url",
            &served.url,
        ])
        .arg("--certificate")
        .arg(certificate)
        .output();
        let output = output.unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let tls = |command: &[&str]| {
        let output = smearscope(["tls"].iter().chain(command))
            .arg("--config")
            .arg(served.config())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("bench.pem");
    tls(&["export", "--out", copy.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&copy).unwrap(), tls(&["export"]));
    let shown = tls(&["show"]);
    let names = shown.lines().find(|line| line.starts_with("names:"));
    assert!(
        names.is_some_and(|names| names.contains("localhost")),
        "{shown}"
    );
    let (code, told, problem) = classify(&copy);
    assert_eq!(code, Some(0), "{problem}");
    assert!(told.starts_with("Positive"), "{told}");
    let other = Served::start("tls = \"on\"\n");
    let (code, told, problem) = classify(&other.state("tls/certificate.pem"));
    assert_eq!((code, &*told), (Some(1), ""));
    assert!(problem.contains("smearscope tls export"), "{problem}");
}

#[test]
fn an_image_is_kept_where_that_is_wanted_and_the_bench_is_left_alone() {
    let served = Served::start("").ready();
    let field = std::fs::read(&demo_fields()[0]).unwrap();
    let kind = [("content-type", "image/jpeg")];
    let answered = served.send("POST", "/v1/classify", &kind, &field).json();
    assert_eq!(answered["record"], serde_json::Value::Null);
    assert_eq!(
        served.get("/v1/slides").json()["slides"],
        serde_json::json!([])
    );

    let kept = served
        .send(
            "POST",
            "/v1/classify?store=true&name=a%2FIm1_0.jpg",
            &kind,
            &field,
        )
        .json();
    let id = kept["record"].as_str().unwrap();
    for key in ["verdict", "probability", "quality", "model"] {
        assert_eq!(kept[key], answered[key], "{key}");
    }
    let record = served.get(&format!("/v1/fields/{id}")).json();
    assert_eq!(record["verdict"], kept["verdict"]);
    assert_eq!(record["probability"], kept["probability"]);
    assert_eq!(record["source"], "a/Im1_0.jpg");
    assert_eq!(
        served.get(&format!("/v1/fields/{id}/image")).body,
        field,
        "as it was sent"
    );
    let overlay = served.get(&format!("/v1/fields/{id}/overlay"));
    assert_eq!(overlay.status, 200, "{overlay:?}");
    let slides = served.get("/v1/slides").json()["slides"].clone();
    assert_eq!(slides[0]["number"], 0);
    assert_eq!(slides[0]["standing"]["fields"], 1);

    // The bench's state does not change.
    let finding = served.post("/v1/captures").json();
    assert_eq!(finding["slide"]["number"], 1);
    assert_eq!(finding["slide"]["fields"], 1);
    let verify = smearscope(["records", "verify", "--state"])
        .arg(served.state(""))
        .output()
        .unwrap();
    let told = String::from_utf8(verify.stdout).unwrap();
    assert!(told.starts_with("4 rows and 4 images are"), "{told}");

    let wrong = served.send("POST", "/v1/classify?store=maybe", &kind, &field);
    assert!(wrong.problem(400).contains("store"), "{wrong:?}");
    let nameless = served.send("POST", "/v1/classify?store=true&name=", &kind, &field);
    assert!(nameless.problem(400).contains("name"), "{nameless:?}");
    let broken = served.send("POST", "/v1/classify?store=true", &kind, &field[..999]);
    assert_eq!(broken.status, 422, "{broken:?}");
    let count = served.get("/v1/slides").json()["slides"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(count, 2);
}

#[test]
fn an_image_is_not_kept_where_nothing_is_or_there_is_no_room() {
    let kind = [("content-type", "image/jpeg")];
    let field = std::fs::read(&demo_fields()[0]).unwrap();
    let fields = root().join("hardware/fields");
    for (more, status, detail) in [
        ("state = \"\"\n", 503, "storage.state"),
        (
            "reserve_mib = 1000000000\nmin_free_mib = 1000000000\n",
            507,
            "full",
        ),
    ] {
        let served = Served::start_with("", more, &fields);
        let kept = served.send("POST", "/v1/classify?store=true", &kind, &field);
        assert!(kept.problem(status).contains(detail), "{kept:?}");
        let answered = served.send("POST", "/v1/classify", &kind, &field);
        assert_eq!(answered.status, 200, "{answered:?}");
    }
}
