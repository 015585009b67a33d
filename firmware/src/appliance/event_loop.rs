//! The loop of the appliance: waits for a press, asks the camera, asks the model, shows the verdict.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smearscope_artifacts::{ArtifactError, DecisionRule, EngineInfo, SlideRule};
use smearscope_hardware::{Board, Button, ButtonEvent, HardwareError, with_causes};
use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until, timeout};

use crate::analysis::commit::CommitToken;
use crate::analysis::identity::Identity;
use crate::analysis::recorder::{CapturedField, Examined, Recorder};
use crate::analysis::slide::{Slide, SlideSummary};
use crate::appliance::camera::CameraThread;
use crate::appliance::checks::{self, Check};
use crate::appliance::front_panel::FrontPanel;
use crate::appliance::handle::{ApplianceEvent, ApplianceLink, Report, Status};
use crate::appliance::notice::Notice;
use crate::appliance::readiness::Readiness;
use crate::appliance::screens::View;
use crate::appliance::state::{Capture, Event, Fault, SelfTest, State};
use crate::config::timing::Timing;
use crate::models::ModelError;
use crate::records::RecordsError;
use crate::system::systemd;
use crate::system::worker::{Heartbeat, Worker, WorkerPanicked};

/// How often the screen is checked for changes: scrolling text, the time of day.
const TICK: Duration = Duration::from_millis(500);

/// Share of the analysis deadline after which no record is written any more; the rest is for telling the result.
const RECORDING: f32 = 0.9;

/// How long the shutdown waits for an analysis, and then for the records to close: a disk that hangs must not
/// keep the program running.
const CLOSING: Duration = Duration::from_secs(5);

/// What the appliance works with once the model is loaded.
pub struct Equipped {
    /// The model, and the records if any are kept.
    pub recorder: Recorder,
    /// Checks made during loading, for the self-test.
    pub checks: Vec<Check>,
}

/// Why the appliance cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// A part of the board cannot be used.
    #[error(transparent)]
    Hardware(#[from] HardwareError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The records cannot be opened.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The system cannot start a thread.
    #[error("a thread cannot be started; free some memory")]
    Thread(#[from] std::io::Error),
}

/// Who ended the appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The operator, at the button.
    Operator,
    /// The service manager, or Ctrl-C.
    Supervisor,
    /// A reload: the program restarts with another configuration.
    Reload,
}

