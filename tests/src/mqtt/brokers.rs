//! Messages to a real broker that is killed, over connections that are cut.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use smearscope::testing::{
    Archive, FieldEntry, FieldImages, Filter, RecordsError, SlideEntry, Store,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::http::Served;
use crate::support::mosquitto::*;
use crate::support::*;

/// A folder with a configuration of the appliance.
struct Setup {
    folder: TempDir,
}

/// A running appliance.
struct Appliance {
    child: Child,
    stdin: Option<ChildStdin>,
    verdicts: Receiver<String>,
}

impl Drop for Appliance {
    fn drop(&mut self) {
        // After a failed test; otherwise the process has already ended.
        let _ = self.child.kill();
    }
}

impl Setup {
    fn new(sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fields = folder.path().join("fields");
        fs::create_dir(&fields).unwrap();
        fs::copy(&demo_fields()[0], fields.join("1.jpg")).unwrap();
        let setup = Self { folder };
        let text = format!(
            "board = \"sim\"\n[model]\nengine = \"embedded\"\nfolder = {:?}\n[sim]\nfields = {fields:?}\n\
             panel = \"lines\"\n[timing]\nselftest_s = 0.1\n{sections}",
            demo_model()
        );
        fs::write(setup.path("config.toml"), text).unwrap();
        setup
    }

    /// A configuration with records and this broker.
    fn recording(broker: &Mosquitto, port: u16) -> Self {
        let setup = Self::new("");
        setup.configure(&format!(
            "[storage]\nstate = {:?}\nmin_free_mib = 2\nreserve_mib = 1\n\
             [mqtt]\nhost = \"localhost\"\nport = {port}\nca_file = {:?}\nuser = {USER:?}\n\
             password = {PASSWORD:?}\ndevice = \"box\"\n",
            setup.state(),
            broker.ca_file(),
        ));
        setup
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    fn configure(&self, more: &str) {
        let path = self.path("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + more).unwrap();
    }

    fn start(&self) -> Appliance {
        let mut child = Command::new(built("smearscope"))
            .args(["run", "--config"])
            .arg(self.path("config.toml"))
            .envs([VOLATILE])
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.path("log")).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, verdicts) = mpsc::channel();
        std::thread::spawn(move || {
            let mut verdicts = lines
                .map_while(Result::ok)
                .filter(|line| line.starts_with("verdict:"));
            verdicts.try_for_each(|verdict| sender.send(verdict))
        });
        Appliance {
            stdin: child.stdin.take(),
            child,
            verdicts,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }
}

impl Appliance {
    fn press(&mut self) {
        self.stdin.as_mut().unwrap().write_all(b"press\n").unwrap();
    }

    fn verdict(&self) -> String {
        self.verdicts.recv().expect("a verdict")
    }

