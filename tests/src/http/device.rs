//! The appliance over HTTP: its state, its button, its events and metrics.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::http::*;
use crate::support::*;

/// A server-sent event.
#[derive(Debug)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

/// Follows the event stream after the event `last`.
fn listen(served: &Served, last: &str) -> impl Iterator<Item = Event> + use<> {
    let mut stream = served.connect();
    write!(
        stream,
        "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {last}\r\n\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    std::iter::from_fn(move || {
        let mut value = |name: &str| {
            let lines = lines.by_ref();
            lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
        };
        let id = value("id")?;
        Some(Event {
            id,
            kind: value("event")?,
            data: serde_json::from_str(&value("data")?).unwrap(),
        })
    })
}

#[test]
fn it_says_how_it_is_and_how_it_is_set_up() {
    let served = Served::start("").ready();
    let live = served.get("/v1/health/live");
    assert_eq!(
        (live.status, live.json()["status"].as_str()),
        (200, Some("ok"))
    );
    assert_eq!(served.get("/v1/health/ready").status, 200);
    let device = served.get("/v1/device").json();
    assert_eq!(device["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(device["model"]["demo"], true);
    assert_eq!(device["self_test"]["passed"], true);
    assert_eq!(device["state"]["waiting"], true);
    let lamps = serde_json::json!({"red": "off", "amber": "off", "green": "on"});
    assert_eq!(device["state"]["lamps"], lamps);
    assert!(device["disk"]["free_bytes"].as_u64() <= device["disk"]["total_bytes"].as_u64());
    let models = served.get("/v1/models").json();
    assert_eq!(models[0]["name"], "smear-demo");
    assert_eq!(
        models[0]["manifest_sha256"].as_str().map(str::len),
        Some(64)
    );
    let config = served.get("/v1/config").json();
    assert_eq!(config["model"]["engine"], "embedded");
    assert_eq!(config["http"]["body_mib"], 32);
}

#[test]
fn every_error_is_a_problem_that_says_what_to_do() {
    let served = Served::start("body_mib = 1\n");
    assert!(served.get("/nothing").problem(404).contains("openapi.json"));
    let wrong = served.send("PUT", "/v1/device", &[], b"");
    assert!(wrong.problem(405).contains("Allow"));
    assert_eq!(wrong.header("allow"), "GET,HEAD");
    // The header alone is enough to refuse it.
    let length = (1 << 20) + 1;
    let mut stream = served.connect();
    write!(
        stream,
        "POST /v1/captures HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("http.body_mib"), "{answer}");
}

#[test]
fn headers_that_never_end_are_not_waited_for() {
    let served = Served::start("header_s = 0.1\n");
    let mut stream = served.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    let mut rest = Vec::new();
    // The connection must end, whatever the answer.
    let _ = stream.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
}

#[test]
fn a_capture_is_a_press_and_answers_the_finding() {
    let mut served = Served::start("").ready();
    let mut events = listen(&served, "");
    let first = events.next().unwrap();
    assert_eq!(
        (first.kind.as_str(), &first.data["name"]),
        ("state", &"ready".into())
    );

    let capture = served.post("/v1/captures");
    assert_eq!(capture.status, 201, "{capture:?}");
    let finding = capture.json();
    let field = &demo_fields()[0];
    let name = field.file_name().unwrap().to_str().unwrap();
    assert!(finding["source"].as_str().unwrap().contains(name));
    let expected = if name.ends_with("_1.jpg") {
        "Positive"
    } else {
        "Negative"
    };
    assert_eq!(finding["verdict"], expected);
    assert_eq!(finding["demo"], true);
    assert_eq!(finding["slide"]["number"], 1);
    assert_eq!(finding["slide"]["fields"], 1);
    assert_eq!(finding["quality"]["focus"]["passed"], true);
    assert_eq!(finding["shown"]["verdict"], finding["slide"]["verdict"]);

    // The same as on the command line.
    let local = smearscope(["classify", "--json", "--engine", "embedded"])
        .arg(field)
        .output()
        .unwrap();
    let local = &json_lines(&local.stdout)[0];
    for key in [
        "verdict",
        "probability",
        "threshold",
        "inconclusive_band",
        "calibrated",
        "strongest",
        "quality",
    ] {
        assert_eq!(finding[key], local[key], "{key}");
    }

    let told = events.find(|event| event.kind == "verdict").unwrap();
    assert_eq!(told.data, finding);
    let closed = served.post("/v1/slides/next");
    assert_eq!(closed.status, 200, "{closed:?}");
    assert_eq!(closed.json()["closed"]["fields"], 1);
    assert_eq!(closed.json()["slide"], 2);
    let slide = events.find(|event| event.kind == "slide").unwrap();
    assert_eq!(slide.data, closed.json()["closed"]);
    let again = served.post("/v1/slides/next").json();
    assert_eq!(
        (&again["closed"], &again["slide"]),
        (&Value::Null, &2.into())
    );

    // A client that reconnects misses nothing.
    let missed = listen(&served, &told.id).find(|event| event.kind == "slide");
    assert_eq!(missed.unwrap().id, slide.id);
    served.panel("quit");
    let last = events.last().unwrap();
    assert_eq!(last.data["name"], "off");
}

#[test]
fn the_last_verdict_is_shown_again_and_the_slide_closed_before_it_is_switched_off() {
    let mut served = Served::start("").ready();
    let problem = served.post("/v1/repeat").problem(409);
    assert!(problem.contains("capture a field first"), "{problem}");
    let device = |served: &Served| served.get("/v1/device").json()["state"].clone();
    assert_eq!(device(&served)["can_repeat"], false);
    assert_eq!(served.post("/v1/captures").status, 201);
    let again = served.post("/v1/repeat");
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(again.json()["name"], "again");
    assert_eq!(again.json(), device(&served));
    let mut events = listen(&served, "");
    // The state before may still be the first.
    assert!(events.any(|event| event.data == again.json()));

    let off = served.post("/v1/off");
    assert_eq!(off.status, 202, "{off:?}");
    assert_eq!(off.json(), serde_json::json!({ "machine": false }));
    let told: Vec<_> = events
        .map(|event| {
            (
                event.kind,
                event.data["number"].clone(),
                event.data["name"].clone(),
            )
        })
        .collect();
    let slide = ("slide".to_owned(), 1.into(), Value::Null);
    assert!(told.contains(&slide), "{told:?}");
    assert_eq!(told.last().unwrap().2, "off");
    assert_eq!(served.ended().and_then(|status| status.code()), Some(0));
}

#[test]
fn a_press_while_it_works_is_refused_and_a_fault_is_told() {
    let fields = tempfile::tempdir().unwrap();
    // A camera that blocks until the test writes into this pipe.
    let pipe = fields.path().join("1.jpg");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let served = Served::start_with(
        "",
        "[timing]\ncapture_s = 600\nselftest_s = 0.1\n",
        fields.path(),
    );
    let served = served.ready();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| served.post("/v1/captures"));
        served.wait_for("capturing");
        let second = served.post("/v1/captures");
        let problem = second.problem(409);
        assert!(problem.contains("taking a picture"), "{problem}");
        assert_eq!(second.header("retry-after"), "1");
        std::fs::write(&pipe, "no picture").unwrap();
        let problem = first.join().unwrap().problem(503);
        assert!(problem.contains("1.jpg"), "{problem}");
    });
    let problem = served.get("/v1/health/ready").problem(503);
    assert!(problem.contains("1.jpg"), "{problem}");
    let list = || {
        let output = smearscope(["faults", "--json", "--state"])
            .arg(served.state(""))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        json_lines(&output.stdout)
    };
    let deadline = Instant::now() + PATIENCE;
    while list().is_empty() {
        assert!(Instant::now() < deadline, "the fault is not saved");
        std::thread::sleep(Duration::from_millis(5));
    }
    let faults = served.get("/v1/faults").json();
    assert_eq!(faults.as_array().unwrap().len(), 1);
    assert_eq!(faults[0]["part"], "capture");
    assert_eq!(faults[0]["count"], 1);
    let message = faults[0]["message"].as_str().unwrap();
    assert!(message.contains("1.jpg"), "{message}");
    assert_eq!(list()[0]["message"], message);
}

