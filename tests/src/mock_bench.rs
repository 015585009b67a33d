//! The appliance's real loop, model and display driver on scripted hardware.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Span;
use smearscope::analysis::analyst::{AnalysisError, Analyst};
use smearscope::analysis::commit::CommitToken;
use smearscope::analysis::finding::{Finding, SaveOutcome};
use smearscope::analysis::identity::Identity;
use smearscope::analysis::quality::Problem;
use smearscope::analysis::recorder::{CapturedField, Recorder};
use smearscope::analysis::slide::Slide;
use smearscope::analysis::verdict::{Reason, Verdict};
use smearscope::appliance::checks::Check;
use smearscope::appliance::event_loop::{self, ApplianceError, End, Equipped};
use smearscope::appliance::handle::{ApplianceEvent, ApplianceHandle, connect};
use smearscope::appliance::notice::Notice;
use smearscope::appliance::screens::View;
use smearscope::appliance::state::{SelfTest, State};
use smearscope::config::storage::Retention;
use smearscope::config::timing::Timing;
use smearscope::models::ModelError;
use smearscope::records::{Archive, Filter, LazyStore, Record, RecordsError, Space, Store};
use smearscope_artifacts::decode::Limits;
use smearscope_artifacts::{
    ArtifactError, Classifier, EngineChoice, EngineConfig, EngineInfo, Inference, MAX_LOG_ODDS,
    Model, Tensor,
};
use smearscope_hardware::mock::{Bench, assert_art};
use smearscope_hardware::screen::ssd1306::{OledSetup, Ssd1306Screen};
use smearscope_hardware::screen::virtual_ssd1306::VirtualSsd1306;
use smearscope_hardware::{
    Board, ButtonEvent, Canvas, Frame, HardwareError, LedPattern, LedPatterns, Pixels, ScreenSize,
    mock,
};

use crate::bench_top::*;

/// Long enough for any machine; only the test of a stall uses less.
const TIMING: Timing = Timing {
    interval: None,
    slide_fields: None,
    capture: Duration::from_mins(1),
    analysis: Duration::from_mins(1),
    selftest: Duration::ZERO,
    hold: Duration::from_hours(1),
    refresh: Duration::from_millis(20),
};

const RED: LedPatterns = LedPatterns {
    red: LedPattern::On,
    amber: LedPattern::Off,
    green: LedPattern::Off,
};
const FAULT: LedPatterns = LedPatterns {
    red: LedPattern::Blink,
    ..RED
};
const READY: LedPatterns = LedPatterns {
    red: LedPattern::Off,
    amber: LedPattern::Off,
    green: LedPattern::On,
};
const CLOSED: LedPatterns = LedPatterns {
    red: LedPattern::Off,
    amber: LedPattern::Breathe,
    green: LedPattern::Breathe,
};
const INCONCLUSIVE: LedPatterns = LedPatterns {
    red: LedPattern::Off,
    amber: LedPattern::On,
    green: LedPattern::Off,
};
const NEGATIVE: LedPatterns = LedPatterns {
    green: LedPattern::Blink,
    ..READY
};

fn load(model: &Path) -> Result<Analyst, ArtifactError> {
    let engine = EngineConfig {
        choice: EngineChoice::Embedded,
        ..EngineConfig::default()
    };
    let model = Model::load(model, &engine)?;
    Ok(Analyst::new(model, Limits::default()))
}

/// An examiner that keeps no records.
fn unrecorded(model: &Path) -> Result<Recorder, ApplianceError> {
    Ok(Recorder::new(load(model).map_err(ModelError::from)?))
}

/// One that records into a folder with so much room.
fn recorded(state: &Path, space: Space) -> Result<Recorder, ApplianceError> {
    let analyst = load(&demo_model()).map_err(ModelError::from)?;
    let records = LazyStore::open(state.to_owned(), Retention::default(), space)?;
    Ok(Recorder::recording(analyst, records))
}

