//! The event loop: waits for a press, captures a frame, runs the model and shows the verdict.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;
use smearscope_artifacts::{AnyModel, ArtifactError, EngineInfo};
use smearscope_hardware::{Board, Button, ButtonEvent, HardwareError, with_causes};
use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until, timeout};

use crate::analysis::commit::CommitToken;
use crate::analysis::identity::Identity;
use crate::analysis::recorder::{CapturedField, Examined, Recorder};
use crate::analysis::rule::Rule;
use crate::analysis::slide::{Slide, SlideSummary};
use crate::appliance::camera::CameraThread;
use crate::appliance::checks::{self, Check, RenewedChecks};
use crate::appliance::front_panel::FrontPanel;
use crate::appliance::handle::{ApplianceEvent, ApplianceLink, Report, Status};
use crate::appliance::notice::Notice;
use crate::appliance::readiness::Readiness;
use crate::appliance::screens::View;
use crate::appliance::self_test::SelfTest;
use crate::appliance::state::{AfterOff, Capture, Event, Fault, State};
use crate::appliance::web_address::WebAddress;
use crate::config::timing::Timing;
use crate::models::ModelError;
use crate::records::{ClosingReason, RecordsError};
use crate::system::clock::JumpDetector;
use crate::system::systemd;
use crate::system::worker::{Heartbeat, Worker, WorkerPanicked};

/// How often the screen is updated with scrolling text and the time of day.
const TICK: Duration = Duration::from_millis(500);

/// Title of the page about a check of the configuration.
pub(crate) const SETTINGS_TITLE: &str = "SETTINGS";

/// Share of the analysis deadline after which no record is committed; the rest is for delivering the result.
const COMMIT_SHARE: f32 = 0.9;

/// How long the shutdown waits for an analysis, and then for the records to close. A disk that hangs must not
/// prevent the program from ending.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of loading model and records.
pub struct Equipped {
    /// The model and, if records are kept, the records.
    pub recorder: Recorder,
    /// Checks during loading, for the self-test.
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

/// Why the appliance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The operator held the button.
    Operator,
    /// The service manager or Ctrl-C stopped it.
    Supervisor,
    /// The program restarts: with another configuration, or after it was switched off.
    Reload,
}

/// Runs the appliance until `shutdown` resolves or the operator switches off.
///
/// `load` opens model and records on a thread for blocking work. If it fails, the screen shows the fault until the end
/// and nothing is analysed. `report` receives each finished analysis, after it was recorded if records are kept. `link`
/// connects HTTP and MQTT.
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
    let (heartbeat_sender, heartbeats) = oneshot::channel();
    let camera = CameraThread::start(board.camera)?;
    link.share_camera(camera.clone());
    let mut appliance = Appliance {
        camera,
        panel: FrontPanel::new(board.leds, board.screen),
        slide: Slide::first(),
        last: None,
        next_picture: timing.interval.map(|interval| Instant::now() + interval),
        readiness: Readiness::new(board.faults),
        missing: None,
        clock: JumpDetector::default(),
        button: board.button,
        link,
        self_test: None,
        loaded: None,
        heartbeats: Some(heartbeat_sender),
        asked: Instant::now(),
        timing,
        report,
    };
    appliance.show(&State::Starting);
    appliance.button.watch(appliance.link.button.clone())?;

    // The watchdog is fed from this loop, so that it is not fed if the loop hangs.
    let watchdog = watchdog(heartbeats, timing);
    tokio::pin!(shutdown, watchdog);
    let mut state = State::Starting;
    let mut captured = None;
    let mut load = Some(load);
    let mut failure = None;
    let mut end = End::Operator;
    let switched_off = appliance.link.after_off;
    while !matches!(state, State::Off(_)) {
        appliance.panel.wake();
        appliance.show(&state);
        appliance.publish(&state);
        let event = {
            let next = appliance.next(&state, captured.take(), &mut load, &mut failure);
            tokio::pin!(next);
            tokio::select! {
                biased;
                cause = &mut shutdown => {
                    end = cause;
                    if state == State::Analysing {
                        // A recorded verdict must also be shown.
                        let _ = timeout(CLOSE_TIMEOUT, next).await;
                    }
                    Event::Shutdown(after(end, switched_off))
                }
                event = &mut next => event,
                never = &mut watchdog => match never {},
            }
        };
        if let Event::ModelReady(self_test) = &event {
            appliance.self_test = Some(self_test.clone());
            systemd::ready();
        }
        if let Event::ChecksRenewed(renewed) = &event {
            appliance.renew_checks(renewed.clone());
        }
        let is_capture = matches!(state, State::Capturing(_) | State::Analysing);
        // The board logs missing parts itself.
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
            appliance.link.send(ApplianceEvent::Failed {
                fault: fault.clone(),
                asked: is_capture.then_some(appliance.asked),
            });
        }
    }
    appliance.show(&state);
    appliance.publish(&state);
    if let Some(loaded) = appliance.loaded.take()
        && timeout(CLOSE_TIMEOUT, loaded.worker.end()).await.is_err()
    {
        log::warn!("the records did not close in time; the next start recovers them");
    }
    if end == End::Operator && switched_off == AfterOff::PressStarts {
        log::info!("switched off; a press starts the appliance again");
        // After a fault at the start, the service manager still waits for it, but not for ever.
        systemd::ready();
        end = rest(&mut appliance.link, shutdown.as_mut(), timing).await;
        let state = State::Off(after(end, switched_off));
        appliance.show(&state);
        appliance.publish(&state);
    }
    if end == End::Reload {
        // The new configuration may name another model, so a failure to load this one is ignored.
        systemd::reloading();
        return Ok(end);
    }
    systemd::stopping();
    failure.map_or(Ok(end), Err)
}