#[test]
fn an_appliance_that_is_stopped_or_restarts_does_not_say_that_it_is_switched_off() {
    for (signal, message) in [(Signal::TERM, "stopped"), (Signal::HUP, "restarting")] {
        let served = Served::start("").ready();
        let mut events = listen(&served, "");
        events.next().unwrap();
        served.signal(signal);
        let last = events.last().unwrap().data;
        assert_eq!(last["name"], "off");
        assert_eq!(last["message"], message);
    }
}

#[test]
fn what_is_wrong_but_prevents_no_capture_is_a_warning() {
    let state = tempfile::tempdir().unwrap();
    let verified = serde_json::json!({
        "verified_at": "2026-05-01T12:00:00.000Z", "rows": 9, "images": 8, "orphans": 0, "damaged": 2,
        "first_damages": ["row 3 (field) has changed since it was written"],
    });
    let verified = verified.to_string();
    std::fs::write(state.path().join("records.verified"), verified).unwrap();
    let models = state.path().join("models");
    std::fs::create_dir(&models).unwrap();
    let roles = "current = \"gone-2.0.0-abcdef\"\nprevious = \"gone-1.0.0-abcdef\"\n";
    std::fs::write(models.join("models.toml"), roles).unwrap();
    let more = format!("state = {:?}\n", state.path());
    let served = Served::start_with("", &more, &root().join("hardware/fields"));
    // A failed one stays until a press.
    served.wait_for("selftest");

    let ready = served.get("/v1/health/ready");
    assert_eq!(ready.status, 200, "{ready:?}");
    let warnings = ready.json()["warnings"].clone();
    let [model, records] = &warnings.as_array().unwrap()[..] else {
        panic!("{warnings}");
    };
    let (model, records) = (model.as_str().unwrap(), records.as_str().unwrap());
    assert!(model.starts_with("using the shipped model"), "{model}");
    assert!(
        records.starts_with("damaged records on 2026-05-01: row 3 (field) has changed"),
        "{records}"
    );
    assert_eq!(
        served.get("/v1/device").json()["state"]["warnings"],
        warnings
    );
    let metrics = String::from_utf8(served.get("/metrics").body).unwrap();
    assert!(metrics.contains("\nsmearscope_warnings 2.0\n"), "{metrics}");

    // Uploaded images are judged by the same model.
    let field = std::fs::read(&demo_fields()[0]).unwrap();
    let kind = [("content-type", "image/jpeg")];
    let answer = served.send("POST", "/v1/classify", &kind, &field);
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let used = answer["model"].as_str().unwrap();
    assert!(used.starts_with("smear-demo "), "{used}");
}