/// What is recorded in a folder.
fn records(state: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    let each = |record| {
        records.push(record);
        Ok::<_, RecordsError>(())
    };
    Archive::open(state)
        .unwrap()
        .fields(&Filter::default(), each)
        .unwrap();
    records
}

/// An appliance at work on a thread of its own.
struct Running {
    bench: Bench,
    handle: ApplianceHandle,
    findings: Arc<Mutex<Vec<Finding>>>,
    thread: JoinHandle<Result<End, ApplianceError>>,
}

impl Running {
    fn start(timing: Timing, model: &Path) -> Self {
        let (board, bench) = mock::board();
        let model = model.to_owned();
        Self::start_on(board, bench, timing, move || unrecorded(&model))
    }

    fn start_on(
        board: Board,
        bench: Bench,
        timing: Timing,
        load: impl FnOnce() -> Result<Recorder, ApplianceError> + Send + 'static,
    ) -> Self {
        Self::start_with(board, bench, timing, move || {
            Ok(Equipped {
                recorder: load()?,
                checks: Vec::new(),
            })
        })
    }

    fn start_with(
        board: Board,
        bench: Bench,
        timing: Timing,
        load: impl FnOnce() -> Result<Equipped, ApplianceError> + Send + 'static,
    ) -> Self {
        let (handle, inside) = connect();
        let findings = Arc::<Mutex<Vec<Finding>>>::default();
        let thread = std::thread::spawn({
            let findings = Arc::clone(&findings);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(event_loop::run(
                    board,
                    load,
                    timing,
                    inside,
                    |report| findings.lock().unwrap().push(report.finding.clone()),
                    std::future::pending(),
                ))
            }
        });
        Self {
            bench,
            handle,
            findings,
            thread,
        }
    }

    /// Presses, and waits for the LEDs that must follow.
    fn press(&self, what: &str, lights: LedPatterns) {
        assert!(self.bench.button.press());
        self.bench.leds.wait_until(what, |shown| *shown == lights);
    }

    /// Closes the slide, and waits until that is shown.
    fn next_slide(&self) {
        assert!(self.bench.button.press_long());
        let leds = &self.bench.leds;
        leds.wait_until("a closed slide", |shown| *shown == CLOSED);
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings.lock().unwrap().clone()
    }

    /// The verdicts on fields.
    fn end(self) -> (Vec<Verdict>, Result<End, ApplianceError>) {
        assert!(self.bench.button.shutdown());
        let result = self.thread.join().unwrap();
        assert_eq!(self.bench.leds.latest(), Some(LedPatterns::default()));
        let findings = self.findings.lock().unwrap();
        let verdicts = findings.iter().map(|finding| finding.field.verdict);
        (verdicts.collect(), result)
    }
}

/// The shipped fields whose names end in `_1` (positive) or `_0`.
fn fields(label: &str) -> Vec<(Vec<u8>, String)> {
    demo_fields()
        .into_iter()
        .filter(|path| path.to_str().unwrap().ends_with(&format!("{label}.jpg")))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (std::fs::read(path).unwrap(), name)
        })
        .collect()
}

/// The first of them.
pub(crate) fn field(label: &str) -> (Vec<u8>, String) {
    fields(label).swap_remove(0)
}

fn deliver(running: &Running, label: &str) {
    let (bytes, name) = field(label);
    running.bench.camera.will_deliver(bytes, &name);
}

