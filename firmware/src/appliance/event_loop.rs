//! The loop of the appliance: waits for a press, asks the camera, asks the model, shows the answer.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smearscope_artifacts::{ArtifactError, DecisionRule, EngineInfo, SlideRule};
use smearscope_hardware::{
    Board, Button, ButtonEvent, Canvas, Frame, HardwareError, LedPatterns, Screen, StatusLeds,
    with_causes,
};
use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until, timeout};

use crate::analysis::analyst::AnalysisError;
use crate::analysis::finding::SaveOutcome;
use crate::analysis::identity::Identity;
use crate::analysis::recorder::{CapturedField, CommitToken, Examined, Recorder};
use crate::analysis::slide::{Slide, SlideSummary};
use crate::appliance::camera::CameraThread;
use crate::appliance::checks::{self, Check};
use crate::appliance::handle::{ApplianceEvent, ApplianceLink, Report, Status};
use crate::appliance::notice::Notice;
use crate::appliance::readiness::Readiness;
use crate::appliance::screens::{self, View};
use crate::appliance::state::{Event, Fault, SelfTest, State};
use crate::config::timing::Timing;
use crate::models::ModelError;
use crate::records::RecordsError;
use crate::system::systemd;
use crate::system::worker::{Heartbeat, Worker, WorkerPanicked};

/// How often it is looked whether the display should show something else: text that scrolls, the time.
const TICK: Duration = Duration::from_millis(500);

/// Within this share of the time for an analysis it is recorded or not at all: whoever else writes to the records is waited for, and
/// what came of it is told in time.
const RECORDING: f32 = 0.9;

/// How long the end waits for an analysis, and then for records to be closed; a disk that hangs must not keep it for ever.
const CLOSING: Duration = Duration::from_secs(5);

/// What the appliance works with, once it is loaded.
pub struct Equipped {
    /// The model, with the records that are kept.
    pub recorder: Recorder,
    /// What was found out meanwhile, for the self-test.
    pub checks: Vec<Check>,
}

/// Why the appliance could not work.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// A part of the board cannot be used.
    #[error(transparent)]
    Hardware(#[from] HardwareError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The records cannot be kept.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The system has no room for a thread.
    #[error("a thread cannot be started; free some memory")]
    Thread(#[from] std::io::Error),
}

/// Who ended the appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The operator, at the button.
    Operator,
    /// Whoever controls the program.
    Supervisor,
    /// The same, for another configuration.
    Reload,
}

