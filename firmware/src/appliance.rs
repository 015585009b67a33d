//! The loop of the appliance: waits for a press, asks the camera, asks the model, shows the answer.

use std::future::Future;
use std::time::Duration;

use smearscope_artifacts::ArtifactError;
use smearscope_hardware::{
    Board, Button, ButtonEvent, Faults, Frame, HardwareError, PressReceiver, Screen, StatusLeds,
    press_queue, with_causes,
};
use tokio::time::{sleep, timeout};

use crate::analysis::{Analysis, AnalysisError, Analyst};
use crate::machine::{Event, Fault, State};
use crate::screens::{self, Identity};
use crate::workers::{Gone, Worker};

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From the press to the frame.
    pub capture: Duration,
    /// From the frame to the verdict.
    pub analysis: Duration,
    /// How long a verdict or a fault is shown.
    pub hold: Duration,
    /// After which the same picture is sent again: the display may have failed, or have lost its
    /// power for a moment, which nothing tells.
    pub refresh: Duration,
}

/// A finished analysis, for whoever keeps or prints it.
#[derive(Debug)]
pub struct Report<'a> {
    /// Where the frame came from.
    pub source: &'a str,
    /// What came out.
    pub analysis: &'a Analysis,
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
    /// The system has no room for a thread.
    #[error("a thread cannot be started; free some memory")]
    Thread(#[from] std::io::Error),
}