/// What the first field of a slide gives, and who says so.
pub(crate) fn expected(label: &str) -> (Finding, Identity) {
    let mut analyst = load(&demo_model()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (bytes, name) = field(label);
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let field = analyst.analyse_file(&path).unwrap();
    let manifest = analyst.manifest();
    let identity = Identity {
        model: format!("{} {}", manifest.name, manifest.version),
        engine: "embedded CPU".into(),
        is_demo: true,
    };
    let mut slide = Slide::first();
    slide.add(&field);
    let finding = Finding {
        field,
        slide: slide.standing(manifest.slide, &manifest.decision),
        saved: SaveOutcome::Unwanted,
    };
    (finding, identity)
}

/// The picture of a state after so many fields of the first slide.
pub(crate) fn picture(
    state: &State,
    fields: u32,
    identity: &Identity,
    clock: jiff::civil::Time,
) -> Canvas {
    let view = View {
        state,
        identity: Some(identity),
        slide: 1,
        fields,
        is_disk_low: false,
        clock: Some(clock),
        since: Duration::ZERO,
        notice: &Notice::default(),
    };
    view.picture(ScreenSize::Rows64)
}

/// The picture of the verdict on a first field.
pub(crate) fn verdict_on(label: &str) -> Canvas {
    let (finding, identity) = expected(label);
    let noon = jiff::civil::time(12, 0, 0, 0);
    picture(&State::Verdict(finding), 1, &identity, noon)
}

#[test]
fn a_press_ends_with_the_verdict_on_the_oled_and_the_leds() {
    let running = Running::start(TIMING, &demo_model());
    deliver(&running, "_1");
    running.press("red", RED);
    let glass = verdict_on("_1");
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
    running.next_slide();
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    let (verdicts, result) = running.end();
    assert_eq!(verdicts, [Verdict::Positive, Verdict::Negative]);
    result.unwrap();
}

#[test]
fn what_the_self_test_finds_wrong_stays_on_the_screen_until_a_press() {
    let (board, bench) = mock::board();
    let running = Running::start_with(board, bench, TIMING, || {
        Ok(Equipped {
            recorder: unrecorded(&demo_model())?,
            checks: vec![
                Check::passed("storage", "plenty"),
                Check::failed("model", "smear-2.0.0 failed, back to smear 1.0.0"),
            ],
        })
    });
    let identity = expected("_0").1;
    let found = State::SelfTest(SelfTest {
        passed: false,
        lines: vec![
            "smear-2.0.0 failed, back to smear 1.0.0".into(),
            format!("{} right", identity.model),
            "6 samples right".into(),
            identity.engine.clone(),
            "board, storage ok".into(),
        ],
    });
    let shown = picture(&found, 0, &identity, jiff::civil::time(12, 0, 0, 0));
    let screen = &running.bench.screen;
    screen.wait_until("the self-test", |canvas| *canvas == shown);
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    assert_eq!(running.end().0, [Verdict::Negative]);
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
    let mut events = running.handle.events();
    running.press("a fault", FAULT);
    // Whoever asked over a network is told, too.
    let Ok(ApplianceEvent::Failed {
        fault,
        asked: Some(_),
    }) = events.blocking_recv()
    else {
        panic!("no failure of a press");
    };
    assert!(fault.message.contains("an old frame"), "{fault:?}");
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
    running.next_slide();
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
    running.bench.display.unplug();
    deliver(&running, "_1");
    running.press("red", RED);
    running.bench.display.plug_in();
    let glass = verdict_on("_1");
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
    let running = Running::start_on(board, bench, TIMING, || unrecorded(&demo_model()));
    let identity = expected("_1").1;
    let wait_until_drawn = || {
        let is_drawn = |_: &LedPatterns| {
            // The minute may end between the two looks at the clock.
            let now = jiff::Zoned::now();
            let minutes = [&now - Span::new().minutes(1), now];
            minutes.into_iter().any(|minute| {
                glass.picture() == picture(&State::Ready, 0, &identity, minute.time())
            })
        };
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

#[test]
fn fields_of_a_slide_are_combined_and_a_long_press_closes_it() {
    let running = Running::start(TIMING, &demo_model());
    for (bytes, name) in fields("_1").into_iter().take(2).chain([field("_0")]) {
        running.bench.camera.will_deliver(bytes, &name);
        assert!(running.bench.button.press());
    }
    // Waits until the last is analysed.
    running.next_slide();
    let findings = running.findings();
    let log_odds = findings.iter().map(|finding| {
        let log_odds = finding.field.log_odds.unwrap();
        log_odds.clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS)
    });
    let mean = log_odds.sum::<f32>() / 3.0;
    let slide = findings[2].slide;
    assert_eq!((slide.slide, slide.fields, slide.refused), (1, 3, 0));
    let analyst = load(&demo_model()).unwrap();
    let decision = analyst.manifest().decision.decide_log_odds(mean);
    assert!((slide.probability.unwrap() - decision.probability).abs() < 1e-6);
    // The next slide knows nothing of this one.
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    let slide = running.findings()[3].slide;
    assert_eq!((slide.slide, slide.fields), (2, 1));
    running.end().1.unwrap();
}

#[test]
fn a_double_press_shows_the_last_display_again_and_says_so() {
    let timing = Timing {
        hold: Duration::from_millis(50),
        ..TIMING
    };
    let running = Running::start(timing, &demo_model());
    let (leds, screen) = (&running.bench.leds, &running.bench.screen);
    leds.wait_until("ready", |shown| *shown == READY);
    assert!(running.bench.button.press_twice(), "nothing to repeat yet");
    deliver(&running, "_1");
    running.press("red", RED);
    leds.wait_until("ready again", |shown| *shown == READY);
    let (finding, identity) = expected("_1");
    let again = State::Again(Box::new(State::Verdict(finding)));
    let again = picture(&again, 1, &identity, jiff::civil::time(12, 0, 0, 0));
    assert!(running.bench.button.press_twice());
    leds.wait_until("red again", |shown| *shown == RED);
    leds.wait_until("ready again", |shown| *shown == READY);
    assert!(screen.all().contains(&again));
    assert_eq!(
        running.end().0,
        [Verdict::Positive],
        "it is not analysed again"
    );
}

#[test]
fn a_hold_switches_off_after_a_warning() {
    let running = Running::start(TIMING, &demo_model());
    let leds = &running.bench.leds;
    leds.wait_until("ready", |shown| *shown == READY);
    let in_a_while = std::time::Instant::now() + Duration::from_secs(4);
    assert!(
        running
            .bench
            .button
            .send(ButtonEvent::ShutdownPending(in_a_while))
    );
    let warning = LedPatterns {
        red: LedPattern::Breathe,
        ..LedPatterns::default()
    };
    leds.wait_until("the warning", |shown| *shown == warning);
    assert!(running.bench.button.send(ButtonEvent::ShutdownCancelled));
    leds.wait_until("ready", |shown| *shown == READY);
    assert_eq!(running.end().1.unwrap(), End::Operator);
}

#[test]
fn a_field_that_moved_is_inconclusive_and_no_part_of_the_slide() {
    let running = Running::start(TIMING, &demo_model());
    let (bytes, name) = field("_1");
    let mut moved = image::load_from_memory(&bytes).unwrap().to_rgb8();
    let by = moved.width() as usize / 40 * 3;
    let stride = moved.width() as usize * 3;
    for row in moved.chunks_exact_mut(stride) {
        row.rotate_left(by);
    }
    let mut earlier = std::io::Cursor::new(Vec::new());
    moved
        .write_to(&mut earlier, image::ImageFormat::Png)
        .unwrap();
    let camera = &running.bench.camera;
    camera.will_deliver_after(earlier.into_inner(), bytes.clone(), &name);
    running.press("amber", INCONCLUSIVE);
    let refused = Verdict::Inconclusive(Reason::Quality(Problem::Moved));
    let slide = running.findings()[0].slide;
    assert_eq!(
        (slide.fields, slide.refused, slide.probability),
        (0, 1, None)
    );
    camera.will_deliver_after(bytes.clone(), bytes, &name);
    running.press("red", RED);
    assert_eq!(running.end().0, [refused, Verdict::Positive]);
}

#[test]
fn fields_are_recorded_with_their_evidence_and_what_is_not_saved_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (board, bench) = mock::board();
    let load = {
        let state = state.clone();
        move || recorded(&state, Space::probed(|| Ok(u64::MAX), 2, 1))
    };
    let running = Running::start_on(board, bench, TIMING, load);
    deliver(&running, "_1");
    running.press("red", RED);
    let [record] = &records(&state)[..] else {
        panic!("one field is recorded");
    };
    let (bytes, name) = field("_1");
    let recorded = &record.field;
    assert_eq!(
        std::fs::read(state.join(&recorded.image.path)).unwrap(),
        bytes
    );
    let finding = &running.findings()[0];
    assert_eq!(finding.saved, SaveOutcome::Saved(recorded.id));
    assert_eq!((&recorded.source, recorded.number), (&name, 1));
    assert_eq!(recorded.verdict, "Positive");
    assert_eq!(recorded.probability, finding.field.probability);
    assert_eq!(recorded.log_odds, finding.field.log_odds);
    assert_eq!(recorded.standing.probability, finding.slide.probability);
    assert_eq!(recorded.model.manifest_sha256.len(), 64);
    assert_eq!(recorded.engine.device, "CPU");
    assert!(recorded.elapsed_ms.inference.unwrap() > 0.0);
    let overlay = image::open(state.join(&recorded.overlay.as_ref().unwrap().path)).unwrap();
    assert_eq!(finding.field.overlay.as_deref(), Some(&overlay.to_rgb8()));
    let strongest = finding.field.strongest.unwrap();
    assert!((0.0..1.0).contains(&strongest.x) && (0.0..1.0).contains(&strongest.y));
    // Nothing can be written into a folder any more where a file is.
    let slide = state
        .join(&recorded.image.path)
        .parent()
        .unwrap()
        .to_owned();
    std::fs::remove_dir_all(&slide).unwrap();
    std::fs::write(&slide, "in the way").unwrap();
    deliver(&running, "_1");
    assert!(running.bench.button.press());
    // Waits until that field is analysed.
    running.next_slide();
    assert_eq!(running.findings()[1].saved, SaveOutcome::NotSaved);
    assert_eq!(records(&state).len(), 1);
    running.end().1.unwrap();
}

#[test]
fn a_field_that_nobody_waits_for_any_more_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let enough = Space::probed(|| Ok(u64::MAX), 2, 1);
    let mut recorder = recorded(folder.path(), enough).unwrap();
    let slide = Slide::first();
    let captured = |token| {
        let (bytes, source) = field("_1");
        CapturedField {
            frame: Frame {
                pixels: Pixels::Encoded(bytes),
                earlier: None,
                captured_at: Instant::now(),
                source,
            },
            capture: Duration::ZERO,
            slide: slide.clone(),
            until: Instant::now() + Duration::from_mins(1),
            token,
        }
    };
    let given_up = CommitToken::default();
    drop(given_up.guard());
    let error = recorder.examine(captured(given_up)).unwrap_err();
    assert!(matches!(error, AnalysisError::TooLate), "{error}");
    assert!(records(folder.path()).is_empty());
    // Nor did it leave anything behind that a field could be mistaken for.
    let verified = Archive::open(folder.path()).unwrap().verify(None).unwrap();
    assert_eq!((verified.rows, verified.unrecorded), (0, 0));
    let waited_for = CommitToken::default();
    let guard = waited_for.guard();
    let answer = recorder.examine(captured(waited_for.clone())).unwrap();
    let finding = answer.finding;
    assert!(matches!(finding.saved, SaveOutcome::Saved(_)));
    assert!(!waited_for.take(), "the recorder took it");
    drop(guard);
    assert_eq!(records(folder.path()).len(), 1);
}

