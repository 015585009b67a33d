//! Records over HTTP: clients read what was recorded and nothing else.

use std::fs;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::http::*;
use crate::support::*;

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

/// Captures a field as soon as the appliance accepts it, and returns its record's id.
fn capture(served: &Served) -> String {
    capture_as(served, "")
}

fn capture_as(served: &Served, token: &str) -> String {
    let finding = served.capture(token).json();
    finding["record"].as_str().unwrap().to_owned()
}

/// The output of `smearscope records list`.
fn listed(served: &Served) -> Vec<Value> {
    let output = smearscope(["records", "list", "--json", "--state"])
        .arg(served.state(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    json_lines(&output.stdout)
}

#[test]
fn slides_and_fields_are_read_as_they_were_recorded() {
    let served = Served::start("").ready();
    assert_eq!(
        served.get("/v1/slides").json()["slides"],
        Value::Array(vec![])
    );
    let first = capture(&served);
    assert_eq!(served.post("/v1/slides/next").status, 200);
    let second = capture(&served);
    let third = capture(&served);

    let all = served.get("/v1/slides").json();
    assert_eq!(all["next"], Value::Null);
    let numbers: Vec<_> = all["slides"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slide| &slide["number"])
        .collect();
    assert_eq!(numbers, [2, 1], "newest first");
    assert_eq!(all["slides"][0]["demo"], true);
    let page = served.get("/v1/slides?limit=1").json();
    assert_eq!(page["slides"][0], all["slides"][0]);
    let rest = served
        .get(&format!("/v1/slides?limit=1&cursor={}", page["next"]))
        .json();
    assert_eq!(
        (&rest["slides"][0], &rest["next"]),
        (&all["slides"][1], &Value::Null)
    );
    let began = all["slides"][0]["started_at"].as_str().unwrap();
    let since = served.get(&format!("/v1/slides?since={began}")).json();
    assert_eq!(since["slides"].as_array().unwrap().len(), 1);
    let verdict = all["slides"][1]["standing"]["verdict"].as_str().unwrap();
    let of_verdict = served
        .get(&format!("/v1/slides?verdict={verdict}&until={began}"))
        .json();
    assert_eq!(of_verdict["slides"][0], all["slides"][1]);

    let id = all["slides"][0]["id"].as_str().unwrap();
    let slide = served.get(&format!("/v1/slides/{id}")).json();
    let ids: Vec<_> = slide["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| &field["id"])
        .collect();
    assert_eq!(ids, [&*second, &*third], "as they were photographed");
    assert_eq!(slide["standing"], all["slides"][0]["standing"]);
    let field = served.get(&format!("/v1/fields/{first}")).json();
    assert_eq!(as_listed(field), listed(&served)[0]);

    let unknown = "00000000-0000-7000-8000-000000000000";
    for path in [
        format!("/v1/slides/{unknown}"),
        format!("/v1/fields/{unknown}"),
        format!("/v1/fields/{unknown}/image"),
    ] {
        assert!(served.get(&path).problem(404).contains(unknown), "{path}");
    }
    for (path, part) in [
        ("/v1/fields/nonsense", "UUID"),
        ("/v1/slides?verdct=Positive", "verdct"),
        ("/v1/slides?limit=0", "limit"),
        ("/v1/slides?limit=101", "limit"),
        ("/v1/slides?since=yesterday", "since"),
        ("/v1/records/export", "format"),
    ] {
        assert!(served.get(path).problem(400).contains(part), "{path}");
    }
}

#[test]
fn images_are_sent_as_they_were_recorded_or_not_at_all() {
    let served = Served::start("").ready();
    let id = capture(&served);
    let field = listed(&served).remove(0);
    let path = |key: &str| field[key]["path"].as_str().unwrap().to_owned();
    let image = served.get(&format!("/v1/fields/{id}/image"));
    assert_eq!(image.status, 200, "{image:?}");
    assert_eq!(image.body, fs::read(served.state(&path("image"))).unwrap());
    assert_eq!(sha256(&image.body), field["image"]["sha256"]);
    assert_eq!(image.header("content-type"), "image/jpeg");
    assert_eq!(image.header("x-content-type-options"), "nosniff");
    assert!(image.header("cache-control").contains("immutable"));
    let overlay = served.get(&format!("/v1/fields/{id}/overlay"));
    assert_eq!(overlay.header("content-type"), "image/png");
    assert_eq!(sha256(&overlay.body), field["overlay"]["sha256"]);

    // Replaced by another image, or by a link that leaves the folder.
    let file = served.state(&path("image"));
    fs::write(&file, &overlay.body).unwrap();
    let exchanged = served.get(&format!("/v1/fields/{id}/image"));
    assert!(exchanged.problem(500).contains("records verify"));
    assert_eq!(exchanged.header("cache-control"), "no-store");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&demo_fields()[0], &file).unwrap();
    served.get(&format!("/v1/fields/{id}/image")).problem(500);
}

#[test]
fn an_archive_counts_as_exported_once_it_has_arrived() {
    let served = Served::start("access = \"token\"\n");
    let tokens = ["viewer", "operator"].map(|role| format!("Bearer {}", served.token(role)));
    let [viewer, operator] = &tokens;
    let send = |method: &str, path: &str, token: &str| {
        served.send(method, path, &[("authorization", token)], b"")
    };
    let ids = [(); 2].map(|()| capture_as(&served, operator));

    let csv = send("GET", "/v1/records/export?format=csv", viewer);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(String::from_utf8(csv.body).unwrap().lines().count(), 3);
    let json = send("GET", "/v1/records/export?format=json", viewer);
    let exported: Vec<_> = json_lines(&json.body).into_iter().map(as_listed).collect();
    assert_eq!(exported, listed(&served));
    let none = send(
        "GET",
        "/v1/records/export?format=json&until=2001-01-01T00:00:00Z",
        viewer,
    );
    assert_eq!((none.status, none.body.len()), (200, 0));

    let zip = send("GET", "/v1/records/export?format=zip", viewer);
    assert_eq!(
        (zip.header("content-type"), zip.header("damaged-images")),
        ("application/zip", "0")
    );
    assert_eq!(
        zip.header("content-disposition"),
        "attachment; filename=\"records.zip\""
    );
    let field = &listed(&served)[0];
    let image = fs::read(served.state(field["image"]["path"].as_str().unwrap())).unwrap();
    assert!(
        zip.body.windows(image.len()).any(|part| part == image),
        "images are stored as they are"
    );
    assert_eq!(
        field["exported_at"],
        Value::Null,
        "the client has not confirmed its arrival"
    );

    let tell = |hash: &str, token: &str| {
        send(
            "POST",
            &format!("/v1/records/exported?sha256={hash}"),
            token,
        )
    };
    let hash = sha256(&zip.body);
    assert!(tell(&hash, viewer).problem(403).contains("operator"));
    assert!(
        tell(&"0".repeat(64), operator)
            .problem(404)
            .contains("SHA-256")
    );
    assert_eq!(tell(&hash, operator).json()["noted"], 2);
    assert_eq!(tell(&hash, operator).json()["noted"], 0, "once is enough");
    for (field, id) in listed(&served).iter().zip(&ids) {
        assert_eq!(field["id"], **id);
        assert!(field["exported_at"].is_string(), "{field}");
    }
    // No temporary file remains.
    let mut left: Vec<_> = fs::read_dir(served.state(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("records.") && name != "images" && name != "incoming")
        .collect();
    left.sort();
    assert_eq!(left, ["tokens.json"]);
}

#[test]
fn an_export_leaves_the_room_that_the_bench_needs() {
    // More than any disk has.
    let storage = "min_free_mib = 1073741824\nreserve_mib = 1\n";
    let served = Served::start_with("", storage, &root().join("hardware/fields"));
    capture(&served);
    let full = served.get("/v1/records/export?format=csv");
    assert!(full.problem(507).contains("since"));
}

#[test]
fn without_records_the_error_names_the_setting() {
    let served = Served::start_with("", "state = \"\"\n", &root().join("hardware/fields"));
    for path in [
        "/v1/slides",
        "/v1/fields/00000000-0000-7000-8000-000000000000",
        "/v1/records/export?format=zip",
    ] {
        assert!(
            served.get(path).problem(404).contains("storage.state"),
            "{path}"
        );
    }
}

#[test]
fn a_note_on_a_slide_stays_as_it_was_written() {
    let served = Served::start("").ready();
    capture(&served);
    let slides = served.get("/v1/slides").json();
    let slide = slides["slides"][0]["id"].as_str().unwrap().to_owned();
    let write = |slide: &str, body: &str| {
        let path = format!("/v1/slides/{slide}/notes");
        served.send(
            "POST",
            &path,
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
    };
    let first = write(&slide, r#"{"text": "  Second field:\nblasts? "}"#);
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.json()["text"], "Second field:\nblasts?");
    let second = write(&slide, r#"{"text": "No: <smudge cells>"}"#).json();
    let notes = served.get(&format!("/v1/slides/{slide}")).json()["notes"].clone();
    assert_eq!(notes, Value::from(vec![first.json(), second]));

    for (body, detail) in [
        (r#"{"text": " "}"#, "write 1 to 2000 characters"),
        (r#"{"text": "bell\u0007"}"#, "contains control characters"),
        (
            &*format!(r#"{{"text": "{}"}}"#, "x".repeat(2001)),
            "split it into several notes",
        ),
        (r#"{"text": "x", "by": "me"}"#, "unknown field `by`"),
    ] {
        let problem = write(&slide, body).problem(422);
        assert!(problem.contains(detail), "{problem}");
    }
    let unknown = "01890000-0000-7000-8000-000000000000";
    let problem = write(unknown, r#"{"text": "x"}"#).problem(404);
    assert!(problem.contains("there is no slide"), "{problem}");

    let verify = smearscope(["records", "verify", "--state"])
        .arg(served.state(""))
        .output()
        .unwrap();
    let told = String::from_utf8(verify.stdout).unwrap();
    // The slide, its field, and the notes.
    assert!(told.starts_with("4 rows and "), "{told}");
}

#[test]
fn a_field_that_was_not_saved_counts_nowhere_and_is_told_everywhere() {
    let served = Served::start_with("", "", &root().join("hardware/fields"));
    capture(&served);
    let (incoming, aside) = (served.state("incoming"), served.state("aside"));
    fs::rename(&incoming, &aside).unwrap();
    fs::write(&incoming, "in the way").unwrap();
    let lost = served.capture("").json();
    assert_eq!(
        (&lost["saved"], &lost["record"]),
        (&false.into(), &Value::Null)
    );
    assert!(lost["probability"].is_number(), "{lost}");
    let slide = &lost["slide"];
    assert_eq!(
        (&slide["fields"], &slide["unsaved"]),
        (&1.into(), &1.into())
    );
    fs::remove_file(&incoming).unwrap();
    fs::rename(&aside, &incoming).unwrap();

    let saved = served.capture("").json();
    assert_eq!(saved["saved"], true);
    let state = &served.get("/v1/device").json()["state"];
    let closed = served.send("POST", "/v1/slides/next", &[], b"").json();
    let rows = listed(&served);
    assert_eq!(rows.len(), 2);
    for told in [
        &saved["slide"],
        state,
        &closed["closed"],
        &rows[1]["standing"],
    ] {
        assert_eq!(
            (&told["fields"], &told["unsaved"]),
            (&2.into(), &1.into()),
            "{told}"
        );
    }
    assert_eq!(rows[1]["number"], 2);
    assert_eq!(
        rows[1]["standing"]["probability"],
        closed["closed"]["probability"]
    );
}