/// What follows after an end. `switched_off` is what follows after the operator's.
fn after(end: End, switched_off: AfterOff) -> AfterOff {
    match end {
        End::Operator => switched_off,
        End::Supervisor => AfterOff::Stopped,
        End::Reload => AfterOff::Restarts,
    }
}

/// Waits, switched off, for a press that starts the appliance again. The service manager's watchdog is fed meanwhile.
async fn rest(
    link: &mut ApplianceLink,
    mut shutdown: Pin<&mut impl Future<Output = End>>,
    timing: Timing,
) -> End {
    let watchdog = systemd::feed_watchdog(&[], watchdog_timeout(timing));
    tokio::pin!(watchdog);
    loop {
        tokio::select! {
            biased;
            cause = &mut shutdown => return cause,
            event = link.presses.next() => {
                if matches!(event, ButtonEvent::Press(_)) {
                    return End::Reload;
                }
            }
            never = &mut watchdog => match never {},
        }
    }
}

/// Feeds the service manager's watchdog once camera and model have a heartbeat.
async fn watchdog(heartbeats: oneshot::Receiver<[Heartbeat; 2]>, timing: Timing) -> Infallible {
    match heartbeats.await {
        Ok(heartbeats) => systemd::feed_watchdog(&heartbeats, watchdog_timeout(timing)).await,
        Err(_) => std::future::pending().await,
    }
}

/// The shortest timeout of the watchdog, so that longer deadlines need no change of the unit file.
fn watchdog_timeout(timing: Timing) -> Duration {
    (timing.capture + timing.analysis) * 2
}

struct Appliance<R> {
    camera: CameraThread,
    panel: FrontPanel,
    readiness: Readiness,
    /// The fault shown last for missing parts.
    missing: Option<Fault>,
    clock: JumpDetector,
    /// Dropping it would end the watch for presses.
    button: Box<dyn Button>,
    link: ApplianceLink,
    self_test: Option<SelfTest>,
    loaded: Option<Loaded>,
    /// Sends the heartbeats of camera and model to the watchdog, once.
    heartbeats: Option<oneshot::Sender<[Heartbeat; 2]>>,
    slide: Slide,
    /// The last verdict on a field or a slide, to show it again.
    last: Option<State>,
    /// Time of the next capture without a press.
    next_picture: Option<Instant>,
    /// Time of the press for the current field.
    asked: Instant,
    timing: Timing,
    report: R,
}

/// A loaded model, its thread and its settings.
struct Loaded {
    worker: Worker<Recorder>,
    identity: Identity,
    /// The engine that ran the model most recently.
    engine: EngineInfo,
    rule: Rule,
}