#[test]
fn a_disk_that_is_low_is_shown_and_one_that_is_full_refuses_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let free = Arc::new(AtomicU64::new(9));
    let space = Space::probed(
        {
            let free = Arc::clone(&free);
            move || Ok(free.load(Ordering::Relaxed))
        },
        10,
        5,
    );
    let (board, bench) = mock::board();
    let load = {
        let state = state.clone();
        move || recorded(&state, space)
    };
    let running = Running::start_on(board, bench, TIMING, load);
    let (leds, screen) = (&running.bench.leds, &running.bench.screen);
    leds.wait_until("ready", |shown| *shown == READY);
    screen.wait_until("a low disk", is_disk_low);
    deliver(&running, "_1");
    running.press("red", RED);
    running.next_slide();
    free.store(4, Ordering::Relaxed);
    deliver(&running, "_0");
    running.press("a fault", FAULT);
    running.press("a fault", FAULT);
    assert_eq!(records(&state).len(), 1);
    free.store(10, Ordering::Relaxed);
    running.press("green blinking", NEGATIVE);
    assert_eq!(records(&state).len(), 2);
    let (verdicts, result) = running.end();
    assert_eq!(verdicts, [Verdict::Positive, Verdict::Negative]);
    result.unwrap();
}

/// Whether the footer begins with the D and the I of DISK LOW, dark on light.
fn is_disk_low(canvas: &Canvas) -> bool {
    let rows = ["#...###..", "#.##.###."];
    rows.iter().zip(57..).all(|(row, y)| {
        let lit = row.chars().zip(4..).map(|(letter, x)| (letter == '#', x));
        lit.into_iter().all(|(lit, x)| canvas.is_lit(x, y) == lit)
    })
}

