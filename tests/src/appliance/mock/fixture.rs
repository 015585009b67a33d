//! The appliance's loop on a thread, with its scripted board and what it records.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use smearscope::testing::{
    Analyst, ApplianceError, ApplianceEvent, ApplianceHandle, ApplianceLink, Archive, End,
    Equipped, Filter, Finding, Judgement, LazyStore, ModelError, Record, Recorder, RecordsError,
    Retention, Space, State, Status, Timing, connect, event_loop,
};
use smearscope_artifacts::decode::Limits;
use smearscope_artifacts::{AnyModel, ArtifactError, EngineChoice, EngineConfig, ModelFiles};
use smearscope_hardware::mock::{self, Bench};
use smearscope_hardware::{Board, LedPattern, LedPatterns};

use crate::support::{demo_fields, demo_model};

/// Long enough for any machine; only the test of a stall uses a shorter deadline.
pub(crate) const TIMING: Timing = Timing {
    interval: None,
    slide_fields: None,
    capture: Duration::from_mins(1),
    analysis: Duration::from_mins(1),
    selftest: Duration::ZERO,
    hold: Duration::from_hours(1),
    refresh: Duration::from_millis(20),
};

pub(crate) const RED: LedPatterns = LedPatterns {
    red: LedPattern::On,
    amber: LedPattern::Off,
    green: LedPattern::Off,
};
pub(crate) const FAULT: LedPatterns = LedPatterns {
    red: LedPattern::Blink,
    ..RED
};
pub(crate) const READY: LedPatterns = LedPatterns {
    red: LedPattern::Off,
    amber: LedPattern::Off,
    green: LedPattern::On,
};
pub(crate) const INCONCLUSIVE: LedPatterns = LedPatterns {
    red: LedPattern::Off,
    amber: LedPattern::On,
    green: LedPattern::Off,
};
pub(crate) const NEGATIVE: LedPatterns = LedPatterns {
    green: LedPattern::Blink,
    ..READY
};

pub(crate) fn load(model: &Path) -> Result<Analyst, ArtifactError> {
    let engine = EngineConfig {
        choice: EngineChoice::Embedded,
        ..EngineConfig::default()
    };
    let model = AnyModel::from_files(ModelFiles::open(model)?, &engine)?;
    Ok(Analyst::new(model, Limits::default()))
}

/// A recorder without a records folder.
pub(crate) fn unrecorded(model: &Path) -> Result<Recorder, ApplianceError> {
    Ok(Recorder::new(load(model).map_err(ModelError::from)?))
}

/// A recorder with records in `state` on a disk with this space.
pub(crate) fn recorded(state: &Path, space: Space) -> Result<Recorder, ApplianceError> {
    recorded_by(&demo_model(), state, space)
}

/// The same with this model.
pub(crate) fn recorded_by(
    model: &Path,
    state: &Path,
    space: Space,
) -> Result<Recorder, ApplianceError> {
    let analyst = load(model).map_err(ModelError::from)?;
    let records = LazyStore::open(state.to_owned(), Retention::default(), space)?;
    Ok(Recorder::recording(analyst, records))
}

/// The records in a state folder.
pub(crate) fn records(state: &Path) -> Vec<Record> {
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

/// An appliance that runs on another thread.
pub(crate) struct Running {
    pub(crate) bench: Bench,
    pub(crate) handle: ApplianceHandle,
    pub(crate) findings: Arc<Mutex<Vec<Finding>>>,
    pub(crate) thread: JoinHandle<Result<End, ApplianceError>>,
}

impl Running {
    pub(crate) fn start(timing: Timing, model: &Path) -> Self {
        let (board, bench) = mock::board();
        let model = model.to_owned();
        Self::start_on(board, bench, timing, move || unrecorded(&model))
    }

    pub(crate) fn start_on(
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

    pub(crate) fn start_with(
        board: Board,
        bench: Bench,
        timing: Timing,
        load: impl FnOnce() -> Result<Equipped, ApplianceError> + Send + 'static,
    ) -> Self {
        Self::start_until(board, bench, timing, load, |_| {}, std::future::pending())
    }

    /// Starts after `set_up` and runs until `shutdown`.
    pub(crate) fn start_until(
        board: Board,
        bench: Bench,
        timing: Timing,
        load: impl FnOnce() -> Result<Equipped, ApplianceError> + Send + 'static,
        set_up: impl FnOnce(&mut ApplianceLink),
        shutdown: impl Future<Output = End> + Send + 'static,
    ) -> Self {
        let (handle, mut inside) = connect();
        set_up(&mut inside);
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
                    shutdown,
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

    /// Presses the button and waits for these LEDs, also where they were shown before.
    pub(crate) fn press(&self, what: &str, lights: LedPatterns) {
        let leds = &self.bench.leds;
        let seen = leds.all().len();
        assert!(self.bench.button.press());
        leds.wait_beyond(seen, what, |shown| *shown == lights);
    }

    /// Closes the slide and waits until it is closed.
    pub(crate) fn next_slide(&self) {
        self.close_slide(|| assert!(self.bench.button.press_long()));
    }

    /// Waits until a closed slide is shown after `cause`. Its LEDs may be those that were shown before.
    pub(crate) fn close_slide(&self, cause: impl FnOnce()) {
        let mut events = self.handle.events();
        cause();
        while !matches!(
            events.blocking_recv().unwrap(),
            ApplianceEvent::SlideClosed(_)
        ) {}
        let mut status = self.handle.status();
        let is_closed = |status: &Status| matches!(*status.state, State::SlideClosed(_));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(status.wait_for(is_closed)).unwrap();
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings.lock().unwrap().clone()
    }

    /// Switches the appliance off and returns its verdicts on fields.
    pub(crate) fn end(self) -> (Vec<Judgement>, Result<End, ApplianceError>) {
        assert!(self.bench.button.shutdown());
        let result = self.thread.join().unwrap();
        assert_eq!(self.bench.leds.latest(), Some(LedPatterns::default()));
        let findings = self.findings.lock().unwrap();
        let verdicts = findings.iter().map(|finding| finding.field.judgement);
        (verdicts.collect(), result)
    }
}

/// The shipped fields whose names end in `_1` (positive) or `_0`.
pub(crate) fn fields(label: &str) -> Vec<(Vec<u8>, String)> {
    demo_fields()
        .into_iter()
        .filter(|path| path.to_str().unwrap().ends_with(&format!("{label}.jpg")))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (std::fs::read(path).unwrap(), name)
        })
        .collect()
}

/// The first shipped field whose name ends in `label`.
pub(crate) fn field(label: &str) -> (Vec<u8>, String) {
    fields(label).swap_remove(0)
}

pub(crate) fn deliver(running: &Running, label: &str) {
    let (bytes, name) = field(label);
    running.bench.camera.will_deliver(bytes, &name);
}
