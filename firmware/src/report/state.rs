//! JSON of the appliance's state.

use serde::Serialize;
use smearscope_hardware::LedPatterns;
use utoipa::ToSchema;

use crate::appliance::handle::Status;
use crate::appliance::leds::led_patterns;
use crate::appliance::state;
use crate::records::CountEntry;
use crate::report::finding::Shown;

/// The state of the appliance.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct State {
    /// Name of the state.
    name: StateName,
    /// The state in words; for a fault, what failed and what to do about it; for `off`, whether it is switched off, stopped
    /// or restarting.
    message: String,
    /// The status LEDs.
    lamps: LedPatterns,
    /// The verdict that the state shows, also when it shows the last one again; null if it shows none.
    #[schema(required)]
    shown: Option<Shown>,
    /// Whether a capture would be accepted now.
    waiting: bool,
    /// Whether there is a verdict that can be shown again.
    can_repeat: bool,
    /// Number of the slide under the microscope, from 1.
    slide: u32,
    /// Fields of this slide that count: the model judged them, or found at least one leukocyte.
    fields: u32,
    /// Fields of this slide that say nothing: the quality gate refused them, or no leukocyte could be counted.
    refused: u32,
    /// The cells of this slide so far; null if whole fields are judged, and until the model is loaded.
    #[schema(required)]
    count: Option<CountEntry>,
    /// Fields of this slide that could not be recorded; they do not count.
    unsaved: u32,
    /// What is not as it should be, although it prevents no capture: lost or damaged records, a refused configuration, a
    /// model that failed.
    warnings: Vec<String>,
}

/// Name of a state, the same over HTTP and MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateName {
    Starting,
    #[serde(rename = "selftest")]
    SelfTest,
    Ready,
    Capturing,
    Analysing,
    Verdict,
    SlideClosed,
    Again,
    SwitchingOff,
    Fault,
    Off,
}

impl StateName {
    /// All names.
    pub(crate) const ALL: [Self; 11] = [
        Self::Starting,
        Self::SelfTest,
        Self::Ready,
        Self::Capturing,
        Self::Analysing,
        Self::Verdict,
        Self::SlideClosed,
        Self::Again,
        Self::SwitchingOff,
        Self::Fault,
        Self::Off,
    ];
}

impl From<&state::State> for StateName {
    fn from(state: &state::State) -> Self {
        match state {
            state::State::Starting => Self::Starting,
            state::State::SelfTest(_) => Self::SelfTest,
            state::State::Ready => Self::Ready,
            state::State::Capturing(_) => Self::Capturing,
            state::State::Analysing => Self::Analysing,
            state::State::Verdict(_) => Self::Verdict,
            state::State::SlideClosed(_) => Self::SlideClosed,
            state::State::Again(_) => Self::Again,
            state::State::SwitchingOff { .. } => Self::SwitchingOff,
            state::State::Fault(_) => Self::Fault,
            state::State::Off(_) => Self::Off,
        }
    }
}

impl From<&Status> for State {
    fn from(status: &Status) -> Self {
        let state = &*status.state;
        Self {
            name: state.into(),
            message: state.name().to_owned(),
            lamps: led_patterns(state),
            shown: state.shown().map(Shown::from),
            waiting: is_waiting(state),
            can_repeat: status.can_repeat,
            slide: status.slide,
            fields: status.fields,
            refused: status.refused,
            count: status.count.as_ref().map(CountEntry::new),
            unsaved: status.unsaved,
            warnings: status.warnings(),
        }
    }
}

/// Whether a press of the button would be accepted.
pub(crate) fn is_waiting(state: &state::State) -> bool {
    match state {
        state::State::Fault(fault) => !fault.is_final,
        state => state.is_waiting(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::analysis::finding::SaveOutcome;
    use crate::analysis::verdict::Judgement;
    use crate::appliance::checks::Check;
    use crate::appliance::handle::connect;
    use crate::appliance::self_test::SelfTest;
    use crate::appliance::state::tests::finding;

    fn state_json(state: state::State) -> Value {
        let (handle, _link) = connect();
        let mut status = handle.status().borrow().clone();
        status.state = Arc::new(state);
        serde_json::to_value(State::from(&status)).unwrap()
    }

    #[test]
    fn a_state_names_itself_and_its_lamps() {
        let fault = state::Fault {
            message: "the camera is gone".into(),
            is_final: false,
        };
        let negative = finding(Judgement::NEGATIVE, Some(0.1));
        let self_test = SelfTest { checks: Vec::new() };
        for (state, name, [red, amber, green]) in [
            (state::State::Ready, "ready", ["off", "off", "on"]),
            (
                state::State::SelfTest(self_test),
                "selftest",
                ["on", "on", "on"],
            ),
            (
                state::State::Analysing,
                "analysing",
                ["off", "breathe", "off"],
            ),
            (
                state::State::Verdict(negative),
                "verdict",
                ["off", "off", "blink"],
            ),
            (state::State::Fault(fault), "fault", ["blink", "off", "off"]),
        ] {
            let json = state_json(state);
            assert_eq!(json["name"], name);
            let lamps = json!({"red": red, "amber": amber, "green": green});
            assert_eq!(json["lamps"], lamps, "{name}");
        }
    }

    #[test]
    fn the_state_off_says_why() {
        for (after, message) in [
            (state::AfterOff::PressStarts, "switched off"),
            (state::AfterOff::Stopped, "stopped"),
            (state::AfterOff::Restarts, "restarting"),
        ] {
            let json = state_json(state::State::Off(after));
            assert_eq!(
                (&json["name"], &json["message"]),
                (&json!("off"), &json!(message))
            );
        }
    }

    #[test]
    fn a_state_has_the_warnings_that_still_hold() {
        let (handle, _link) = connect();
        let mut status = handle.status().borrow().clone();
        let warnings = |status: &Status| {
            serde_json::to_value(State::from(status)).unwrap()["warnings"].clone()
        };
        assert_eq!(warnings(&status), json!([]));
        let checks = vec![
            Check::missing("board", "no camera"),
            Check::failed("clock", "1970 is wrong"),
            Check::failed("records", "rows were lost"),
            Check::passed("config", "ignored: a"),
            Check::failed("model", "using the shipped model"),
        ];
        status.self_test = Some(SelfTest { checks });
        let expected = json!(["using the shipped model", "rows were lost"]);
        assert_eq!(warnings(&status), expected);
    }

    #[test]
    fn a_state_says_which_verdict_it_shows() {
        let positive = finding(Judgement::POSITIVE, Some(0.75));
        let of_slide = json!({
            "verdict": "Positive", "reason": null, "hint": null, "probability": 0.75, "count": null,
        });
        let closed = state::State::SlideClosed(positive.slide);
        let mut unsaved = positive.clone();
        unsaved.saved = SaveOutcome::NotSaved;
        let of_field = json!({
            "verdict": "Inconclusive", "reason": "not saved, does not count",
            "hint": "check the disk, then take it again", "probability": null, "count": null,
        });
        let verdict = state::State::Verdict(positive);
        for (state, shown) in [
            (verdict.clone(), &of_slide),
            (closed.clone(), &of_slide),
            (state::State::Again(Box::new(closed)), &of_slide),
            (state::State::Again(Box::new(verdict)), &of_slide),
            (state::State::Verdict(unsaved), &of_field),
            (state::State::Ready, &Value::Null),
            (state::State::Analysing, &Value::Null),
        ] {
            let name = state.name().to_owned();
            assert_eq!(&state_json(state)["shown"], shown, "{name}");
        }
    }
}