/// Runs the appliance until `shutdown` is done or the operator switches off.
///
/// The model is loaded on a thread of its own by `load`; if that fails, the screen says so until
/// the end, and nothing is ever analysed. Each finished analysis goes to `report`.
///
/// # Errors
/// [`ApplianceError`] if the button cannot be watched, or if the model could not be used.
pub async fn run(
    board: Board,
    load: impl FnOnce() -> Result<Analyst, ArtifactError> + Send + 'static,
    timing: Timing,
    report: impl FnMut(&Report<'_>),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ApplianceError> {
    let (sender, presses) = press_queue();
    let mut camera = board.camera;
    let mut appliance = Appliance {
        camera: Worker::start("camera", move |()| camera.capture())?,
        front: Front {
            leds: board.leds,
            screen: board.screen,
        },
        faults: board.faults,
        missing: None,
        button: board.button,
        presses,
        analyst: None,
        frame: None,
        timing,
        report,
    };
    appliance.front.show(&State::Starting, None);
    appliance.button.watch(sender)?;

    tokio::pin!(shutdown);
    let mut state = State::Starting;
    let mut load = Some(load);
    let mut failure = None;
    while state != State::Off {
        appliance.front.screen.wake();
        appliance.show(&state);
        let event = tokio::select! {
            biased;
            () = &mut shutdown => Event::Shutdown,
            event = appliance.next(&state, &mut load, &mut failure) => event,
        };
        match &event {
            Event::Failed(fault) => log::error!("{}", fault.message),
            event => log::debug!("{event:?}"),
        }
        state = state.after(event);
    }
    appliance.show(&state);
    failure.map_or(Ok(()), |error: ArtifactError| Err(error.into()))
}

struct Appliance<R> {
    camera: Worker<(), Result<Frame, HardwareError>>,
    front: Front,
    faults: Faults,
    /// The fault that these were shown as last.
    missing: Option<Fault>,
    /// Held, because dropping it ends its watch.
    button: Box<dyn Button>,
    presses: PressReceiver,
    analyst: Option<Loaded>,
    /// What the camera delivered, on its way to the model.
    frame: Option<Frame>,
    timing: Timing,
    report: R,
}

/// A model at work on a thread of its own.
struct Loaded {
    worker: Worker<Frame, (String, Result<Analysis, AnalysisError>)>,
    identity: Identity,
    threshold: f32,
}

impl<R: FnMut(&Report<'_>)> Appliance<R> {
    fn show(&mut self, state: &State) {
        let identity = self.analyst.as_ref().map(|loaded| &loaded.identity);
        self.front.show(state, identity);
    }

    /// Does what a state is for and says what came of it.
    async fn next<L>(
        &mut self,
        state: &State,
        load: &mut Option<L>,
        failure: &mut Option<ArtifactError>,
    ) -> Event
    where
        L: FnOnce() -> Result<Analyst, ArtifactError> + Send + 'static,
    {
        match state {
            State::Starting => match self.start(load.take()).await {
                Ok(()) => Event::ModelReady,
                Err(error) => {
                    let message = error.to_string();
                    *failure = Some(error);
                    failed(message, true)
                }
            },
            State::Capturing(_) => self.capture().await,
            State::Analysing => self.analyse().await,
            State::Ready | State::Verdict(_) | State::Fault(_) | State::Off => {
                self.wait(state).await
            }
        }
    }

    async fn start<L>(&mut self, load: Option<L>) -> Result<(), ArtifactError>
    where
        L: FnOnce() -> Result<Analyst, ArtifactError> + Send + 'static,
    {
        let broken = |problem: &str| ArtifactError::Inference {
            engine: "model",
            problem: problem.into(),
        };
        let load = load.ok_or_else(|| broken("it was loaded twice"))?;
        let mut analyst = tokio::task::spawn_blocking(load)
            .await
            .map_err(|error| broken(&error.to_string()))??;
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
        self.analyst = Some(Loaded {
            identity,
            threshold: manifest.decision.threshold,
            worker: Worker::start("model", move |frame: Frame| {
                (frame.source.clone(), analyst.analyse_frame(frame))
            })
            .map_err(|error| broken(&error.to_string()))?,
        });
        Ok(())
    }

    async fn capture(&mut self) -> Event {
        match timeout(self.timing.capture, self.camera.ask(())).await {
            Ok(Ok(Ok(frame))) => {
                let exposed = frame.captured_at;
                self.frame = Some(frame);
                Event::Captured(exposed)
            }
            Ok(Ok(Err(error))) => failed(with_causes(&error), false),
            Ok(Err(Gone)) => failed("the camera's driver crashed; restart the appliance", true),
            Err(_) => failed("the camera gives no picture; unplug and plug it in", false),
        }
    }

    async fn analyse(&mut self) -> Event {
        let (Some(loaded), Some(frame)) = (&self.analyst, self.frame.take()) else {
            return failed("there is nothing to analyse; press again", false);
        };
        match timeout(self.timing.analysis, loaded.worker.ask(frame)).await {
            Ok(Ok((source, Ok(analysis)))) => {
                (self.report)(&Report {
                    source: &source,
                    analysis: &analysis,
                    threshold: loaded.threshold,
                    identity: &loaded.identity,
                });
                Event::Analysed(analysis)
            }
            Ok(Ok((source, Err(error)))) => {
                failed(format!("{source}: {}", with_causes(&error)), false)
            }
            Ok(Err(Gone)) => failed("the analysis crashed; restart the appliance", true),
            Err(_) => failed("the analysis takes too long; press again", false),
        }
    }

    async fn wait(&mut self, state: &State) -> Event {
        let identity = self.analyst.as_ref().map(|loaded| &loaded.identity);
        // A part that is missing is shown until it is back.
        let shown = match state {
            State::Fault(fault) => Some(fault),
            _ => None,
        };
        let is_part_missing = shown.is_some() && shown == self.missing.as_ref();
        let is_passing = matches!(state, State::Verdict(_) | State::Fault(_)) && !is_part_missing;
        let hold = sleep(self.timing.hold);
        // One wait, so that no press is lost while the display is drawn again.
        let pressed = self.presses.next();
        tokio::pin!(hold, pressed);
        loop {
            let missing = self.faults.look();
            if *state == State::Ready && !missing.is_empty() {
                let fault = Fault::of_parts(&missing);
                self.missing = Some(fault.clone());
                return Event::PartsMissing(fault);
            }
            if is_part_missing && shown != Some(&Fault::of_parts(&missing)) {
                return Event::HoldOver;
            }
            tokio::select! {
                event = &mut pressed => return match event {
                    ButtonEvent::Press(at) => Event::Press(at),
                    ButtonEvent::NextSlide => Event::NextSlide,
                    ButtonEvent::Repeat => Event::Repeat,
                    ButtonEvent::ShutdownAhead(at) => Event::ShutdownAhead(at),
                    ButtonEvent::ShutdownAverted => Event::ShutdownAverted,
                    ButtonEvent::Shutdown => Event::Shutdown,
                },
                () = &mut hold, if is_passing => return Event::HoldOver,
                () = sleep(self.timing.refresh) => self.front.show(state, identity),
            }
        }
    }
}

/// OLED and LEDs. Either may fail without stopping the other, or the appliance.
struct Front {
    leds: Box<dyn StatusLeds>,
    screen: Box<dyn Screen>,
}

impl Front {
    fn show(&mut self, state: &State, identity: Option<&Identity>) {
        let leds = self.leds.show(screens::lights(state));
        let screen = self.screen.show(&screens::picture(state, identity));
        for error in [leds.err(), screen.err()].into_iter().flatten() {
            // Parts that come back have been logged with the board's faults, once.
            log::debug!("{}", with_causes(&error));
        }
    }
}

fn failed(message: impl Into<String>, is_final: bool) -> Event {
    Event::Failed(Fault {
        message: message.into(),
        is_final,
    })
}