impl<R: FnMut(&Report)> Appliance<R> {
    /// Shows a state at its beginning.
    fn show(&mut self, state: &State) {
        self.panel.show(&view(
            state,
            self.loaded.as_ref(),
            &self.slide,
            &self.readiness,
            (&self.link.notice, None),
            Duration::ZERO,
        ));
    }

    /// The slide so far; `None` until the model is loaded.
    fn summary(&self) -> Option<SlideSummary> {
        let loaded = self.loaded.as_ref()?;
        Some(self.slide.summary(&loaded.rule))
    }

    /// Reports the state to HTTP, MQTT and the service manager.
    fn publish(&self, state: &State) {
        systemd::status(state.name());
        self.link.status.send_replace(Status {
            state: Arc::new(state.clone()),
            identity: self.loaded.as_ref().map(|loaded| loaded.identity.clone()),
            self_test: self.self_test.clone(),
            slide: self.slide.number(),
            fields: self.slide.judged(),
            refused: self.slide.photographed() - self.slide.judged(),
            count: self.summary().and_then(|summary| summary.count),
            unsaved: self.slide.unsaved(),
            can_repeat: self.last.is_some(),
            not_saved: self.readiness.not_saved().map(str::to_owned),
            obstacles: self.readiness.known(),
        });
    }

