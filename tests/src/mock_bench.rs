//! The appliance's real loop, model and display driver on scripted hardware.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use smearscope::analysis::{Analysis, Analyst};
use smearscope::appliance::{self, ApplianceError, Timing};
use smearscope::machine::State;
use smearscope::screens::{self, Identity};
use smearscope::verdict::Verdict;
use smearscope_artifacts::decode::Limits;
use smearscope_artifacts::{ArtifactError, EngineChoice, EngineConfig};
use smearscope_hardware::mock::{Bench, assert_art};
use smearscope_hardware::oled::{OledSetup, Ssd1306Screen};
use smearscope_hardware::virtual_ssd1306::VirtualSsd1306;
use smearscope_hardware::{Board, ButtonEvent, HardwareError, Light, Lights, mock};

use crate::bench_top::*;

/// Long enough for any machine; only the test of a stall uses less.
const TIMING: Timing = Timing {
    capture: Duration::from_mins(1),
    analysis: Duration::from_mins(1),
    hold: Duration::from_hours(1),
    refresh: Duration::from_millis(20),
};

const RED: Lights = Lights {
    red: Light::Steady,
    amber: Light::Off,
    green: Light::Off,
};
const FAULT: Lights = Lights {
    red: Light::Blink,
    ..RED
};
const READY: Lights = Lights {
    red: Light::Off,
    amber: Light::Off,
    green: Light::Steady,
};
const NEGATIVE: Lights = Lights {
    green: Light::Blink,
    ..READY
};

fn load(model: &Path) -> Result<Analyst, ArtifactError> {
    let engine = EngineConfig {
        choice: EngineChoice::Embedded,
        ..EngineConfig::default()
    };
    Analyst::load(model, &engine, Limits::default())
}

/// An appliance at work on a thread of its own.
struct Running {
    bench: Bench,
    verdicts: Arc<Mutex<Vec<Verdict>>>,
    thread: JoinHandle<Result<(), ApplianceError>>,
}

impl Running {
    fn start(timing: Timing, model: &Path) -> Self {
        let (board, bench) = mock::board();
        Self::start_on(board, bench, timing, model)
    }

    fn start_on(board: Board, bench: Bench, timing: Timing, model: &Path) -> Self {
        let verdicts = Arc::<Mutex<Vec<Verdict>>>::default();
        let thread = std::thread::spawn({
            let (model, verdicts) = (model.to_owned(), Arc::clone(&verdicts));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(appliance::run(
                    board,
                    move || load(&model),
                    timing,
                    |report| verdicts.lock().unwrap().push(report.analysis.verdict),
                    std::future::pending(),
                ))
            }
        });
        Self {
            bench,
            verdicts,
            thread,
        }
    }

    /// Presses, and waits for the LEDs that must follow.
    fn press(&self, what: &str, lights: Lights) {
        assert!(self.bench.button.press());
        self.bench.leds.wait_until(what, |shown| *shown == lights);
    }

    fn end(self) -> (Vec<Verdict>, Result<(), ApplianceError>) {
        assert!(self.bench.button.shutdown());
        let result = self.thread.join().unwrap();
        assert_eq!(self.bench.leds.latest(), Some(Lights::default()));
        let verdicts = self.verdicts.lock().unwrap().clone();
        (verdicts, result)
    }
}

/// A shipped field whose name ends in `_1` (positive) or `_0`.
fn field(label: &str) -> (Vec<u8>, String) {
    let path = demo_fields()
        .into_iter()
        .find(|path| path.to_str().unwrap().ends_with(&format!("{label}.jpg")))
        .unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    (std::fs::read(path).unwrap(), name)
}

fn deliver(running: &Running, label: &str) {
    let (bytes, name) = field(label);
    running.bench.camera.will_deliver(bytes, &name);
}

