//! The interface between the event loop and the network: status, events, button and camera. The event loop never waits
//! for the network.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use smearscope_artifacts::CountDecision;
use smearscope_hardware::{PartFault, PressReceiver, PressSender, press_queue};
use tokio::sync::{broadcast, mpsc, watch};

use crate::analysis::finding::Finding;
use crate::analysis::identity::Identity;
use crate::analysis::rule::Rule;
use crate::analysis::slide::SlideSummary;
use crate::analysis::stage_times::StageTimes;
use crate::appliance::camera::CameraThread;
use crate::appliance::checks::{Check, RenewedChecks};
use crate::appliance::notice::Notice;
use crate::appliance::self_test::SelfTest;
use crate::appliance::state::{AfterOff, Fault, State};
use crate::appliance::web_address::WebAddress;
use crate::calibration::CalibrationInUse;
use crate::drift::DriftWatch;
use crate::models::LoadOutcome;
use crate::records::FaultLog;

/// Number of events that are kept for a slow receiver.
const EVENT_CAPACITY: usize = 64;

/// What the appliance is doing now.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// State of the state machine.
    pub state: Arc<State>,
    /// The model in use; `None` until it is loaded.
    pub identity: Option<Identity>,
    /// Result of the self-test; `None` until it is finished.
    pub self_test: Option<SelfTest>,
    /// Number of the slide under the microscope, from 1.
    pub slide: u32,
    /// Fields of this slide that count.
    pub fields: u32,
    /// Fields of this slide that say nothing.
    pub refused: u32,
    /// The cells of this slide so far; `None` if whole fields are judged, and until the model is loaded.
    pub count: Option<CountDecision>,
    /// Fields of this slide that could not be saved and do not count.
    pub unsaved: u32,
    /// Whether there is a verdict on a field or a slide that can be shown again.
    pub can_repeat: bool,
    /// Why captures are not saved, although records are wanted and there is room; `None` if they are.
    pub not_saved: Option<String>,
    /// What prevents captures or saving them now, by part.
    pub obstacles: Vec<PartFault>,
}

impl Status {
    /// What is not as it should be, although it prevents no capture.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let self_test = self.self_test.as_ref();
        self_test.map(SelfTest::warnings).unwrap_or_default()
    }
}

/// A finished analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Time of the press.
    pub asked: Instant,
    /// Source of the frame.
    pub source: String,
    /// Verdicts on field and slide, and whether the field was saved.
    pub finding: Finding,
    /// How long each stage took.
    pub times: StageTimes,
    /// How the model's results become verdicts.
    pub rule: Rule,
    /// The model and the engine that gave the result.
    pub identity: Identity,
}

/// A result or a failure, for HTTP and MQTT. Changes of the state are in [`Status`].
#[derive(Debug, Clone)]
pub enum ApplianceEvent {
    /// A field was photographed and analysed.
    Analysed(Arc<Report>),
    /// A slide was closed.
    SlideClosed(SlideSummary),
    /// Start, capture or analysis failed, or a part of the board does not work.
    Failed {
        /// The failure and its remedy.
        fault: Fault,
        /// Time of the press whose capture failed; `None` if no capture was in progress.
        asked: Option<Instant>,
    },
}

/// The network's end of the interface. Clones belong to the same appliance.
#[derive(Clone)]
pub struct ApplianceHandle {
    status: watch::Receiver<Status>,
    events: broadcast::Sender<ApplianceEvent>,
    button: PressSender,
    renewed_checks: mpsc::UnboundedSender<RenewedChecks>,
    camera: Arc<OnceLock<CameraThread>>,
    calibration: Arc<OnceLock<CalibrationInUse>>,
    drift: Arc<OnceLock<DriftWatch>>,
    fault_log: Arc<Mutex<FaultLog>>,
    loaded_model: Arc<OnceLock<LoadOutcome>>,
}

/// The event loop's end of the interface.
pub struct ApplianceLink {
    pub(crate) status: watch::Sender<Status>,
    pub(crate) events: broadcast::Sender<ApplianceEvent>,
    pub(crate) presses: PressReceiver,
    pub(crate) button: PressSender,
    /// Checks that were made again after the self-test.
    pub(crate) renewed_checks: mpsc::UnboundedReceiver<RenewedChecks>,
    camera: Arc<OnceLock<CameraThread>>,
    calibration: Arc<OnceLock<CalibrationInUse>>,
    drift: Arc<OnceLock<DriftWatch>>,
    /// Shown to the operator until the first press.
    pub(crate) notice: Notice,
    /// Where other machines find the web page, if they can.
    pub(crate) address: Option<WebAddress>,
    /// What follows after the operator switched the appliance off.
    pub after_off: AfterOff,
}