    /// Does the work of a state and returns the event that ends it.
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
                Ok(self_test) => Event::ModelReady(self_test),
                Err(error) => {
                    let message = with_causes(&error);
                    *failure = Some(error);
                    failed(message, true)
                }
            },
            (State::Capturing(asked), _) => {
                self.asked = *asked;
                // The operator has read the notice.
                self.link.notice = Notice::default();
                self.capture().await
            }
            (State::Analysing, Some(capture)) => self.analyse(*capture).await,
            (State::Analysing, None) => failed("there is nothing to analyse; press again", false),
            _ => self.wait(state).await,
        }
    }

    /// Puts checks into the self-test and into the pages for the operator.
    fn renew_checks(&mut self, renewed: RenewedChecks) {
        let RenewedChecks {
            part,
            title,
            checks,
        } = renewed;
        let texts = checks.iter().map(|check| check.detail.clone());
        self.link.notice.replace(title, texts);
        if let Some(self_test) = &mut self.self_test {
            self_test.replace(part, checks);
        }
    }

    /// Loads the model and returns the result of the self-test.
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
        let load = load.ok_or_else(|| broken("the model is loaded a second time"))?;
        let Equipped {
            mut recorder,
            checks,
        } = tokio::task::spawn_blocking(load)
            .await
            .map_err(|error| broken(&error.to_string()))??;
        let analyst = recorder.analyst();
        let (model, engine) = (analyst.model(), analyst.engine());
        for fallback in &engine.fallbacks {
            log::warn!("{fallback}");
        }
        let engine = engine.clone();
        let identity = Identity {
            model: format!("{} {}", model.name(), model.version()),
            engine: engine_on_screen(&engine),
            is_demo: model.is_demo(),
        };
        log::info!("{} on {}", identity.model, identity.engine);
        let samples = model.golden().len();
        // A model that counts cells knows of each cell whether it learned from such.
        let has_domain = match model {
            AnyModel::Field(model) => model.manifest().model.domain.is_some(),
            AnyModel::Cells(_) => true,
        };
        if !has_domain {
            log::warn!(
                "the model's manifest has no training domain; pictures unlike its training images are not refused"
            );
        }
        for check in &checks {
            if let Some(title) = check.notice() {
                self.link.notice.add(title, check.detail.clone());
            }
        }
        let faults = self.readiness.faults();
        let self_test = self_test(&identity, samples, has_domain, faults, checks);
        let rule = analyst.rule();
        self.readiness
            .watch(recorder.space().cloned(), recorder.refusal());
        self.slide.renumber(recorder.number_after_records(1));
        let worker =
            Worker::start("model", recorder).map_err(|error| broken(&error.to_string()))?;
        if let Some(sender) = self.heartbeats.take() {
            // The receiver is dropped when the loop ends.
            let _ = sender.send([self.camera.heartbeat(), worker.heartbeat()]);
        }
        self.loaded = Some(Loaded {
            worker,
            identity,
            engine,
            rule,
        });
        Ok(self_test)
    }

    /// Captures a frame, on a new slide if the current one is full.
    async fn capture(&mut self) -> Event {
        self.next_picture = self
            .timing
            .interval
            .map(|interval| Instant::now() + interval);
        let is_full = |max| self.slide.photographed() >= max;
        if self.timing.slide_fields.is_some_and(is_full) {
            self.close_slide(ClosingReason::Full);
        }
        self.readiness.check_room();
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

    /// Analyses and records a frame.
    async fn analyse(&mut self, capture: Capture) -> Event {
        let Some(loaded) = &mut self.loaded else {
            return failed("there is no model; restart the program", false);
        };
        let token = CommitToken::default();
        let source = capture.frame.source.clone();
        let captured = CapturedField {
            frame: capture.frame,
            capture: Some(capture.took),
            slide: self.slide.clone(),
            until: Instant::now() + self.timing.analysis.mul_f32(COMMIT_SHARE),
            token: token.clone(),
        };
        // A shutdown may drop this future at any await.
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
                // The record is being committed, so the verdict must be shown, too.
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
            rule: loaded.rule,
            identity: loaded.identity.clone(),
        });
        (self.report)(&report);
        self.link.send(ApplianceEvent::Analysed(report));
        self.last = Some(State::Verdict(finding.clone()));
        Event::Analysed(finding)
    }

    /// Waits for the operator, a timeout or a missing part, and keeps the screen up to date.
    async fn wait(&mut self, state: &State) -> Event {
        let began = Instant::now();
        // The fault of a missing part is shown until the part works.
        let shown = match state {
            State::Fault(fault) => Some(fault),
            _ => None,
        };
        let is_part_missing = shown.is_some() && shown == self.missing.as_ref();
        let is_passing = state.is_passing() && !is_part_missing;
        let hold = sleep(match state {
            State::SelfTest(self_test) if self_test.passed() => self.timing.selftest,
            // The release of the button may be missed.
            State::SwitchingOff { at, .. } => at.saturating_duration_since(began) + TICK,
            _ => self.timing.hold,
        });
        let next_picture = self.next_picture.filter(|_| state.is_waiting());
        let interval = sleep_until(next_picture.unwrap_or(began).into());
        let mut refreshed = began;
        let event = {
            // The same future is used for the whole wait, so that no press is lost while the screen is drawn.
            let pressed = self.link.presses.next();
            tokio::pin!(hold, interval, pressed);
            loop {
                self.clock.check();
                let missing = self.readiness.obstacles();
                let known = self.readiness.known();
                self.link.status.send_if_modified(|status| {
                    let is_new = status.obstacles != known;
                    status.obstacles = known;
                    is_new
                });
                if *state == State::Ready && !missing.is_empty() {
                    let fault = Fault::of_parts(&missing);
                    self.missing = Some(fault.clone());
                    return Event::PartsMissing(fault);
                }
                if is_part_missing && shown != Some(&Fault::of_parts(&missing)) {
                    return Event::HoldOver;
                }
                tokio::select! {
                    // Input of the operator has priority over the interval, because it may close the slide.
                    biased;
                    event = &mut pressed => break event,
                    () = &mut interval, if next_picture.is_some() => {
                        return Event::Press(Instant::now());
                    }
                    Some(renewed) = self.link.renewed_checks.recv() => {
                        return Event::ChecksRenewed(renewed);
                    }
                    () = &mut hold, if is_passing => return Event::HoldOver,
                    () = sleep(TICK.min(self.timing.refresh)) => {}
                }
                if refreshed.elapsed() >= self.timing.refresh {
                    refreshed = Instant::now();
                    self.panel.redraw();
                }
                let (loaded, notice) = (self.loaded.as_ref(), &self.link.notice);
                let address = self.link.address.as_ref().map(WebAddress::url);
                let view = view(
                    state,
                    loaded,
                    &self.slide,
                    &self.readiness,
                    (notice, address.as_deref()),
                    began.elapsed(),
                );
                self.panel.show(&view);
            }
        };
        self.button_event(event)
    }

    /// Closes the slide and starts the next. Returns the summary of the closed one, or `None` if it had no fields.
    fn close_slide(&mut self, reason: ClosingReason) -> Option<SlideSummary> {
        let loaded = self.loaded.as_ref()?;
        if self.slide.is_untouched() {
            return None;
        }
        let summary = self.slide.summary(&loaded.rule);
        log::info!("slide {} closed: {}", summary.slide, summary.words());
        let id = self.slide.id();
        loaded
            .worker
            .tell(move |recorder| recorder.close_slide(id, reason));
        self.link.send(ApplianceEvent::SlideClosed(summary));
        self.slide = self.slide.next();
        self.last = Some(State::SlideClosed(summary));
        Some(summary)
    }

    /// Converts an event of the button to one of the state machine.
    fn button_event(&mut self, event: ButtonEvent) -> Event {
        match event {
            ButtonEvent::Press(at) => Event::Press(at),
            ButtonEvent::NextSlide => match self.close_slide(ClosingReason::Operator) {
                Some(summary) => Event::SlideClosed(summary),
                // The current slide has no fields, so it serves as the next one.
                None => Event::HoldOver,
            },
            ButtonEvent::Repeat => Event::Repeat(self.last.clone()),
            ButtonEvent::ShutdownPending(at) => Event::ShutdownPending(at),
            ButtonEvent::ShutdownCancelled => Event::ShutdownCancelled,
            ButtonEvent::Shutdown => Event::Shutdown(self.link.after_off),
        }
    }
}

