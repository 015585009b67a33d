//! The loop of the appliance: waits for a press, asks the camera, asks the model, shows the answer.

use std::future::Future;
use std::time::{Duration, Instant};

use smearscope_artifacts::{ArtifactError, DecisionRule, SlideRule};
use smearscope_hardware::{
    Board, Button, ButtonEvent, Canvas, Frame, HardwareError, Lights, PressReceiver, Screen,
    StatusLeds, press_queue, with_causes,
};
use tokio::time::{sleep, timeout};

use crate::analysis::AnalysisError;
use crate::conditions::Conditions;
use crate::examiner::{Claim, Examiner, Specimen};
use crate::machine::{Event, Fault, Finding, State};
use crate::records::RecordsError;
use crate::screens::{self, Identity, View};
use crate::slide::Slide;
use crate::workers::{Gone, Worker};

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From one picture to the next without anybody pressing, for a box without a button.
    pub interval: Option<Duration>,
    /// From the press to the frame.
    pub capture: Duration,
    /// From the frame to the verdict.
    pub analysis: Duration,
    /// How long the findings of the self-test are shown.
    pub selftest: Duration,
    /// How long a verdict or a fault is shown.
    pub hold: Duration,
    /// After which the same picture is sent again: the display may have failed, or have lost its
    /// power for a moment, which nothing tells.
    pub refresh: Duration,
}

/// How often it is looked whether the display should show something else: text that scrolls, the time.
const TICK: Duration = Duration::from_millis(500);

/// A finished analysis, for whoever prints it.
#[derive(Debug)]
pub struct Report<'a> {
    /// Where the frame came from.
    pub source: &'a str,
    /// What came out.
    pub finding: &'a Finding,
    /// Probability from which on the verdict is positive.
    pub threshold: f32,
    /// The model and the engine that gave it.
    pub identity: &'a Identity,
}

/// Why the appliance could not work.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// A part of the board cannot be used.
    #[error(transparent)]
    Hardware(#[from] HardwareError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ArtifactError),
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
}