#[test]
fn a_full_disk_is_a_fault_while_nobody_presses_and_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let free = Arc::new(AtomicU64::new(0));
    let space = Space::probed(
        {
            let free = Arc::clone(&free);
            move || Ok(free.load(Ordering::Relaxed))
        },
        1,
        1,
    );
    let (board, bench) = mock::board();
    let running = Running::start_on(board, bench, TIMING, move || recorded(&state, space));
    let leds = &running.bench.leds;
    leds.wait_until("a fault", |shown| *shown == FAULT);
    free.store(1, Ordering::Relaxed);
    leds.wait_until("ready", |shown| *shown == READY);
    running.end().1.unwrap();
}

#[test]
fn records_that_cannot_be_kept_are_a_fault_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let held = Store::open(state.clone()).unwrap();
    let (board, bench) = mock::board();
    let space = Space::probed(|| Ok(u64::MAX), 2, 1);
    let running = Running::start_on(board, bench, TIMING, move || recorded(&state, space));
    let leds = &running.bench.leds;
    leds.wait_until("a fault", |shown| *shown == FAULT);
    deliver(&running, "_1");
    running.press("a fault", FAULT);
    let (verdicts, result) = running.end();
    assert_eq!(verdicts, []);
    let Err(ApplianceError::Records(error)) = result else {
        panic!("{result:?}");
    };
    assert!(matches!(error, RecordsError::Locked { .. }), "{error}");
    drop(guard);
}