/// Runs the appliance until `shutdown` tells to end or the operator switches off.
///
/// Model and records are opened on a thread of its own by `load`; if that fails, the screen says so until
/// the end, and nothing is ever analysed. Each finished analysis goes to `report`, once it is recorded where
/// records are kept, and what happens to whoever
/// looks from outside of `inside`.
///
/// # Errors
/// [`ApplianceError`] if the button cannot be watched, or if model or records could not be used.
pub async fn run(
    board: Board,
    load: impl FnOnce() -> Result<Equipped, ApplianceError> + Send + 'static,
    timing: Timing,
    link: ApplianceLink,
    report: impl FnMut(&Report),
    shutdown: impl Future<Output = End>,
) -> Result<End, ApplianceError> {
    let (alive, heartbeats) = oneshot::channel();
    let camera = CameraThread::start(board.camera)?;
    link.show(camera.clone());
    let mut appliance = Appliance {
        camera,
        front: Front {
            leds: board.leds,
            screen: board.screen,
            shown: None,
        },
        slide: Slide::first(),
        last: None,
        next_picture: timing.interval.map(|interval| Instant::now() + interval),
        readiness: Readiness::new(board.faults),
        missing: None,
        button: board.button,
        link,
        self_test: None,
        recorder: None,
        alive: Some(alive),
        frame: None,
        asked: Instant::now(),
        timing,
        report,
    };
    appliance.show(&State::Starting);
    appliance.button.watch(appliance.link.button.clone())?;

    // Part of the same loop: it stops with it.
    let watchdog = watchdog(heartbeats, timing);
    tokio::pin!(shutdown, watchdog);
    let mut state = State::Starting;
    let mut load = Some(load);
    let mut failure = None;
    let mut end = End::Operator;
    while state != State::Off {
        appliance.front.screen.wake();
        appliance.show(&state);
        appliance.publish(&state);
        let event = {
            let next = appliance.next(&state, &mut load, &mut failure);
            tokio::pin!(next);
            tokio::select! {
                biased;
                by = &mut shutdown => {
                    end = by;
                    if state == State::Analysing {
                        // What is recorded is told.
                        let _ = timeout(CLOSING, next).await;
                    }
                    Event::Shutdown
                }
                event = &mut next => event,
                never = &mut watchdog => match never {},
            }
        };
        if let Event::ModelReady(found) = &event {
            appliance.self_test = Some(found.clone());
            systemd::ready();
        }
        let is_asked = matches!(state, State::Capturing(_) | State::Analysing);
        // The parts log theirs themselves.
        let is_logged = !matches!(event, Event::PartsMissing(_));
        let may_fail = !is_logged || matches!(event, Event::Failed(_) | Event::Captured(_));
        state = state.after(event);
        log::debug!("{}", state.name());
        if let State::Fault(fault) = &state
            && may_fail
        {
            if is_logged {
                log::error!("{}", fault.message);
            }
            appliance.link.tell(ApplianceEvent::Failed {
                fault: fault.clone(),
                asked: is_asked.then_some(appliance.asked),
            });
        }
    }
    appliance.show(&state);
    appliance.publish(&state);
    if let Some(loaded) = appliance.recorder.take()
        && timeout(CLOSING, loaded.worker.end()).await.is_err()
    {
        log::warn!("the records were not closed in time; they are put in order at the next start");
    }
    if end == End::Reload {
        // Perhaps with another model.
        systemd::reloading();
        return Ok(end);
    }
    systemd::stopping();
    failure.map_or(Ok(end), Err)
}

/// Feeds the watchdog once there is something that can be alive.
async fn watchdog(heartbeats: oneshot::Receiver<[Heartbeat; 2]>, timing: Timing) -> Infallible {
    match heartbeats.await {
        Ok(heartbeats) => systemd::feed_watchdog(&heartbeats, &timing).await,
        Err(_) => std::future::pending().await,
    }
}

struct Appliance<R> {
    camera: CameraThread,
    front: Front,
    readiness: Readiness,
    /// The fault that these were shown as last.
    missing: Option<Fault>,
    /// CommitGuard, because dropping it ends its watch.
    button: Box<dyn Button>,
    link: ApplianceLink,
    self_test: Option<SelfTest>,
    recorder: Option<Loaded>,
    /// Where camera and model are announced, once.
    alive: Option<oneshot::Sender<[Heartbeat; 2]>>,
    slide: Slide,
    /// What was shown last of a field or of a slide, to be shown again.
    last: Option<State>,
    /// When the next picture is taken without anybody pressing.
    next_picture: Option<Instant>,
    /// What the camera delivered and how long it took, on its way to the model.
    frame: Option<(Frame, Duration)>,
    /// When it was asked for.
    asked: Instant,
    timing: Timing,
    report: R,
}

/// A model at work on a thread of its own.
struct Loaded {
    worker: Worker<CapturedField, Answer>,
    identity: Identity,
    /// Who ran the model last.
    engine: EngineInfo,
    decision: DecisionRule,
    slide: SlideRule,
}

/// Where a frame came from, and what came of it.
type Answer = (String, Result<Examined, AnalysisError>);

impl<R: FnMut(&Report)> Appliance<R> {
    fn show(&mut self, state: &State) {
        let recorder = self.recorder.as_ref();
        self.front.show(&view(
            state,
            recorder,
            &self.slide,
            &self.readiness,
            &self.link.notice,
            Duration::ZERO,
        ));
    }

    /// Tells whoever looks from outside.
    fn publish(&self, state: &State) {
        systemd::status(state.name());
        self.link.status.send_replace(Status {
            state: Arc::new(state.clone()),
            identity: self.recorder.as_ref().map(|loaded| loaded.identity.clone()),
            self_test: self.self_test.clone(),
            slide: self.slide.number(),
            fields: self.slide.judged(),
            refused: self.slide.photographed() - self.slide.judged(),
            unsaved: self.slide.unsaved(),
            can_repeat: self.last.is_some(),
        });
    }