    fn end(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_hias_network_sees_an_agent_like_the_reference() {
    let broker = Mosquitto::start();
    let listener = broker.listener("hospital/#");
    let setup = Setup::new("");
    let credentials = json!({
        "iotJumpWay": {
            "host": "localhost", "port": broker.port, "location": "hospital", "zone": "lab",
            "entity": "scope", "name": "Classifier", "un": USER, "up": PASSWORD, "ipinfo": "x"
        },
        "server": {"ip": "127.0.0.1", "port": 1234}
    });
    fs::write(setup.path("credentials.json"), credentials.to_string()).unwrap();
    let import = smearscope(["config", "import-hias"])
        .arg(setup.path("credentials.json"))
        .arg("--config")
        .arg(setup.path("config.toml"))
        .output()
        .unwrap();
    assert!(import.status.success(), "{import:?}");
    let shown = smearscope(["config", "show"])
        .arg(setup.path("config.toml"))
        .output()
        .unwrap();
    for output in [&import.stdout, &shown.stdout] {
        let output = String::from_utf8_lossy(output);
        assert!(
            output.contains("hospital") && !output.contains(PASSWORD),
            "{output}"
        );
    }
    let path = setup.path("config.toml");
    let imported = fs::read_to_string(&path).unwrap();
    assert!(
        imported.contains("[http]\nlisten = \"127.0.0.1:1234\"\n"),
        "{imported}"
    );
    let more = format!(
        "[hias]\nca_file = {:?}\nlatitude = 41.5\nclassification = true\n",
        broker.ca_file()
    );
    fs::write(&path, imported.replacen("[hias]\n", &more, 1)).unwrap();

    let mut appliance = setup.start();
    let topic = |name: &str| format!("hospital/Agents/lab/scope/{name}");
    assert_eq!(listener.wait_for(&topic("Status"), 1)[0].payload, "ONLINE");
    appliance.press();
    let verdict = appliance.verdict();
    let states = listener.wait_for(&topic("States"), 2);
    let state = |state: &str, message: &str| json!({"Type": "Prediction", "Name": "Classifier", "State": state, "Message": message});
    assert_eq!(states[0].json(), state("Processing", "Processing data"));
    let found = states[1].json();
    let word = found["State"].as_str().unwrap();
    assert!(
        verdict.starts_with(&format!("verdict: {word} ")),
        "{verdict}"
    );
    assert_eq!(word, "Positive", "what the field shows");
    assert_eq!(
        found,
        state("Positive", "Acute Lymphoblastic Leukemia detected!")
    );
    let classified = listener.wait_for(&topic("Classification"), 1)[0].json();
    assert_eq!(classified["Diagnosis"], "Positive");

    // Neither the agent's own messages nor unknown ones are commands.
    listener.say(
        &topic("States"),
        r#"{"Type": "Command", "Value": "Capture"}"#,
        false,
    );
    listener.say(&topic("Commands"), "Capture", false);
    listener.say(&topic("Commands"), &"x".repeat(100_000), false);
    let command = |value: &str| {
        json!({"Type": "Command", "Property": "Bench", "Value": value, "Message": ""}).to_string()
    };
    listener.say(&topic("Commands"), &command("Self-test"), false);
    let tested = listener.wait_for_one(&topic("States"), |heard| {
        heard.payload.contains("\"Self-test\"")
    });
    assert!(tested.payload.contains("smear-demo"), "{}", tested.payload);
    listener.say(&topic("Commands"), &command("Capture"), false);
    appliance.verdict();
    listener.wait_for(&topic("Classification"), 2);

    let life = listener.wait_for(&topic("Life"), 1)[0].json();
    let numbers = life.as_object().unwrap();
    assert_eq!(numbers.len(), 6);
    for key in [
        "CPU",
        "Memory",
        "Diskspace",
        "Temperature",
        "Latitude",
        "Longitude",
    ] {
        assert!(numbers[key].is_f64(), "{key}: {life}");
    }
    assert_eq!(life["Latitude"], 41.5);

    comes_and_goes(&setup, appliance, &broker, &listener);
}

/// The last will, an orderly end, and neither of them retained for later subscribers.
fn comes_and_goes(setup: &Setup, appliance: Appliance, broker: &Mosquitto, listener: &Listener) {
    let topic = "hospital/Agents/lab/scope/Status";
    appliance.kill();
    assert_eq!(listener.wait_for(topic, 2)[1].payload, "OFFLINE");
    let appliance = setup.start();
    assert_eq!(listener.wait_for(topic, 3)[2].payload, "ONLINE");
    assert!(appliance.end().success());
    assert_eq!(listener.wait_for(topic, 4)[3].payload, "OFFLINE");
    let late = broker.listener("hospital/#");
    late.say("hospital/end", "", false);
    late.wait_for("hospital/end", 1);
    assert_eq!(late.heard(topic), []);
    let heard = listener.heard(topic);
    let payloads: Vec<_> = heard.iter().map(|heard| heard.payload.as_str()).collect();
    // The broker does not publish the will after an orderly end.
    assert_eq!(
        payloads,
        ["ONLINE", "OFFLINE", "ONLINE", "OFFLINE"],
        "{}",
        setup.log()
    );
}

#[test]
fn a_verdict_over_http_is_published_to_hias() {
    let broker = Mosquitto::start();
    let listener = broker.listener("hospital/#");
    let hias = format!(
        "[hias]\nhost = \"localhost\"\nport = {}\nca_file = {:?}\nlocation = \"hospital\"\nzone = \"lab\"\n\
         entity = \"scope\"\nname = \"Classifier\"\nuser = {USER:?}\npassword = {PASSWORD:?}\n",
        broker.port,
        broker.ca_file()
    );
    let served = Served::start_with("", &hias, &root().join("hardware/fields"));
    let topic = |name: &str| format!("hospital/Agents/lab/scope/{name}");
    listener.wait_for(&topic("Status"), 1);
    let classify = |image: &[u8]| {
        let headers = [("content-type", "image/jpeg")];
        served.send("POST", "/Inference", &headers, image).json()
    };
    // Neither a picture that the quality gate refuses nor one that cannot be read has a verdict.
    let mut grey = std::io::Cursor::new(Vec::new());
    let picture = RgbImage::from_pixel(640, 480, image::Rgb([128; 3]));
    picture
        .write_to(&mut grey, image::ImageFormat::Jpeg)
        .unwrap();
    assert_eq!(classify(grey.get_ref())["Diagnosis"], "Inconclusive");
    assert_eq!(classify(b"a letter")["Response"], "FAILED");
    let positive = classify(&fs::read(&demo_fields()[0]).unwrap());
    assert_eq!(positive["Diagnosis"], "Positive");
    let states: Vec<_> = listener
        .wait_for(&topic("States"), 2)
        .iter()
        .map(Heard::json)
        .collect();
    let state = |state: &str, message: &str| json!({"Type": "Prediction", "Name": "Classifier", "State": state, "Message": message});
    assert_eq!(
        states,
        [
            state("Processing", "Processing data"),
            state("Positive", positive["Message"].as_str().unwrap())
        ]
    );
}

#[test]
fn events_are_published_and_commands_are_answered() {
    let broker = Mosquitto::start();
    let listener = broker.listener("#");
    let setup = Setup::recording(&broker, broker.port);
    setup.configure("discovery = true\n");
    // A retained command is old, so the appliance ignores it.
    let command = "smearscope/box/command";
    listener.say(command, r#"{"id": "old", "command": "capture"}"#, true);
    let mut appliance = setup.start();
    let topic = |name: &str| format!("smearscope/box/{name}");
    listener.wait_for(&topic("availability"), 1);
    appliance.press();
    let line = appliance.verdict();
    let event = listener.wait_for(&topic("verdict"), 1)[0].json();
    assert!(
        line.contains(event["id"].as_str().unwrap()),
        "{line}: {event}"
    );
    assert_eq!(event["seq"], 2, "after the slide's");
    assert_eq!(event["verdict"], "Positive");
    assert_eq!(event["slide"]["fields"], 1);
    assert_eq!(event["notice"], "demo model, not for diagnosis");
    let last = listener.wait_for(&topic("last_verdict"), 1)[0].json();
    assert_eq!(
        (&last["id"], &last["probability"]),
        (&event["id"], &event["probability"])
    );

    listener.say(command, r#"{"id": "t", "command": "selftest"}"#, false);
    let tested = listener.wait_for(&topic("selftest"), 1)[0].json();
    assert_eq!(tested["id"], "t");
    assert!(tested["lines"].to_string().contains("MiB free"), "{tested}");
    listener.say(command, r#"{"id": "n", "command": "next_slide"}"#, false);
    let closed = listener.wait_for_one(&topic("slide"), |heard| heard.json()["closed"] == true);
    assert_eq!(closed.json()["fields"], 1);
    listener.wait_for_one(&topic("state"), |heard| {
        heard.json()["state"] == "slide_closed"
    });
    listener.say(command, r#"{"id": "c", "command": "capture"}"#, false);
    appliance.verdict();
    listener.wait_for(&topic("verdict"), 2);
    let answers: Vec<_> = listener
        .wait_for(&topic("command/ack"), 3)
        .iter()
        .map(Heard::json)
        .collect();
    for (answer, id) in answers.iter().zip(["t", "n", "c"]) {
        assert_eq!(*answer, json!({"id": id, "accepted": true, "reason": null}));
    }
    assert_eq!(answers.len(), 3, "the retained command is ignored");
    let announced = listener.heard("homeassistant/device/smearscope_box/config")[0].json();
    assert_eq!(announced["cmps"]["capture"]["command_topic"], command);

    appliance.kill();
    let gone = |listener: &Listener| {
        listener
            .wait_for_one(&topic("availability"), |heard| heard.payload == "offline")
            .is_retained
    };
    assert!(!gone(&listener), "heard as it happened");
    let late = broker.listener("smearscope/#");
    assert!(gone(&late), "and kept for those who come later");
    let state = late.wait_for(&topic("state"), 1);
    assert!(state[0].is_retained);
    late.wait_for(&topic("health"), 1);
    late.say("smearscope/end", "", false);
    late.wait_for("smearscope/end", 1);
    assert_eq!(late.heard(&topic("verdict")), []);

    // The next start closes the slide that was open, and removes the appliance from Home Assistant.
    let path = setup.path("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("discovery = true", "discovery = false")).unwrap();
    let appliance = setup.start();
    let closed = listener.wait_for_one(&topic("slide"), |heard| {
        let slide = heard.json();
        slide["closed"] == true && slide["number"] == 2
    });
    assert_eq!(closed.json()["fields"], 1);
    listener.wait_for_one("homeassistant/device/smearscope_box/config", |heard| {
        heard.payload.is_empty()
    });
    assert!(appliance.end().success());
}

#[test]
fn a_broker_that_refuses_or_is_away_holds_up_nothing() {
    let broker = Mosquitto::start();
    let setup = Setup::recording(&broker, broker.port);
    let path = setup.path("config.toml");
    let right = fs::read_to_string(&path).unwrap();
    for (wrong, message) in [
        (
            right.replace(PASSWORD, "wrong horse"),
            "refuses user and password",
        ),
        (right.replace("\"localhost\"", "\"127.0.0.1\""), "127.0.0.1"),
        (right.replace("ca.pem", "server.pem"), "certificate"),
        (right.replace("ca.pem", "missing.pem"), "ca_file ="),
    ] {
        assert_ne!(wrong, right);
        fs::write(&path, wrong).unwrap();
        let mut appliance = setup.start();
        appliance.press();
        appliance.verdict();
        wait_until(message, || setup.log().contains(message));
        assert!(appliance.end().success());
        let log = setup.log();
        assert!(!log.contains("horse"), "{log}");
    }
}

#[test]
fn every_verdict_arrives_in_order_however_often_the_broker_is_killed_and_the_way_is_cut() {
    const VERDICTS: usize = 1000;
    const CUTS: usize = 50;
    let broker = Mosquitto::start();
    let listener = Arc::new(broker.listener("smearscope/box/#"));
    let topic = "smearscope/box/verdict";

    // The appliance registers the broker; every later field must be delivered.
    let way = Way::to(broker.port);
    let setup = Setup::recording(&broker, way.port);
    let mut appliance = setup.start();
    appliance.press();
    appliance.verdict();
    listener.wait_for(topic, 1);
    assert!(appliance.end().success());
    // The test writes the records itself, because presses would take too long.
    record(&setup.state(), VERDICTS);

    // The same port now leads through the cuts. At every fifth cut the broker is killed and loses its state.
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let budgets: Vec<_> = (0..CUTS)
        .map(|_| random.random_range(5_000..14_000))
        .collect();
    let cut = {
        let (broker, listener) = (Arc::clone(&broker), Arc::clone(&listener));
        move |number: usize| {
            if number.is_multiple_of(5) {
                let before = listener.subscriptions();
                broker.restart();
                // The broker drops messages without a subscriber, which is not under test.
                listener.wait_for_subscriptions(before + 1);
            }
        }
    };
    way.cut(budgets, cut);
    let mut appliance = setup.start();
    for _ in 0..3 {
        appliance.press();
        let verdict = appliance.verdict();
        assert!(!verdict.contains("NOT SAVED"), "{verdict}");
    }
    let ids = |listener: &Listener| {
        let mut known = HashSet::new();
        let mut ids: Vec<Uuid> = Vec::new();
        for heard in listener.heard(topic) {
            let id = heard.json()["id"].as_str().unwrap().parse().unwrap();
            if known.insert(id) {
                ids.push(id);
            }
        }
        ids
    };
    wait_until("the cuts", || way.cuts() == CUTS);
    let at_last_cut = ids(&listener).len();
    let expected: Vec<_> = recorded(&setup.state())
        .iter()
        .map(|field| field.id)
        .collect();
    assert_eq!(expected.len(), 1 + VERDICTS + 3);
    wait_until("all verdicts", || ids(&listener).len() >= expected.len());
    assert!(appliance.end().success());
    assert_eq!(ids(&listener), expected);
    assert!(
        at_last_cut < expected.len(),
        "the cuts came too late: {at_last_cut}"
    );
    let heard = listener.heard(topic).len();
    eprintln!("{heard} arrivals of {} verdicts", expected.len());
    assert!(heard > expected.len(), "none was cut off: {heard}");
    // The appliance resends only messages without an acknowledgement.
    let starts = listener.heard("smearscope/box/health").len();
    let appliance = setup.start();
    listener.wait_for("smearscope/box/health", starts + 1);
    assert!(appliance.end().success());
    let again = listener.heard(topic).len() - heard;
    assert!(again <= 16, "{again} came again");
}

/// All fields in the order of recording.
fn recorded(state: &Path) -> Vec<FieldEntry> {
    let mut fields = Vec::new();
    let each = |record: smearscope::testing::Record| {
        fields.push(record.field);
        Ok::<_, RecordsError>(())
    };
    let archive = Archive::open(state).unwrap();
    archive.fields(&Filter::default(), each).unwrap();
    fields
}

/// Records `fields` fields of one slide like the first, as an appliance does.
fn record(state: &Path, fields: usize) {
    let first = recorded(state).remove(0);
    let mut store = Store::open(state.into()).unwrap();
    let image = RgbImage::new(3, 2);
    let slide = SlideEntry {
        id: Uuid::now_v7(),
        number: 2,
        started_at: "2026-01-01T12:00:00.000Z".into(),
    };
    for number in 1..=fields {
        let id = Uuid::now_v7();
        let pictures = FieldImages {
            encoded: None,
            image: &image,
            exif: None,
            overlay: None,
        };
        let images = store.write_images(slide.id, id, &pictures).unwrap();
        let entry = FieldEntry {
            id,
            slide: slide.id,
            number: number as u32,
            image: images.image,
            overlay: images.overlay,
            ..first.clone()
        };
        let until = std::time::Instant::now() + std::time::Duration::from_mins(1);
        store.commit(&slide, &entry, None, until).unwrap();
    }
}