#[test]
fn a_box_without_a_button_takes_pictures_by_the_clock() {
    let timing = Timing {
        interval: Some(Duration::from_millis(10)),
        ..TIMING
    };
    let running = Running::start(timing, &demo_model());
    deliver(&running, "_1");
    deliver(&running, "_0");
    let two = |_: &LedPatterns| running.findings().len() >= 2;
    running.bench.leds.wait_until("two fields", two);
    running.end().1.unwrap();
}

#[test]
fn a_long_press_while_the_camera_works_ends_the_slide_after_that_field() {
    let running = Running::start(TIMING, &demo_model());
    running.bench.camera.will_stall();
    deliver(&running, "_1");
    let capturing = LedPatterns {
        amber: LedPattern::Blink,
        ..LedPatterns::default()
    };
    running.press("capturing", capturing);
    assert!(running.bench.button.send_now(ButtonEvent::NextSlide));
    running.bench.camera.release();
    let leds = &running.bench.leds;
    leds.wait_until("a closed slide", |shown| *shown == CLOSED);
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    let slides = running.findings();
    let slides: Vec<_> = slides
        .iter()
        .map(|f| (f.slide.slide, f.slide.fields))
        .collect();
    assert_eq!(slides, [(1, 1), (2, 1)]);
    running.end().1.unwrap();
}