    /// Does what a state is for and says what came of it.
    async fn next<L>(
        &mut self,
        state: &State,
        load: &mut Option<L>,
        failure: &mut Option<ApplianceError>,
    ) -> Event
    where
        L: FnOnce() -> Result<Equipped, ApplianceError> + Send + 'static,
    {
        match state {
            State::Starting => match self.start(load.take()).await {
                Ok(found) => Event::ModelReady(found),
                Err(error) => {
                    let message = with_causes(&error);
                    *failure = Some(error);
                    failed(message, true)
                }
            },
            State::Capturing(asked) => {
                self.asked = *asked;
                // Whoever pressed has read it.
                self.link.notice = Notice::default();
                self.capture().await
            }
            State::Analysing => self.analyse().await,
            _ => self.wait(state).await,
        }
    }

    /// Loads the model and gives what the self-test found.
    async fn start<L>(&mut self, load: Option<L>) -> Result<SelfTest, ApplianceError>
    where
        L: FnOnce() -> Result<Equipped, ApplianceError> + Send + 'static,
    {
        let broken = |problem: &str| {
            ModelError::from(ArtifactError::Inference {
                engine: "model",
                problem: problem.into(),
            })
        };
        let load = load.ok_or_else(|| broken("it was loaded twice"))?;
        let Equipped {
            mut recorder,
            checks,
        } = tokio::task::spawn_blocking(load)
            .await
            .map_err(|error| broken(&error.to_string()))??;
        let analyst = recorder.analyst();
        let (manifest, engine) = (analyst.manifest(), analyst.engine());
        for fallback in &engine.fallbacks {
            log::warn!("{fallback}");
        }
        let engine = engine.clone();
        let identity = Identity {
            model: format!("{} {}", manifest.name, manifest.version),
            engine: shown(&engine),
            is_demo: manifest.demo,
        };
        log::info!("{} on {}", identity.model, identity.engine);
        let samples = analyst.model().golden().len();
        let mut found = self_test(&identity, samples, self.readiness.faults(), &checks);
        if manifest.domain.is_none() {
            log::warn!(
                "the model does not know what it was trained on; no picture is refused as unlike that"
            );
            found.lines.push("distance not checked".into());
        }
        self.readiness.watch(recorder.space().cloned());
        self.recorder = Some(Loaded {
            identity,
            engine,
            decision: manifest.decision,
            slide: manifest.slide,
            worker: Worker::start("model", move |captured: CapturedField| {
                (captured.frame.source.clone(), recorder.examine(captured))
            })
            .map_err(|error| broken(&error.to_string()))?,
        });
        if let (Some(alive), Some(loaded)) = (self.alive.take(), &self.recorder) {
            // Whoever listened has ended.
            let _ = alive.send([self.camera.heartbeat(), loaded.worker.heartbeat()]);
        }
        Ok(found)
    }

    async fn capture(&mut self) -> Event {
        self.next_picture = self
            .timing
            .interval
            .map(|interval| Instant::now() + interval);
        let is_full = |most| self.slide.photographed() >= most;
        if self.timing.slide_fields.is_some_and(is_full) {
            self.close_slide();
        }
        self.readiness.look_at_room();
        if let Some(message) = self.readiness.no_room() {
            return failed(message, false);
        }
        let began = Instant::now();
        match timeout(self.timing.capture, self.camera.capture()).await {
            Ok(Ok(Ok(frame))) => {
                let exposed = frame.captured_at;
                self.frame = Some((frame, began.elapsed()));
                Event::Captured(exposed)
            }
            Ok(Ok(Err(error))) => failed(with_causes(&error), false),
            Ok(Err(WorkerPanicked)) => failed("the camera's driver crashed; press again", false),
            Err(_) => failed("the camera gives no picture; unplug and plug it in", false),
        }
    }