/// Runs the appliance until `shutdown` is done or the operator switches off.
///
/// Model and records are opened on a thread of its own by `load`; if that fails, the screen says so until
/// the end, and nothing is ever analysed. Each finished analysis goes to `report`, once it is recorded
/// where records are kept.
///
/// # Errors
/// [`ApplianceError`] if the button cannot be watched, or if model or records could not be used.
pub async fn run(
    board: Board,
    load: impl FnOnce() -> Result<Examiner, ApplianceError> + Send + 'static,
    timing: Timing,
    report: impl FnMut(&Report<'_>),
    shutdown: impl Future<Output = ()>,
) -> Result<End, ApplianceError> {
    let (sender, presses) = press_queue();
    let mut camera = board.camera;
    let mut appliance = Appliance {
        camera: Worker::start("camera", move |()| camera.capture())?,
        front: Front {
            leds: board.leds,
            screen: board.screen,
            shown: None,
        },
        slide: Slide::first(),
        last: None,
        conditions: Conditions::new(board.faults),
        missing: None,
        button: board.button,
        presses,
        examiner: None,
        frame: None,
        timing,
        report,
    };
    appliance.show(&State::Starting);
    appliance.button.watch(sender)?;

    tokio::pin!(shutdown);
    let mut state = State::Starting;
    let mut load = Some(load);
    let mut failure = None;
    let mut end = End::Operator;
    while state != State::Off {
        appliance.front.screen.wake();
        appliance.show(&state);
        let event = tokio::select! {
            biased;
            () = &mut shutdown => {
                end = End::Supervisor;
                Event::Shutdown
            }
            event = appliance.next(&state, &mut load, &mut failure) => event,
        };
        match &event {
            Event::Failed(fault) => log::error!("{}", fault.message),
            event => log::debug!("{event:?}"),
        }
        state = state.after(event);
    }
    appliance.show(&state);
    failure.map_or(Ok(end), Err)
}

struct Appliance<R> {
    camera: Worker<(), Result<Frame, HardwareError>>,
    front: Front,
    conditions: Conditions,
    /// The fault that these were shown as last.
    missing: Option<Fault>,
    /// Held, because dropping it ends its watch.
    button: Box<dyn Button>,
    presses: PressReceiver,
    examiner: Option<Loaded>,
    slide: Slide,
    /// The last finding, to be shown again.
    last: Option<Finding>,
    /// What the camera delivered and how long it took, on its way to the model.
    frame: Option<(Frame, Duration)>,
    timing: Timing,
    report: R,
}

/// A model at work on a thread of its own.
struct Loaded {
    worker: Worker<Specimen, Examined>,
    identity: Identity,
    decision: DecisionRule,
    slide: SlideRule,
}

/// Where a frame came from, and what came of it.
type Examined = (String, Result<Finding, AnalysisError>);

impl<R: FnMut(&Report<'_>)> Appliance<R> {
    fn show(&mut self, state: &State) {
        self.front.show(&view(
            state,
            self.examiner.as_ref(),
            &self.slide,
            &self.conditions,
            Duration::ZERO,
        ));
    }

    /// Does what a state is for and says what came of it.
    async fn next<L>(
        &mut self,
        state: &State,
        load: &mut Option<L>,
        failure: &mut Option<ApplianceError>,
    ) -> Event
    where
        L: FnOnce() -> Result<Examiner, ApplianceError> + Send + 'static,
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
            State::Capturing(_) => self.capture().await,
            State::Analysing => self.analyse().await,
            _ => self.wait(state).await,
        }
    }

    /// Loads the model and gives what the self-test found, a line each.
    async fn start<L>(&mut self, load: Option<L>) -> Result<Vec<String>, ApplianceError>
    where
        L: FnOnce() -> Result<Examiner, ApplianceError> + Send + 'static,
    {
        let broken = |problem: &str| ArtifactError::Inference {
            engine: "model",
            problem: problem.into(),
        };
        let load = load.ok_or_else(|| broken("it was loaded twice"))?;
        let mut examiner = tokio::task::spawn_blocking(load)
            .await
            .map_err(|error| broken(&error.to_string()))??;
        let analyst = examiner.analyst();
        let (manifest, engine) = (analyst.manifest(), analyst.engine());
        for fallback in &engine.fallbacks {
            log::warn!("{fallback}");
        }
        let identity = Identity {
            model: format!("{} {}", manifest.name, manifest.version),
            engine: format!("{} {}", engine.engine, engine.device),
            is_demo: manifest.demo,
        };
        log::info!("{} on {}", identity.model, identity.engine);
        let mut found = vec![
            format!("{} right", identity.model),
            format!("{} samples right", analyst.model().golden().len()),
            identity.engine.clone(),
        ];
        let faults = self.conditions.faults();
        if faults.is_empty() {
            found.push("camera there".into());
        }
        found.extend(faults);
        self.conditions.watch(examiner.space().cloned());
        if let Some(free) = self.conditions.free() {
            found.push(format!("records, {free} MiB free"));
        }
        self.examiner = Some(Loaded {
            identity,
            decision: manifest.decision,
            slide: manifest.slide,
            worker: Worker::start("model", move |specimen: Specimen| {
                (specimen.frame.source.clone(), examiner.examine(specimen))
            })
            .map_err(|error| broken(&error.to_string()))?,
        });
        Ok(found)
    }

    async fn capture(&mut self) -> Event {
        self.conditions.look_at_room();
        if let Some(message) = self.conditions.no_room() {
            return failed(message, false);
        }
        let began = Instant::now();
        match timeout(self.timing.capture, self.camera.ask(())).await {
            Ok(Ok(Ok(frame))) => {
                let exposed = frame.captured_at;
                self.frame = Some((frame, began.elapsed()));
                Event::Captured(exposed)
            }
            Ok(Ok(Err(error))) => failed(with_causes(&error), false),
            Ok(Err(Gone)) => failed("the camera's driver crashed; restart the appliance", true),
            Err(_) => failed("the camera gives no picture; unplug and plug it in", false),
        }
    }

    async fn analyse(&mut self) -> Event {
        let (Some(loaded), Some((frame, capture))) = (&self.examiner, self.frame.take()) else {
            return failed("there is nothing to analyse; press again", false);
        };
        let claim = Claim::default();
        let specimen = Specimen {
            frame,
            capture,
            slide: self.slide.clone(),
            claim: claim.clone(),
        };
        let answer = loaded.worker.ask(specimen);
        tokio::pin!(answer);
        let answered = match timeout(self.timing.analysis, &mut answer).await {
            Ok(answered) => answered,
            Err(_) if claim.take() => {
                return failed("the analysis takes too long; press again", false);
            }
            // It is being recorded, so that it must be shown, too.
            Err(_) => answer.await,
        };
        match answered {
            Ok((source, Ok(finding))) => {
                self.slide.add(&finding.field);
                (self.report)(&Report {
                    source: &source,
                    finding: &finding,
                    threshold: loaded.decision.threshold,
                    identity: &loaded.identity,
                });
                self.last = Some(finding.clone());
                Event::Analysed(finding)
            }
            Ok((source, Err(error))) => failed(format!("{source}: {}", with_causes(&error)), false),
            Err(Gone) => failed("the analysis crashed; restart the appliance", true),
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
            State::SelfTest(_) => self.timing.selftest,
            _ => self.timing.hold,
        });
        let interval = sleep(self.timing.interval.unwrap_or_default());
        let is_timed = self.timing.interval.is_some() && state.is_waiting();
        let mut refreshed = began;
        let event = {
            // One wait, so that no press is lost while the display is drawn again.
            let pressed = self.presses.next();
            tokio::pin!(hold, interval, pressed);
            loop {
                let missing = self.conditions.obstacles();
                if *state == State::Ready && !missing.is_empty() {
                    let fault = Fault::of_parts(&missing);
                    self.missing = Some(fault.clone());
                    return Event::PartsMissing(fault);
                }
                if is_part_missing && shown != Some(&Fault::of_parts(&missing)) {
                    return Event::HoldOver;
                }
                tokio::select! {
                    event = &mut pressed => break event,
                    () = &mut interval, if is_timed => return Event::Press(Instant::now()),
                    () = &mut hold, if is_passing => return Event::HoldOver,
                    () = sleep(TICK.min(self.timing.refresh)) => {}
                }
                if refreshed.elapsed() >= self.timing.refresh {
                    refreshed = Instant::now();
                    self.front.shown = None;
                }
                self.front.show(&view(
                    state,
                    self.examiner.as_ref(),
                    &self.slide,
                    &self.conditions,
                    began.elapsed(),
                ));
            }
        };
        self.meaning(event)
    }

    /// What a gesture means here.
    fn meaning(&mut self, event: ButtonEvent) -> Event {
        match event {
            ButtonEvent::Press(at) => Event::Press(at),
            ButtonEvent::NextSlide => match &self.examiner {
                Some(loaded) if self.slide.photographed() > 0 => {
                    let standing = self.slide.standing(loaded.slide, &loaded.decision);
                    log::info!(
                        "slide {} closed: {}",
                        standing.slide,
                        standing.verdict.word()
                    );
                    self.slide = self.slide.next();
                    Event::SlideClosed(standing)
                }
                // A slide of which nothing was photographed is the next one already.
                _ => Event::HoldOver,
            },
            ButtonEvent::Repeat => Event::Repeat(self.last.clone()),
            ButtonEvent::ShutdownAhead(at) => Event::ShutdownAhead(at),
            ButtonEvent::ShutdownAverted => Event::ShutdownAverted,
            ButtonEvent::Shutdown => Event::Shutdown,
        }
    }
}

fn view<'a>(
    state: &'a State,
    examiner: Option<&'a Loaded>,
    slide: &Slide,
    conditions: &Conditions,
    since: Duration,
) -> View<'a> {
    View {
        state,
        identity: examiner.map(|loaded| &loaded.identity),
        slide: slide.number(),
        fields: slide.photographed(),
        is_disk_low: conditions.is_disk_low(),
        clock: clock(),
        since,
    }
}

/// OLED and LEDs. Either may fail without stopping the other, or the appliance.
struct Front {
    leds: Box<dyn StatusLeds>,
    screen: Box<dyn Screen>,
    /// What they show, as far as is known.
    shown: Option<(Lights, Canvas)>,
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

/// The time of day, once the clock has been set: a Pi without network starts in the past.
fn clock() -> Option<jiff::civil::Time> {
    const FIRST_YEAR: i16 = 2026;
    let now = jiff::Zoned::now();
    (now.year() >= FIRST_YEAR).then(|| now.time())
}

fn failed(message: impl Into<String>, is_final: bool) -> Event {
    Event::Failed(Fault {
        message: message.into(),
        is_final,
    })
}