/// Runs the appliance until `shutdown` resolves or the operator switches off.
///
/// `load` opens model and records on a blocking thread; if it fails, the screen says so until the end and nothing
/// is analysed. `report` gets each finished analysis once it is recorded, where records are kept, and `link` tells
/// HTTP and MQTT what happens.
///
/// # Errors
/// [`ApplianceError`] if the button cannot be watched, or model or records could not be used.
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
        panel: FrontPanel::new(board.leds, board.screen),
        slide: Slide::first(),
        last: None,
        next_picture: timing.interval.map(|interval| Instant::now() + interval),
        readiness: Readiness::new(board.faults),
        missing: None,
        button: board.button,
        link,
        self_test: None,
        loaded: None,
        alive: Some(alive),
        asked: Instant::now(),
        timing,
        report,
    };
    appliance.show(&State::Starting);
    appliance.button.watch(appliance.link.button.clone())?;

    // Part of the same loop, so that it stops with it.
    let watchdog = watchdog(heartbeats, timing);
    tokio::pin!(shutdown, watchdog);
    let mut state = State::Starting;
    let mut captured = None;
    let mut load = Some(load);
    let mut failure = None;
    let mut end = End::Operator;
    while state != State::Off {
        appliance.panel.wake();
        appliance.show(&state);
        appliance.publish(&state);
        let event = {
            let next = appliance.next(&state, captured.take(), &mut load, &mut failure);
            tokio::pin!(next);
            tokio::select! {
                biased;
                by = &mut shutdown => {
                    end = by;
                    if state == State::Analysing {
                        // A verdict that is recorded is also shown.
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
        // Missing parts are logged by the board.
        let is_logged = !matches!(event, Event::PartsMissing(_));
        let may_fail = !is_logged || matches!(event, Event::Failed(_) | Event::Captured(_));
        (state, captured) = state.after(event);
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
    if let Some(loaded) = appliance.loaded.take()
        && timeout(CLOSING, loaded.worker.end()).await.is_err()
    {
        log::warn!("the records did not close in time; the next start recovers them");
    }
    if end == End::Reload {
        // The next model may be another one, so an earlier failure does not matter.
        systemd::reloading();
        return Ok(end);
    }
    systemd::stopping();
    failure.map_or(Ok(end), Err)
}

/// Feeds the service manager's watchdog once camera and model have a heartbeat.
async fn watchdog(heartbeats: oneshot::Receiver<[Heartbeat; 2]>, timing: Timing) -> Infallible {
    match heartbeats.await {
        Ok(heartbeats) => systemd::feed_watchdog(&heartbeats, &timing).await,
        Err(_) => std::future::pending().await,
    }
}

struct Appliance<R> {
    camera: CameraThread,
    panel: FrontPanel,
    readiness: Readiness,
    /// The fault that was last shown for missing parts.
    missing: Option<Fault>,
    /// Held, because dropping it ends its watch.
    button: Box<dyn Button>,
    link: ApplianceLink,
    self_test: Option<SelfTest>,
    loaded: Option<Loaded>,
    /// Takes the heartbeats of camera and model, once.
    alive: Option<oneshot::Sender<[Heartbeat; 2]>>,
    slide: Slide,
    /// The last verdict of a field or a slide, to be shown again.
    last: Option<State>,
    /// When the next picture is taken without a press.
    next_picture: Option<Instant>,
    /// When the current field was asked for.
    asked: Instant,
    timing: Timing,
    report: R,
}

/// A loaded model on its thread.
struct Loaded {
    worker: Worker<Recorder>,
    identity: Identity,
    /// The engine that ran the model last.
    engine: EngineInfo,
    decision: DecisionRule,
    slide: SlideRule,
}

impl<R: FnMut(&Report)> Appliance<R> {
    /// Shows a state that has just begun.
    fn show(&mut self, state: &State) {
        self.panel.show(&view(
            state,
            self.loaded.as_ref(),
            &self.slide,
            &self.readiness,
            &self.link.notice,
            Duration::ZERO,
        ));
    }

    /// Tells HTTP, MQTT and the service manager what the appliance is doing.
    fn publish(&self, state: &State) {
        systemd::status(state.name());
        self.link.status.send_replace(Status {
            state: Arc::new(state.clone()),
            identity: self.loaded.as_ref().map(|loaded| loaded.identity.clone()),
            self_test: self.self_test.clone(),
            slide: self.slide.number(),
            fields: self.slide.judged(),
            refused: self.slide.photographed() - self.slide.judged(),
            unsaved: self.slide.unsaved(),
            can_repeat: self.last.is_some(),
        });
    }

    /// Does the work of a state and gives the event that ends it.
    async fn next<L>(
        &mut self,
        state: &State,
        captured: Option<Box<Capture>>,
        load: &mut Option<L>,
        failure: &mut Option<ApplianceError>,
    ) -> Event
    where
        L: FnOnce() -> Result<Equipped, ApplianceError> + Send + 'static,
    {
        match (state, captured) {
            (State::Starting, _) => match self.start(load.take()).await {
                Ok(found) => Event::ModelReady(found),
                Err(error) => {
                    let message = with_causes(&error);
                    *failure = Some(error);
                    failed(message, true)
                }
            },
            (State::Capturing(asked), _) => {
                self.asked = *asked;
                // The operator has read it and pressed.
                self.link.notice = Notice::default();
                self.capture().await
            }
            (State::Analysing, Some(capture)) => self.analyse(*capture).await,
            _ => self.wait(state).await,
        }
    }

    /// Loads the model and gives the result of the self-test.
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
        let Equipped { recorder, checks } = tokio::task::spawn_blocking(load)
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
            engine: engine_on_screen(&engine),
            is_demo: manifest.demo,
        };
        log::info!("{} on {}", identity.model, identity.engine);
        let samples = analyst.model().golden().len();
        let mut found = self_test(&identity, samples, self.readiness.faults(), &checks);
        if manifest.domain.is_none() {
            log::warn!(
                "the model's manifest has no training domain; pictures unlike its training images are not refused"
            );
            found.lines.push("distance not checked".into());
        }
        let (decision, slide) = (manifest.decision, manifest.slide);
        self.readiness.watch(recorder.space().cloned());
        let worker =
            Worker::start("model", recorder).map_err(|error| broken(&error.to_string()))?;
        if let Some(alive) = self.alive.take() {
            // The watchdog may have ended.
            let _ = alive.send([self.camera.heartbeat(), worker.heartbeat()]);
        }
        self.loaded = Some(Loaded {
            worker,
            identity,
            engine,
            decision,
            slide,
        });
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
            Ok(Ok(Ok(frame))) => Event::Captured(Box::new(Capture {
                frame,
                took: began.elapsed(),
            })),
            Ok(Ok(Err(error))) => failed(with_causes(&error), false),
            Ok(Err(WorkerPanicked)) => failed("the camera's driver crashed; press again", false),
            Err(_) => failed("the camera gives no picture; unplug and plug it in", false),
        }
    }

    async fn analyse(&mut self, capture: Capture) -> Event {
        let Some(loaded) = &mut self.loaded else {
            return failed("there is no model; restart the program", true);
        };
        let token = CommitToken::default();
        let source = capture.frame.source.clone();
        let captured = CapturedField {
            frame: capture.frame,
            capture: capture.took,
            slide: self.slide.clone(),
            until: Instant::now() + self.timing.analysis.mul_f32(RECORDING),
            token: token.clone(),
        };
        // The shutdown may drop this future at any await.
        let _guard = token.guard();
        let answer = {
            let answer = loaded
                .worker
                .ask(move |recorder| recorder.examine(captured));
            tokio::pin!(answer);
            match timeout(self.timing.analysis, &mut answer).await {
                Ok(answer) => answer,
                Err(_) if token.take() => {
                    return failed("the analysis takes too long; press again", false);
                }
                // The record is being committed, so the verdict must be shown.
                Err(_) => answer.await,
            }
        };
        let examined = match answer {
            Ok(Ok(examined)) => examined,
            Ok(Err(error)) => return failed(format!("{source}: {}", with_causes(&error)), false),
            Err(WorkerPanicked) => return failed("the analysis crashed; press again", false),
        };
        let Examined {
            finding,
            slide,
            times,
            engine,
        } = examined;
        self.slide = slide;
        if loaded.engine != engine {
            change_engine(loaded, engine, &mut self.link.notice);
        }
        let report = Arc::new(Report {
            asked: self.asked,
            source,
            finding: finding.clone(),
            times,
            threshold: loaded.decision.threshold,
            identity: loaded.identity.clone(),
        });
        (self.report)(&report);
        self.link.tell(ApplianceEvent::Analysed(report));
        self.last = Some(State::Verdict(finding.clone()));
        Event::Analysed(finding)
    }

    async fn wait(&mut self, state: &State) -> Event {
        let began = Instant::now();
        // The fault of a missing part is shown until the part is back.
        let shown = match state {
            State::Fault(fault) => Some(fault),
            _ => None,
        };
        let is_part_missing = shown.is_some() && shown == self.missing.as_ref();
        let is_passing = state.is_passing() && !is_part_missing;
        let hold = sleep(match state {
            State::SelfTest(found) if found.passed => self.timing.selftest,
            // The event of the button's release may be lost.
            State::SwitchingOff { at, .. } => at.saturating_duration_since(began) + TICK,
            _ => self.timing.hold,
        });
        let next_picture = self.next_picture.filter(|_| state.is_waiting());
        let interval = sleep_until(next_picture.unwrap_or(began).into());
        let mut refreshed = began;
        let event = {
            // One future for the whole wait, so that no press is lost while the screen is redrawn.
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
                    // The operator first: a closed slide takes no more fields.
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
                    self.panel.redraw();
                }
                let (loaded, notice) = (self.loaded.as_ref(), &self.link.notice);
                let view = view(
                    state,
                    loaded,
                    &self.slide,
                    &self.readiness,
                    notice,
                    began.elapsed(),
                );
                self.panel.show(&view);
            }
        };
        self.meaning(event)
    }

    /// Closes the slide and begins another; gives the closed slide's summary, or `None` if it had no fields.
    fn close_slide(&mut self) -> Option<SlideSummary> {
        let loaded = self.loaded.as_ref()?;
        if self.slide.is_untouched() {
            return None;
        }
        let summary = self.slide.summary(loaded.slide, &loaded.decision);
        log::info!("slide {} closed", summary.slide);
        self.link.tell(ApplianceEvent::SlideClosed(summary));
        self.slide = self.slide.next();
        self.last = Some(State::SlideClosed(summary));
        Some(summary)
    }

    /// The event of a gesture.
    fn meaning(&mut self, event: ButtonEvent) -> Event {
        match event {
            ButtonEvent::Press(at) => Event::Press(at),
            ButtonEvent::NextSlide => match self.close_slide() {
                Some(summary) => Event::SlideClosed(summary),
                // A slide without fields is already the next one.
                None => Event::HoldOver,
            },
            ButtonEvent::Repeat => Event::Repeat(self.last.clone()),
            ButtonEvent::ShutdownPending(at) => Event::ShutdownPending(at),
            ButtonEvent::ShutdownCancelled => Event::ShutdownCancelled,
            ButtonEvent::Shutdown => Event::Shutdown,
        }
    }
}