/// Switches to the engine that took over the model, and adds a notice with the reason, which the screen shows after the
/// verdict. The change is not a fault, because the capture still gave a verdict.
fn change_engine(loaded: &mut Loaded, engine: EngineInfo, notice: &mut Notice) {
    let known = loaded.engine.fallbacks.len();
    let reasons = engine.fallbacks.get(known..).unwrap_or_default().join("; ");
    let message = format!("{reasons}; now {} runs the model", engine.name());
    notice.add("OTHER ENGINE", message);
    loaded.identity.engine = engine_on_screen(&engine);
    loaded.engine = engine;
}

/// Short name of an engine, to fit the screen.
fn engine_on_screen(engine: &EngineInfo) -> String {
    format!("{} {}", engine.engine, engine.device)
}

/// The view of a state that has been shown for `since`.
fn view<'a>(
    state: &'a State,
    loaded: Option<&'a Loaded>,
    slide: &Slide,
    readiness: &Readiness,
    (notice, address): (&'a Notice, Option<&'a str>),
    since: Duration,
) -> View<'a> {
    View {
        state,
        identity: loaded.map(|loaded| &loaded.identity),
        rule: loaded.map(|loaded| loaded.rule),
        slide: slide.number(),
        fields: slide.judged(),
        count: loaded.and_then(|loaded| slide.summary(&loaded.rule).count),
        is_disk_low: readiness.is_disk_low(),
        clock: checks::time_of_day(&jiff::Zoned::now()),
        since,
        notice,
        address,
    }
}

/// The self-test after the start: faults of the board, the checks during loading, and the verified model.
fn self_test(
    identity: &Identity,
    samples: usize,
    has_domain: bool,
    faults: Vec<String>,
    checks: Vec<Check>,
) -> SelfTest {
    for check in &checks {
        let level = if check.passed {
            Level::Info
        } else {
            Level::Error
        };
        log::log!(level, "self-test: {}: {}", check.part, check.detail);
    }
    let mut results: Vec<Check> = faults
        .into_iter()
        .map(|fault| Check::missing("board", fault))
        .collect();
    if results.is_empty() {
        results.push(Check::passed("board", "all parts work"));
    }
    results.extend(checks);
    results.push(Check::passed("model", format!("{} verified", identity.model)).detailed());
    results.push(Check::passed("golden", format!("{samples} golden samples passed")).detailed());
    results.push(Check::passed("engine", identity.engine.clone()).detailed());
    if !has_domain {
        results.push(Check::passed("domain", "distance not checked").detailed());
    }
    SelfTest { checks: results }
}

/// The event of a failure.
fn failed(message: impl Into<String>, is_final: bool) -> Event {
    Event::Failed(Fault {
        message: message.into(),
        is_final,
    })
}