/// Creates both ends for an appliance that has not started.
pub fn connect() -> (ApplianceHandle, ApplianceLink) {
    let (button, presses) = press_queue();
    let (events, _) = broadcast::channel(EVENT_CAPACITY);
    let (sender, status) = watch::channel(Status {
        state: Arc::new(State::Starting),
        identity: None,
        self_test: None,
        slide: 1,
        fields: 0,
        refused: 0,
        count: None,
        unsaved: 0,
        can_repeat: false,
        not_saved: None,
        obstacles: Vec::new(),
    });
    let (checks_sender, renewed_checks) = mpsc::unbounded_channel();
    let camera = Arc::default();
    let calibration = Arc::default();
    let drift = Arc::default();
    let handle = ApplianceHandle {
        status,
        events: events.clone(),
        button: button.clone(),
        renewed_checks: checks_sender,
        camera: Arc::clone(&camera),
        calibration: Arc::clone(&calibration),
        drift: Arc::clone(&drift),
        fault_log: Arc::default(),
        loaded_model: Arc::default(),
    };
    let link = ApplianceLink {
        status: sender,
        events,
        presses,
        button,
        renewed_checks,
        camera,
        calibration,
        drift,
        notice: Notice::default(),
        address: None,
        after_off: AfterOff::default(),
    };
    (handle, link)
}

impl ApplianceHandle {
    /// The status and its changes. The channel closes when the appliance ends.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Events from now on. A slow receiver loses the oldest and learns how many.
    pub fn events(&self) -> broadcast::Receiver<ApplianceEvent> {
        self.events.subscribe()
    }

    /// A virtual button. It is refused in the same states as the button of the bench.
    pub fn button(&self) -> &PressSender {
        &self.button
    }

    /// Puts checks into the self-test, in place of earlier ones of the part, and shows them to the operator under this title
    /// until the next press.
    pub fn renew_checks(&self, part: &'static str, title: &'static str, checks: Vec<Check>) {
        // An error means that the appliance has ended.
        let _ = self.renewed_checks.send(RenewedChecks {
            part,
            title,
            checks,
        });
    }

    /// Tells which model was loaded, once.
    pub fn tell_loaded_model(&self, outcome: LoadOutcome) {
        // Setting it fails only the second time, and an appliance loads its model once.
        let _ = self.loaded_model.set(outcome);
    }

    /// Which model was loaded, and which could not be; `None` until one is.
    pub(crate) fn loaded_model(&self) -> Option<&LoadOutcome> {
        self.loaded_model.get()
    }

    /// The last faults.
    pub(crate) fn fault_log(&self) -> MutexGuard<'_, FaultLog> {
        self.fault_log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The bench's camera; `None` until the appliance starts. Its users must yield to the bench.
    pub(crate) fn camera(&self) -> Option<&CameraThread> {
        self.camera.get()
    }

    /// What is measured of the camera; `None` until the board is built.
    pub(crate) fn calibration(&self) -> Option<&CalibrationInUse> {
        self.calibration.get()
    }

    /// The drift watch; `None` if no records are kept.
    pub(crate) fn drift(&self) -> Option<&DriftWatch> {
        self.drift.get()
    }
}

impl ApplianceLink {
    /// Gives the network access to the camera.
    pub(crate) fn share_camera(&self, camera: CameraThread) {
        // Setting it fails only the second time, and an appliance starts once.
        let _ = self.camera.set(camera);
    }

    /// Gives the network what is measured of the camera.
    pub(crate) fn share_calibration(&self, calibration: CalibrationInUse) {
        // As for the camera.
        let _ = self.calibration.set(calibration);
    }

    /// Gives the network the drift watch.
    pub(crate) fn share_drift(&self, watch: DriftWatch) {
        // As for the camera.
        let _ = self.drift.set(watch);
    }

    /// Sends an event to the network.
    pub(crate) fn send(&self, event: ApplianceEvent) {
        // An error means that there are no receivers.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::analysis::examples::FIELD_RULE;
    use crate::analysis::verdict::Judgement;
    use crate::appliance::state::tests::finding;

    /// The report of a positive field.
    pub(crate) fn report() -> Report {
        Report {
            asked: Instant::now(),
            source: "field.jpg".into(),
            finding: finding(Judgement::POSITIVE, Some(0.9)),
            times: StageTimes::default(),
            rule: FIELD_RULE,
            identity: Identity {
                model: "smear 1.0.0".into(),
                engine: "embedded CPU".into(),
                is_demo: true,
            },
        }
    }
}