    async fn analyse(&mut self) -> Event {
        let (Some(loaded), Some((frame, capture))) = (&mut self.recorder, self.frame.take()) else {
            return failed("there is nothing to analyse; press again", false);
        };
        let claim = CommitToken::default();
        let captured = CapturedField {
            frame,
            capture,
            slide: self.slide.clone(),
            until: Instant::now() + self.timing.analysis.mul_f32(RECORDING),
            claim: claim.clone(),
        };
        // The appliance may be ended meanwhile.
        let _held = claim.held();
        let answered = {
            let answer = loaded.worker.ask(captured);
            tokio::pin!(answer);
            match timeout(self.timing.analysis, &mut answer).await {
                Ok(answered) => answered,
                Err(_) if claim.take() => {
                    return failed("the analysis takes too long; press again", false);
                }
                // It is being recorded, so that it must be shown, too.
                Err(_) => answer.await,
            }
        };
        match answered {
            Ok((
                source,
                Ok(Examined {
                    finding,
                    took,
                    engine,
                }),
            )) => {
                if finding.kept == SaveOutcome::NotSaved {
                    self.slide.lose();
                } else {
                    self.slide.add(&finding.field);
                }
                if loaded.engine != engine {
                    change_engine(loaded, engine, &mut self.link.notice);
                }
                let report = Arc::new(Report {
                    asked: self.asked,
                    source,
                    finding: finding.clone(),
                    took,
                    threshold: loaded.decision.threshold,
                    identity: loaded.identity.clone(),
                });
                (self.report)(&report);
                self.link.tell(ApplianceEvent::Analysed(report));
                self.last = Some(State::Verdict(finding.clone()));
                Event::Analysed(finding)
            }
            Ok((source, Err(error))) => failed(format!("{source}: {}", with_causes(&error)), false),
            Err(WorkerPanicked) => failed("the analysis crashed; press again", false),
        }
    }

    async fn wait(&mut self, state: &State) -> Event {
        let began = Instant::now();
        // A part that is missing is shown until it is back.
        let shown = match state {
            State::Fault(fault) => Some(fault),
            _ => None,
        };
        let is_part_missing = shown.is_some() && shown == self.missing.as_ref();
        let is_passing = state.is_passing() && !is_part_missing;
        let hold = sleep(match state {
            State::SelfTest(found) if found.passed => self.timing.selftest,
            // The word that the button was let go may be lost.
            State::SwitchingOff { at, .. } => at.saturating_duration_since(began) + TICK,
            _ => self.timing.hold,
        });
        let next_picture = self.next_picture.filter(|_| state.is_waiting());
        let interval = sleep_until(next_picture.unwrap_or(began).into());
        let mut refreshed = began;
        let event = {
            // One wait, so that no press is lost while the display is drawn again.
            let pressed = self.link.presses.next();
            tokio::pin!(hold, interval, pressed);
            loop {
                let missing = self.readiness.obstacles();
                if *state == State::Ready && !missing.is_empty() {
                    let fault = Fault::of_parts(&missing);
                    self.missing = Some(fault.clone());
                    return Event::PartsMissing(fault);
                }
                if is_part_missing && shown != Some(&Fault::of_parts(&missing)) {
                    return Event::HoldOver;
                }
                tokio::select! {
                    // The operator first: a slide that is closed takes no field any more.
                    biased;
                    event = &mut pressed => break event,
                    () = &mut interval, if next_picture.is_some() => {
                        return Event::Press(Instant::now());
                    }
                    () = &mut hold, if is_passing => return Event::HoldOver,
                    () = sleep(TICK.min(self.timing.refresh)) => {}
                }
                if refreshed.elapsed() >= self.timing.refresh {
                    refreshed = Instant::now();
                    self.front.shown = None;
                }
                let recorder = self.recorder.as_ref();
                self.front.show(&view(
                    state,
                    recorder,
                    &self.slide,
                    &self.readiness,
                    &self.link.notice,
                    began.elapsed(),
                ));
            }
        };
        self.meaning(event)
    }

    /// Begins another slide; gives what the last one came to, if anything was photographed of it.
    fn close_slide(&mut self) -> Option<SlideSummary> {
        let loaded = self.recorder.as_ref()?;
        if self.slide.is_untouched() {
            return None;
        }
        let standing = self.slide.standing(loaded.slide, &loaded.decision);
        log::info!("slide {} closed", standing.slide);
        self.link.tell(ApplianceEvent::SlideClosed(standing));
        self.slide = self.slide.next();
        self.last = Some(State::SlideClosed(standing));
        Some(standing)
    }