/// Records that another engine runs the model from now on, and adds a notice with the reason, which the screen shows after the
/// verdict. This is no fault: the press still gave a verdict.
fn change_engine(loaded: &mut Loaded, engine: EngineInfo, notice: &mut Notice) {
    let known = loaded.engine.fallbacks.len();
    let reasons = engine.fallbacks.get(known..).unwrap_or_default().join("; ");
    let message = format!("{reasons}; now {} runs the model", engine.name());
    notice.add("OTHER ENGINE", message);
    loaded.identity.engine = engine_on_screen(&engine);
    loaded.engine = engine;
}

/// An engine in the few characters that the screen has room for.
fn engine_on_screen(engine: &EngineInfo) -> String {
    format!("{} {}", engine.engine, engine.device)
}

/// What the screen shows in a state that has been shown for `since`.
fn view<'a>(
    state: &'a State,
    loaded: Option<&'a Loaded>,
    slide: &Slide,
    readiness: &Readiness,
    notice: &'a Notice,
    since: Duration,
) -> View<'a> {
    View {
        state,
        identity: loaded.map(|loaded| &loaded.identity),
        slide: slide.number(),
        fields: slide.judged(),
        is_disk_low: readiness.is_disk_low(),
        clock: checks::time_of_day(&jiff::Zoned::now()),
        since,
        notice,
    }
}

/// The self-test in lines that suit a small screen, failures first.
fn self_test(
    identity: &Identity,
    samples: usize,
    mut faults: Vec<String>,
    checks: &[Check],
) -> SelfTest {
    let mut passed_parts = Vec::new();
    if faults.is_empty() {
        passed_parts.push("board");
    }
    for check in checks {
        if check.passed {
            log::info!("self-test: {}: {}", check.part, check.detail);
            passed_parts.push(check.part);
        } else {
            log::error!("self-test: {}: {}", check.part, check.detail);
            faults.push(check.detail.clone());
        }
    }
    let passed = checks.iter().all(|check| check.passed);
    let mut lines = faults;
    lines.extend([
        format!("{} verified", identity.model),
        format!("{samples} golden samples passed"),
        identity.engine.clone(),
    ]);
    if !passed_parts.is_empty() {
        lines.push(format!("{} ok", passed_parts.join(", ")));
    }
    SelfTest { passed, lines }
}

fn failed(message: impl Into<String>, is_final: bool) -> Event {
    Event::Failed(Fault {
        message: message.into(),
        is_final,
    })
}