#[test]
fn slides_of_a_box_without_a_button_end_by_themselves() {
    let timing = Timing {
        interval: Some(Duration::from_millis(10)),
        slide_fields: Some(2),
        ..TIMING
    };
    let running = Running::start(timing, &demo_model());
    for label in ["_1", "_0", "_1"] {
        deliver(&running, label);
    }
    let three = |_: &LedPatterns| running.findings().len() >= 3;
    running.bench.leds.wait_until("three fields", three);
    let slides = running.findings();
    let slides: Vec<_> = slides
        .iter()
        .map(|f| (f.slide.slide, f.slide.fields))
        .collect();
    assert_eq!(slides[..3], [(1, 1), (1, 2), (2, 1)]);
    running.end().1.unwrap();
}

/// An engine that is lost once a flag says so.
struct Losable {
    inner: Box<dyn Classifier>,
    is_lost: Arc<AtomicBool>,
}

impl Classifier for Losable {
    fn classify(&mut self, input: &Tensor) -> Result<Inference, ArtifactError> {
        if self.is_lost.load(Ordering::Relaxed) {
            return Err(ArtifactError::Inference {
                engine: "openvino",
                problem: "the device is gone".into(),
            });
        }
        self.inner.classify(input)
    }

    fn info(&self) -> &EngineInfo {
        self.inner.info()
    }
}

#[test]
fn a_verdict_names_the_engine_that_gave_it_after_another_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let is_lost = Arc::new(AtomicBool::new(false));
    let load = {
        let (state, is_lost) = (state.clone(), Arc::clone(&is_lost));
        move || {
            let model = Model::load(&demo_model(), &EngineConfig::default())
                .map_err(ModelError::from)?
                .wrap_engine(|inner| Box::new(Losable { inner, is_lost }));
            let analyst = Analyst::new(model, Limits::default());
            let space = Space::probed(|| Ok(u64::MAX), 2, 1);
            let records = LazyStore::open(state, Retention::default(), space)?;
            Ok(Recorder::recording(analyst, records))
        }
    };
    let (board, bench) = mock::board();
    let timing = Timing {
        hold: Duration::from_millis(50),
        ..TIMING
    };
    let running = Running::start_on(board, bench, timing, load);
    let (leds, screen) = (&running.bench.leds, &running.bench.screen);
    deliver(&running, "_1");
    running.press("red", RED);
    leds.wait_until("ready again", |shown| *shown == READY);

    is_lost.store(true, Ordering::Relaxed);
    deliver(&running, "_0");
    assert!(running.bench.button.press());
    let mut notice = Notice::default();
    let lost =
        "inference failed on openvino: the device is gone; now embedded on CPU runs the model";
    notice.add("OTHER ENGINE", lost.into());
    let view = View {
        state: &State::Ready,
        identity: None,
        slide: 1,
        fields: 2,
        is_disk_low: false,
        clock: None,
        since: Duration::ZERO,
        notice: &notice,
    };
    let glass = view.picture(ScreenSize::Rows64);
    screen.wait_until("what happened", |shown| *shown == glass);
    let engines: Vec<_> = records(&state)
        .into_iter()
        .map(|record| (record.field.engine.name, record.field.verdict))
        .collect();
    let by = |engine: &str, verdict: &str| (engine.to_owned(), verdict.to_owned());
    let expected = [by("openvino", "Positive"), by("embedded", "Negative")];
    assert_eq!(engines, expected);
    running.end().1.unwrap();
}