    /// What a gesture means here.
    fn meaning(&mut self, event: ButtonEvent) -> Event {
        match event {
            ButtonEvent::Press(at) => Event::Press(at),
            ButtonEvent::NextSlide => match self.close_slide() {
                Some(standing) => Event::SlideClosed(standing),
                // A slide of which nothing was photographed is the next one already.
                None => Event::HoldOver,
            },
            ButtonEvent::Repeat => Event::Repeat(self.last.clone()),
            ButtonEvent::ShutdownPending(at) => Event::ShutdownAhead(at),
            ButtonEvent::ShutdownCancelled => Event::ShutdownAverted,
            ButtonEvent::Shutdown => Event::Shutdown,
        }
    }
}

/// Names the engine that runs the model from now on, to whoever looks from outside as well, and says why on the screen once the
/// verdict has been shown. That is no fault: whoever pressed gets a verdict.
fn change_engine(loaded: &mut Loaded, engine: EngineInfo, notice: &mut Notice) {
    let known = loaded.engine.fallbacks.len();
    let reasons = engine.fallbacks.get(known..).unwrap_or_default().join("; ");
    let message = format!("{reasons}; now {} runs the model", engine.name());
    notice.add("OTHER ENGINE", message);
    loaded.identity.engine = shown(&engine);
    loaded.engine = engine;
}

/// An engine as a screen has room for it.
fn shown(engine: &EngineInfo) -> String {
    format!("{} {}", engine.engine, engine.device)
}

fn view<'a>(
    state: &'a State,
    recorder: Option<&'a Loaded>,
    slide: &Slide,
    readiness: &Readiness,
    notice: &'a Notice,
    since: Duration,
) -> View<'a> {
    View {
        state,
        identity: recorder.map(|loaded| &loaded.identity),
        slide: slide.number(),
        fields: slide.judged(),
        is_disk_low: readiness.is_disk_low(),
        clock: checks::time_of_day(&jiff::Zoned::now()),
        since,
        notice,
    }
}

/// OLED and LEDs. Either may fail without stopping the other, or the appliance.
struct Front {
    leds: Box<dyn StatusLeds>,
    screen: Box<dyn Screen>,
    /// What they show, as far as is known.
    shown: Option<(LedPatterns, Canvas)>,
}

impl Front {
    fn show(&mut self, view: &View<'_>) {
        let wanted = (
            screens::lights(view.state),
            view.picture(self.screen.size()),
        );
        if self.shown.as_ref() == Some(&wanted) {
            return;
        }
        let leds = self.leds.show(wanted.0);
        let screen = self.screen.show(&wanted.1);
        self.shown = Some(wanted).filter(|_| leds.is_ok() && screen.is_ok());
        for error in [leds.err(), screen.err()].into_iter().flatten() {
            // Parts that come back have been logged with the board's faults, once.
            log::debug!("{}", with_causes(&error));
        }
    }
}

/// What is wrong first, then what is right, in lines that suit a small screen.
fn self_test(
    identity: &Identity,
    samples: usize,
    mut faults: Vec<String>,
    checks: &[Check],
) -> SelfTest {
    let mut right = Vec::new();
    if faults.is_empty() {
        right.push("board");
    }
    for check in checks {
        if check.passed {
            log::info!("self-test: {}: {}", check.part, check.detail);
            right.push(check.part);
        } else {
            log::error!("self-test: {}: {}", check.part, check.detail);
            faults.push(check.detail.clone());
        }
    }
    let passed = checks.iter().all(|check| check.passed);
    let mut lines = faults;
    lines.extend([
        format!("{} right", identity.model),
        format!("{samples} samples right"),
        identity.engine.clone(),
    ]);
    if !right.is_empty() {
        lines.push(format!("{} ok", right.join(", ")));
    }
    SelfTest { passed, lines }
}

fn failed(message: impl Into<String>, is_final: bool) -> Event {
    Event::Failed(Fault {
        message: message.into(),
        is_final,
    })
}
