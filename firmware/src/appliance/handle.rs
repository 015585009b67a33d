//! The appliance seen from outside: what it is doing, what happened, and its button. For whoever tells
//! of it over a network; the loop never waits for those who look.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use smearscope_hardware::{PressReceiver, PressSender, press_queue};
use tokio::sync::{broadcast, watch};

use crate::analysis::finding::Finding;
use crate::analysis::finding::StageTimes;
use crate::analysis::identity::Identity;
use crate::analysis::slide::SlideSummary;
use crate::appliance::camera::CameraThread;
use crate::appliance::notice::Notice;
use crate::appliance::state::{Fault, SelfTest, State};

/// Happenings that somebody who looks away may miss at most.
const BACKLOG: usize = 64;

/// What the appliance is doing now.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Its state.
    pub state: Arc<State>,
    /// The model at work, once it is loaded.
    pub identity: Option<Identity>,
    /// What the self-test found, once it is done.
    pub self_test: Option<SelfTest>,
    /// The slide under the microscope, from 1.
    pub slide: u32,
    /// Fields of it that the model judged.
    pub fields: u32,
    /// Fields of it that the quality gate refused.
    pub refused: u32,
    /// Fields of it that could not be recorded, and count for nothing.
    pub unsaved: u32,
    /// Whether there is a verdict, of a field or a slide, that can be shown again.
    pub can_repeat: bool,
}

/// A finished analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// When it was asked for.
    pub asked: Instant,
    /// Where the frame came from.
    pub source: String,
    /// What came out.
    pub finding: Finding,
    /// How long that took.
    pub times: StageTimes,
    /// Probability from which on the verdict is positive.
    pub threshold: f32,
    /// The model and the engine that gave it.
    pub identity: Identity,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum ApplianceEvent {
    /// A field was photographed and analysed.
    Analysed(Arc<Report>),
    /// A slide was closed.
    SlideClosed(SlideSummary),
    /// Something failed.
    Failed {
        /// What.
        fault: Fault,
        /// When the field was asked for of which nothing comes; none if nobody asked for one.
        asked: Option<Instant>,
    },
}

/// The view from outside. Clones look at the same appliance.
#[derive(Clone)]
pub struct ApplianceHandle {
    status: watch::Receiver<Status>,
    events: broadcast::Sender<ApplianceEvent>,
    button: PressSender,
    camera: Arc<OnceLock<CameraThread>>,
}

/// The appliance's end.
pub struct ApplianceLink {
    pub(crate) status: watch::Sender<Status>,
    pub(crate) events: broadcast::Sender<ApplianceEvent>,
    pub(crate) presses: PressReceiver,
    pub(crate) button: PressSender,
    camera: Arc<OnceLock<CameraThread>>,
    /// What the operator must be shown before the first press.
    pub(crate) notice: Notice,
}

/// Both ends, of an appliance that has not started.
pub fn connect() -> (ApplianceHandle, ApplianceLink) {
    let (button, presses) = press_queue();
    let (events, _) = broadcast::channel(BACKLOG);
    let (sender, status) = watch::channel(Status {
        state: Arc::new(State::Starting),
        identity: None,
        self_test: None,
        slide: 1,
        fields: 0,
        refused: 0,
        unsaved: 0,
        can_repeat: false,
    });
    let camera = Arc::default();
    let handle = ApplianceHandle {
        status,
        events: events.clone(),
        button: button.clone(),
        camera: Arc::clone(&camera),
    };
    let link = ApplianceLink {
        status: sender,
        events,
        presses,
        button,
        camera,
        notice: Notice::default(),
    };
    (handle, link)
}

impl ApplianceHandle {
    /// What the appliance is doing, now and whenever that changes; closed once it has ended.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// What happens from now on. Whoever is slow misses the oldest and is told how many.
    pub fn events(&self) -> broadcast::Receiver<ApplianceEvent> {
        self.events.subscribe()
    }

    /// A button like the one on the bench: what it asks for is refused at the same times.
    pub fn button(&self) -> &PressSender {
        &self.button
    }

    /// The bench's camera, once there is one. Whoever looks through it stands back when the bench needs it.
    pub(crate) fn camera(&self) -> Option<&CameraThread> {
        self.camera.get()
    }
}

impl ApplianceLink {
    /// Lets who looks from outside look through the camera.
    pub(crate) fn show(&self, camera: CameraThread) {
        // An appliance starts once, with one camera.
        let _ = self.camera.set(camera);
    }

    /// Tells what happened, if anybody looks.
    pub(crate) fn tell(&self, event: ApplianceEvent) {
        // An error says that nobody does.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::analysis::verdict::Judgement;
    use crate::appliance::state::tests::finding;

    pub(crate) fn report() -> Report {
        Report {
            asked: Instant::now(),
            source: "field.jpg".into(),
            finding: finding(Judgement::POSITIVE, Some(0.9)),
            times: StageTimes::default(),
            threshold: 0.5,
            identity: Identity {
                model: "smear 1.0.0".into(),
                engine: "embedded CPU".into(),
                is_demo: true,
            },
        }
    }
}