fn expected(label: &str) -> (Analysis, Identity) {
    let mut analyst = load(&demo_model()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (bytes, name) = field(label);
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let analysis = analyst.analyse_file(&path).unwrap();
    let manifest = analyst.manifest();
    let identity = Identity {
        model: format!("{} {}", manifest.name, manifest.version),
        engine: "embedded CPU".into(),
        is_demo: true,
    };
    (analysis, identity)
}

#[test]
fn a_press_ends_with_the_verdict_on_the_oled_and_the_leds() {
    let running = Running::start(TIMING, &demo_model());
    deliver(&running, "_1");
    running.press("red", RED);
    let (analysis, identity) = expected("_1");
    let glass = screens::picture(&State::Verdict(analysis), Some(&identity));
    let shown = running
        .bench
        .screen
        .wait_until("the verdict", |canvas| *canvas == glass);
    // The P of POSITIVE, and the D of DEMO, dark on light.
    assert_art(
        &shown,
        26,
        3,
        "
        ######..
        ##...##.
        ##....##
        ",
    );
    assert_art(
        &shown,
        6,
        57,
        "
        #...##.
        #.##.#.
        ",
    );
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    let (verdicts, result) = running.end();
    assert_eq!(verdicts, [Verdict::Positive, Verdict::Negative]);
    result.unwrap();
}

#[test]
fn a_press_whose_contact_chatters_gives_one_verdict() {
    let running = Running::start(TIMING, &demo_model());
    deliver(&running, "_0");
    let edges = [
        (0, true),
        (2, false),
        (4, true),
        (150, false),
        (153, true),
        (155, false),
    ];
    let edges = edges.map(|(ms, is_closed)| (Duration::from_millis(ms), is_closed));
    let gestures = running.bench.button.contact(edges);
    assert!(matches!(gestures[..], [(ButtonEvent::Press(_), true)]));
    let leds = &running.bench.leds;
    leds.wait_until("green blinking", |shown| *shown == NEGATIVE);
    assert_eq!(running.end().0, [Verdict::Negative]);
}

#[test]
fn a_lost_camera_is_a_fault_that_the_next_press_recovers_from() {
    let running = Running::start(TIMING, &demo_model());
    running.bench.camera.will_fail(HardwareError::Lost {
        part: "camera",
        remedy: "check its USB cable".into(),
        source: None,
    });
    running.press("a fault", FAULT);
    deliver(&running, "_1");
    running.press("red", RED);
    assert_eq!(running.end().0, [Verdict::Positive]);
}

#[test]
fn a_late_frame_is_never_analysed() {
    let timing = Timing {
        capture: Duration::from_millis(100),
        ..TIMING
    };
    let running = Running::start(timing, &demo_model());
    running.bench.camera.will_stall();
    running.press("a fault", FAULT);
    // The positive frame answers the first press, when nobody waits for it any more.
    deliver(&running, "_1");
    deliver(&running, "_0");
    running.bench.camera.release();
    running.press("green blinking", NEGATIVE);
    assert_eq!(running.end().0, [Verdict::Negative]);
}

#[test]
fn a_frame_older_than_the_press_is_never_analysed() {
    let running = Running::start(TIMING, &demo_model());
    let (bytes, name) = field("_1");
    running.bench.camera.will_deliver_stale(bytes, &name);
    running.press("a fault", FAULT);
    assert_eq!(running.end().0, []);
}

#[test]
fn a_truncated_frame_is_never_analysed() {
    let running = Running::start(TIMING, &demo_model());
    let (bytes, name) = field("_1");
    running
        .bench
        .camera
        .will_deliver(bytes[..bytes.len() / 2].to_vec(), &name);
    running.press("a fault", FAULT);
    assert_eq!(running.end().0, []);
}

#[test]
fn a_missing_part_is_shown_until_it_is_back_and_stops_nothing() {
    let running = Running::start(TIMING, &demo_model());
    let (bench, leds) = (&running.bench, &running.bench.leds);
    leds.wait_until("ready", |shown| *shown == READY);
    let missing = Err::<(), _>(HardwareError::Lost {
        part: "OLED",
        remedy: "check its four wires".into(),
        source: None,
    });
    bench.faults.report("OLED", &missing);
    leds.wait_until("a fault", |shown| *shown == FAULT);
    deliver(&running, "_1");
    running.press("red", RED);
    bench.faults.report("OLED", &Ok(()));
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    assert_eq!(running.end().0, [Verdict::Positive, Verdict::Negative]);
}

#[test]
fn a_part_that_comes_back_makes_the_appliance_ready() {
    let running = Running::start(TIMING, &demo_model());
    let missing = Err::<(), _>(HardwareError::Lost {
        part: "camera",
        remedy: "check its USB cable".into(),
        source: None,
    });
    running.bench.faults.report("camera", &missing);
    let leds = &running.bench.leds;
    leds.wait_until("a fault", |shown| *shown == FAULT);
    running.bench.faults.report("camera", &Ok(()));
    leds.wait_until("ready", |shown| *shown == READY);
    running.end().1.unwrap();
}

#[test]
fn an_unplugged_screen_stops_nothing_and_comes_back() {
    let running = Running::start(TIMING, &demo_model());
    running
        .bench
        .leds
        .wait_until("ready", |shown| *shown == READY);
    running.bench.glass.unplug();
    deliver(&running, "_1");
    running.press("red", RED);
    running.bench.glass.plug_in();
    let (analysis, identity) = expected("_1");
    let glass = screens::picture(&State::Verdict(analysis), Some(&identity));
    running
        .bench
        .screen
        .wait_until("the verdict", |canvas| *canvas == glass);
    running.end().1.unwrap();
}

#[test]
fn a_display_that_lost_its_power_is_drawn_again() {
    let (mut board, bench) = mock::board();
    let size = board.screen.size();
    let (bus, glass) = VirtualSsd1306::new(0x3c, size);
    board.screen = Box::new(Ssd1306Screen::new(bus, OledSetup::new(0x3c, size), "test"));
    let running = Running::start_on(board, bench, TIMING, &demo_model());
    let ready = screens::picture(&State::Ready, Some(&expected("_1").1));
    let wait_until_drawn = || {
        let is_drawn = |_: &Lights| glass.picture() == ready;
        running
            .bench
            .leds
            .wait_until("READY on the glass", is_drawn);
    };
    wait_until_drawn();
    glass.unplug();
    glass.plug_in();
    wait_until_drawn();
    running.end().1.unwrap();
}

#[test]
fn a_damaged_model_is_a_fault_for_good() {
    let model = copy_of_demo_model();
    std::fs::remove_file(model.path().join("manifest.toml")).unwrap();
    let running = Running::start(TIMING, model.path());
    running
        .bench
        .leds
        .wait_until("a fault", |shown| *shown == FAULT);
    deliver(&running, "_1");
    running.press("a fault", FAULT);
    let (verdicts, result) = running.end();
    assert_eq!(verdicts, []);
    assert!(matches!(result, Err(ApplianceError::Model(_))));
}
