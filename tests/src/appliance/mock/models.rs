//! Models and engines that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smearscope::testing::{
    Analyst, ApplianceError, Check, Equipped, Judgement, LazyStore, ModelError, Notice, Recorder,
    Retention, SelfTest, Space, State, Timing, View,
};
use smearscope_artifacts::decode::Limits;
use smearscope_artifacts::{
    ArtifactError, EngineConfig, EngineInfo, Model, Network, Outputs, Tensor,
};
use smearscope_hardware::{ScreenSize, mock};

use super::expected::{expected, picture};
use super::fixture::{FAULT, NEGATIVE, READY, RED, Running, TIMING, deliver, records, unrecorded};
use crate::support::{copy_of_demo_model, demo_model};

#[test]
fn a_failed_self_test_stays_on_the_screen_until_a_press() {
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
        checks: vec![
            Check::failed("model", "smear-2.0.0 failed, back to smear 1.0.0"),
            Check::passed("model", format!("{} verified", identity.model)).detailed(),
            Check::passed("golden", "6 golden samples passed").detailed(),
            Check::passed("engine", identity.engine.clone()).detailed(),
            Check::passed("board", "all parts work"),
            Check::passed("storage", "plenty"),
        ],
    });
    let shown = picture(&found, 0, &identity, jiff::civil::time(12, 0, 0, 0));
    let screen = &running.bench.screen;
    screen.wait_until("the self-test", |canvas| *canvas == shown);
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    assert_eq!(running.end().0, [Judgement::NEGATIVE]);
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

/// An engine that fails once a flag is set.
struct Losable {
    inner: Box<dyn Network>,
    is_lost: Arc<AtomicBool>,
}

impl Network for Losable {
    fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>, ArtifactError> {
        if self.is_lost.load(Ordering::Relaxed) {
            return Err(ArtifactError::Inference {
                engine: "openvino",
                problem: "the device is gone".into(),
            });
        }
        self.inner.run(input)
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
        rule: None,
        slide: 1,
        fields: 2,
        count: None,
        is_disk_low: false,
        clock: None,
        since: Duration::ZERO,
        notice: &notice,
        address: None,
    };
    let glass = view.picture(ScreenSize::Rows64);
    screen.wait_until("what happened", |shown| *shown == glass);
    let engines: Vec<_> = records(&state)
        .into_iter()
        .map(|record| (record.field.engine.name, record.field.verdict.to_string()))
        .collect();
    let by = |engine: &str, verdict: &str| (engine.to_owned(), verdict.to_owned());
    let expected = [by("openvino", "Positive"), by("embedded", "Negative")];
    assert_eq!(engines, expected);
    running.end().1.unwrap();
}
