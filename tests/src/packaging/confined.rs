//! What the README promises under the service, tried with what the package's unit forbids.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::confinement::Confinement;
use crate::support::fake_rpicam::{FakeRpicam, Plan};
use crate::support::http::*;
use crate::support::mosquitto::*;

#[test]
fn the_confinement_is_that_of_the_unit() {
    let Some(confinement) = Confinement::of_the_unit() else {
        return;
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let owner = file.path().metadata().unwrap().uid().to_string();
    let said = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).arg(file.path());
        command.stderr(Stdio::piped());
        let child = confinement.spawn(&mut command).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(said("chmod", &["0640"]), "");
    // Even where nothing would change.
    let refused = said("chown", &[&owner]);
    assert!(refused.contains("Operation not permitted"), "{refused}");
}

#[test]
fn the_service_does_all_that_it_promises() {
    let Some(confinement) = Confinement::of_the_unit() else {
        return;
    };
    let broker = Mosquitto::start();
    let verdicts = broker.listener("smearscope/box/verdict");
    verdicts.wait_for_subscriptions(1);
    let mqtt = format!(
        "[mqtt]\nhost = \"localhost\"\nport = {}\nca_file = {:?}\nuser = {USER:?}\n\
         password = {PASSWORD:?}\ndevice = \"box\"\n",
        broker.port,
        broker.ca_file()
    );
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("off");
    let spawn = |command: &mut Command| {
        // As the unit's StateDirectory= does.
        command.env("STATE_DIRECTORY", folder.path());
        command.env("SMEARSCOPE__SWITCH_OFF", format!("[\"touch\", {mark:?}]"));
        // The best engine that is here.
        command.env("SMEARSCOPE__MODEL__ENGINE", "auto");
        confinement.spawn(command)
    };
    let mut served = Served::start_by(spawn, "listen = \"0.0.0.0:0\"\n", &mqtt);
    served.serve_others();
    let tokens = served.state("tokens.json");
    let mode = tokens.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it wrote the first token");
    let token = format!("Bearer {}", served.token("operator"));

    served.capture(&token);
    // Only what is recorded is published.
    verdicts.wait_for("smearscope/box/verdict", 1);
    for path in [
        "/v1/health/ready",
        "/v1/device",
        "/v1/slides",
        "/v1/camera/snapshot",
        "/v1/records/export?format=csv",
        "/v1/records/export?format=zip",
        "/v1/log",
        "/metrics",
    ] {
        let answer = served.send("GET", path, &[("authorization", &token)], b"");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let image = std::fs::read(&crate::support::demo_fields()[0]).unwrap();
    let path = "/v1/classify?store=true";
    let classified = served.send("POST", path, &[("authorization", &token)], &image);
    assert_eq!(classified.status, 200, "{classified:?}");

    served.signal(Signal::HUP);
    served.serve_others();
    served.capture(&token);
    let off = served.send("POST", "/v1/off", &[("authorization", &token)], b"");
    assert_eq!(off.status, 202, "{off:?}");
    assert!(served.ended().unwrap().success());
    assert!(mark.exists(), "it switched the machine off");
}

#[test]
fn the_service_may_run_the_program_of_a_ribbon_camera() {
    let Some(confinement) = Confinement::of_the_unit() else {
        return;
    };
    let fake = FakeRpicam::new(&Plan {
        frames: vec![crate::support::demo_fields()[0].clone()],
        pause_ms: 10,
        ..Plan::default()
    });
    let spawn = |command: &mut Command| confinement.spawn(command.envs(fake.settings()));
    let mut served = Served::start_by(spawn, "", "");
    let line = served.logged("listening on ");
    served.url = line.rsplit_once(' ').unwrap().1.to_owned();
    let served = served.ready();
    let captured = served.post("/v1/captures");
    assert_eq!(captured.status, 201, "{captured:?}");
    assert_eq!(captured.json()["source"], "imx477 (ribbon camera 0)");
    let record = captured.json()["record"].as_str().unwrap().to_owned();
    let record = served.get(&format!("/v1/fields/{record}")).json();
    assert_eq!(record["camera"]["exposure_us"], 9994.0, "{record}");
    assert_eq!(record["camera"]["red_gain"], 2.0);
    served.signal(Signal::TERM);
}