#[test]
fn a_model_that_fails_lives_and_is_never_ready() {
    let model = copy_of_demo_model();
    std::fs::write(model.path().join("model.onnx"), "no network").unwrap();
    let more = format!(
        "[model]\nengine = \"embedded\"\nfolder = {:?}\n",
        model.path()
    );
    let served = Served::start_with("", &more, &root().join("hardware/fields"));
    served.wait_for("fault");
    assert_eq!(served.get("/v1/health/live").status, 200);
    assert!(
        served
            .get("/v1/health/ready")
            .problem(503)
            .contains("damaged")
    );
    assert!(served.post("/v1/captures").problem(409).contains("damaged"));
}

#[test]
fn what_happened_is_counted_for_prometheus() {
    let served = Served::start("").ready();
    let finding = served.post("/v1/captures").json();
    let verdict = finding["verdict"].as_str().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let text = loop {
        let metrics = served.get("/metrics");
        assert_eq!(metrics.status, 200, "{metrics:?}");
        assert!(
            metrics
                .header("content-type")
                .starts_with("text/plain; version=0.0.4")
        );
        let text = String::from_utf8(metrics.body).unwrap();
        if text.contains("smearscope_verdicts_total{") || Instant::now() > deadline {
            break text;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut wanted = vec![
        format!("smearscope_verdicts_total{{verdict=\"{verdict}\"}} 1"),
        "smearscope_faults_total 0".into(),
        "smearscope_queue_images 0.0".into(),
    ];
    for stage in [
        "capture",
        "decoding",
        "gate",
        "inference",
        "counting",
        "storing",
    ] {
        wanted.push(format!(
            "smearscope_stage_seconds_count{{stage=\"{stage}\"}} 1"
        ));
    }
    for line in wanted {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(text.contains("smearscope_disk_free_bytes "), "{text}");
}
