//! The state machine of the appliance. It does no input or output and reads no clock.

use std::time::{Duration, Instant};

use smearscope_hardware::Frame;

use crate::analysis::finding::{Finding, Shown};
use crate::analysis::slide::SlideSummary;
use crate::appliance::checks::RenewedChecks;
use crate::appliance::self_test::SelfTest;

/// What the appliance is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Loading and verifying the model.
    Starting,
    /// Showing the result of the self-test.
    SelfTest(SelfTest),
    /// Waiting for a press.
    Ready,
    /// Waiting for a frame of the camera since this moment.
    Capturing(Instant),
    /// Waiting for the model.
    Analysing,
    /// Showing the result of the last frame.
    Verdict(Finding),
    /// Showing the verdict on a closed slide. The next press starts another slide.
    SlideClosed(SlideSummary),
    /// Showing the last verdict on a field or a slide again.
    Again(Box<State>),
    /// The button is held down. The appliance switches off if it is not released.
    SwitchingOff {
        /// When the appliance switches off.
        at: Instant,
        /// The state to return to if the button is released.
        before: Box<State>,
    },
    /// Showing a failure and its remedy. A press tries again, unless the failure is final.
    Fault(Fault),
    /// The appliance is off. No event leads out of this state.
    Off(AfterOff),
}

/// Why the appliance is off, and what follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AfterOff {
    /// The operator switched it off. The program ends, and the computer stays on.
    #[default]
    ProgramEnds,
    /// The operator switched it off. The program waits for a press, which starts it again, and the computer stays on.
    PressStarts,
    /// The operator switched it off, and the computer is switched off, too.
    ComputerGoesOff,
    /// The service manager or Ctrl-C stopped it, perhaps because the computer shuts down.
    Stopped,
    /// It starts again.
    Restarts,
}

impl AfterOff {
    /// What became of the appliance, as a sentence.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::ProgramEnds | Self::PressStarts | Self::ComputerGoesOff => {
                "the appliance is switched off"
            }
            Self::Stopped => "the appliance is stopped",
            Self::Restarts => "the appliance is restarting",
        }
    }
}

/// A failure, described for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The failure and its remedy.
    pub message: String,
    /// Whether the failure lasts until the program restarts.
    pub is_final: bool,
}

impl Fault {
    /// The fault for missing parts, given as messages of [`Faults`](smearscope_hardware::Faults). It has only the first
    /// message, because the screen has no space for more.
    pub fn of_parts(missing: &[String]) -> Self {
        Self {
            message: missing.first().cloned().unwrap_or_default(),
            is_final: false,
        }
    }
}

/// A frame of the camera that is to be analysed.
#[derive(Debug)]
pub struct Capture {
    /// The picture, or its image file, with the time of its capture.
    pub frame: Frame,
    /// Time from the request to the camera to its frame.
    pub took: Duration,
}

/// An input of the state machine: a press, a result of the work of a state, or the end of its time.
#[derive(Debug)]
pub enum Event {
    /// The model is verified, and the self-test is finished.
    ModelReady(SelfTest),
    /// The button was pressed.
    Press(Instant),
    /// The slide was closed.
    SlideClosed(SlideSummary),
    /// The operator asks for the last verdict on a field or a slide, if there is one.
    Repeat(Option<State>),
    /// The button is held down. The appliance switches off at this moment if it is not released.
    ShutdownPending(Instant),
    /// The button was released before that moment.
    ShutdownCancelled,
    /// Parts of the board do not work while the appliance is idle. It retries them until they work.
    PartsMissing(Fault),
    /// The camera delivered a frame.
    Captured(Box<Capture>),
    /// The analysis is finished.
    Analysed(Finding),
    /// The current work failed.
    Failed(Fault),
    /// Checks were made again after the self-test. The state stays.
    ChecksRenewed(RenewedChecks),
    /// The display time of the current state is over.
    HoldOver,
    /// The appliance ends, or the operator switches it off.
    Shutdown(AfterOff),
}

impl State {
    /// The next state, with the frame to analyse if it is [`State::Analysing`]. An event without meaning in a state does
    /// not change it.
    #[must_use]
    pub fn after(self, event: Event) -> (Self, Option<Box<Capture>>) {
        let state = match (self, event) {
            (_, Event::Shutdown(after)) | (Self::Off(after), _) => Self::Off(after),
            (Self::SwitchingOff { before, .. }, Event::ShutdownCancelled | Event::HoldOver) => {
                *before
            }
            (Self::SwitchingOff { .. }, Event::SlideClosed(slide)) => Self::SlideClosed(slide),
            (Self::Starting | Self::Capturing(_) | Self::Analysing, Event::Failed(fault))
            | (Self::Ready, Event::PartsMissing(fault)) => Self::Fault(fault),
            (state, Event::ShutdownPending(at)) if state.is_waiting() => Self::SwitchingOff {
                at,
                before: Box::new(state),
            },
            (Self::Fault(fault), _) if fault.is_final => Self::Fault(fault),
            (Self::Capturing(asked), Event::Captured(capture)) => {
                if capture.frame.captured_at >= asked {
                    return (Self::Analysing, Some(capture));
                }
                Self::Fault(Fault {
                    message: "the camera gave an old frame; press again".into(),
                    is_final: false,
                })
            }
            (Self::Analysing, Event::Analysed(finding)) => Self::Verdict(finding),
            (Self::Starting, Event::ModelReady(self_test)) => Self::SelfTest(self_test),
            (state, Event::Press(at)) if state.is_waiting() => Self::Capturing(at),
            (state, Event::SlideClosed(slide)) if state.is_waiting() => Self::SlideClosed(slide),
            (state, Event::Repeat(Some(last))) if state.is_waiting() => Self::Again(Box::new(last)),
            (state, Event::HoldOver) if state.is_passing() => Self::Ready,
            (state, _) => state,
        };
        (state, None)
    }

    /// Whether the appliance accepts input of the operator.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Ready) || self.is_passing()
    }

    /// Description of the state, without patient-related data.
    pub fn name(&self) -> &str {
        match self {
            Self::Starting => "checking the model",
            Self::SelfTest(_) => "showing the self-test",
            Self::Ready => "ready",
            Self::Capturing(_) => "taking a picture",
            Self::Analysing => "analysing",
            Self::Verdict(_) => "showing a verdict",
            Self::SlideClosed(_) => "showing a slide's verdict",
            Self::Again(_) => "showing the last display again",
            Self::SwitchingOff { .. } => "about to switch off",
            Self::Fault(fault) => &fault.message,
            Self::Off(after) => after.sentence().trim_start_matches("the appliance is "),
        }
    }

    /// The verdict that the state shows, on a field or a slide; `None` if it shows no verdict.
    pub fn shown(&self) -> Option<Shown> {
        match self {
            Self::Verdict(finding) => Some(finding.shown()),
            Self::SlideClosed(slide) => Some(slide.into()),
            Self::Again(last) => last.shown(),
            Self::Starting
            | Self::SelfTest(_)
            | Self::Ready
            | Self::Capturing(_)
            | Self::Analysing
            | Self::SwitchingOff { .. }
            | Self::Fault(_)
            | Self::Off(_) => None,
        }
    }

    /// Whether the state ends by timeout or by any action of the operator.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::SelfTest(_)
            | Self::Verdict(_)
            | Self::SlideClosed(_)
            | Self::Again(_)
            | Self::Fault(_) => true,
            Self::Starting
            | Self::Ready
            | Self::Capturing(_)
            | Self::Analysing
            | Self::SwitchingOff { .. }
            | Self::Off(_) => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use smearscope_hardware::{CaptureSettings, Pixels};

    use super::*;
    use crate::analysis::analyst::Analysis;
    use crate::analysis::examples::field_reading;
    use crate::analysis::finding::SaveOutcome;
    use crate::analysis::quality::Quality;
    use crate::analysis::verdict::Judgement;
    use crate::appliance::checks::Check;

    const OFF: Event = Event::Shutdown(AfterOff::Stopped);

    /// A finding on the second field of a slide.
    pub(crate) fn finding(judgement: Judgement, probability: Option<f32>) -> Finding {
        Finding {
            field: Analysis {
                judgement,
                reading: probability.map(|p| field_reading((p / (1.0 - p)).ln())),
                scale: None,
                quality: Quality::default(),
                overlay: None,
            },
            slide: SlideSummary {
                slide: 1,
                fields: 2,
                refused: 0,
                unsaved: 0,
                judgement,
                probability,
                count: None,
                seen_again: 0,
            },
            saved: SaveOutcome::Unwanted,
        }
    }

    impl State {
        /// The state after an event.
        fn then(self, event: Event) -> Self {
            self.after(event).0
        }
    }

    fn captured(at: Instant) -> Event {
        let pixels = Pixels::Encoded(Vec::new());
        Event::Captured(Box::new(Capture {
            frame: Frame {
                pixels,
                earlier: None,
                captured_at: at,
                source: "field.jpg".into(),
                um_per_pixel: None,
                settings: CaptureSettings::default(),
            },
            took: Duration::ZERO,
        }))
    }

    fn positive() -> Finding {
        finding(Judgement::POSITIVE, Some(0.9))
    }

    fn fault(is_final: bool) -> Fault {
        Fault {
            message: "the camera is gone".into(),
            is_final,
        }
    }

    #[test]
    fn a_press_leads_to_a_verdict_and_back() {
        let now = Instant::now();
        let self_test = SelfTest {
            checks: vec![Check::passed("model", "verified")],
        };
        let state = State::Starting.then(Event::ModelReady(self_test.clone()));
        assert_eq!(state, State::SelfTest(self_test));
        assert_eq!(
            state.clone().then(Event::Press(now)),
            State::Capturing(now),
            "a press ends the display of the self-test"
        );
        let state = state.then(Event::HoldOver);
        assert_eq!(state, State::Ready);
        let state = state.then(Event::Press(now));
        assert_eq!(state, State::Capturing(now));
        let (state, capture) = state.after(captured(now));
        assert_eq!(state, State::Analysing);
        assert_eq!(capture.unwrap().frame.captured_at, now);
        let state = state.then(Event::Analysed(positive()));
        assert_eq!(state, State::Verdict(positive()));
        assert_eq!(state.clone().then(Event::Press(now)), State::Capturing(now));
        assert_eq!(state.then(Event::HoldOver), State::Ready);
    }

    #[test]
    fn the_verdict_of_a_closed_slide_is_repeated() {
        let slide = positive().slide;
        let closed = State::Ready.then(Event::SlideClosed(slide));
        assert_eq!(closed, State::SlideClosed(slide));
        assert_eq!(closed.clone().then(Event::HoldOver), State::Ready);
        let last = State::Verdict(positive());
        let again = closed.then(Event::Repeat(Some(last.clone())));
        assert_eq!(again, State::Again(Box::new(last)));
        assert_eq!(again.then(Event::HoldOver), State::Ready);
        assert_eq!(State::Ready.then(Event::Repeat(None)), State::Ready);
    }

    #[test]
    fn releasing_the_button_in_time_cancels_switching_off() {
        let at = Instant::now();
        for before in [
            State::Ready,
            State::Verdict(positive()),
            State::Fault(fault(true)),
        ] {
            let pending = before.clone().then(Event::ShutdownPending(at));
            let expected = State::SwitchingOff {
                at,
                before: Box::new(before.clone()),
            };
            assert_eq!(pending, expected);
            assert_eq!(pending.clone().then(Event::ShutdownCancelled), before);
            assert_eq!(
                pending.clone().then(Event::HoldOver),
                before,
                "the release was missed"
            );
            assert_eq!(pending.then(OFF), State::Off(AfterOff::Stopped));
        }
    }

    #[test]
    fn a_frame_older_than_the_press_is_never_analysed() {
        let old = Instant::now();
        let press = old + Duration::from_nanos(1);
        let (state, capture) = State::Capturing(press).after(captured(old));
        assert!(capture.is_none());
        assert!(matches!(
            state,
            State::Fault(Fault {
                is_final: false,
                ..
            })
        ));
    }

    #[test]
    fn faults_recover_unless_they_are_final() {
        let now = Instant::now();
        for state in [State::Starting, State::Capturing(now), State::Analysing] {
            let state = state.then(Event::Failed(fault(false)));
            assert_eq!(state, State::Fault(fault(false)));
            assert_eq!(state.clone().then(Event::Press(now)), State::Capturing(now));
            assert_eq!(state.then(Event::HoldOver), State::Ready);
        }
        let state = State::Starting.then(Event::Failed(fault(true)));
        for event in [
            Event::Press(now),
            Event::HoldOver,
            Event::Repeat(Some(State::Verdict(positive()))),
            Event::SlideClosed(positive().slide),
        ] {
            assert_eq!(state.clone().then(event), state);
        }
        assert_eq!(state.then(OFF), State::Off(AfterOff::Stopped));
    }

    #[test]
    fn a_missing_part_is_shown_only_when_idle_and_retried_at_the_next_press() {
        let now = Instant::now();
        let missing = || Event::PartsMissing(Fault::of_parts(&["the camera is gone".into()]));
        let state = State::Ready.then(missing());
        assert_eq!(state, State::Fault(fault(false)));
        assert_eq!(state.clone().then(Event::Press(now)), State::Capturing(now));
        assert_eq!(state.then(Event::HoldOver), State::Ready);
        let verdict = State::Verdict(positive());
        assert_eq!(verdict.clone().then(missing()), verdict);
    }

    #[test]
    fn events_without_meaning_change_nothing() {
        let now = Instant::now();
        let states = [
            State::Starting,
            State::Ready,
            State::Capturing(now),
            State::Analysing,
            State::Verdict(positive()),
            State::SlideClosed(positive().slide),
            State::Fault(fault(false)),
        ];
        for state in states {
            if !matches!(state, State::Analysing) {
                assert_eq!(state.clone().then(Event::Analysed(positive())), state);
            }
            if !matches!(state, State::Capturing(_)) {
                assert_eq!(state.clone().then(captured(now)), state);
            }
            assert_eq!(state.clone().then(Event::ShutdownCancelled), state);
            assert_eq!(state.clone().then(OFF), State::Off(AfterOff::Stopped));
        }
        for state in [State::Starting, State::Capturing(now), State::Analysing] {
            assert_eq!(state.clone().then(Event::Press(now)), state);
            assert_eq!(state.clone().then(Event::ShutdownPending(now)), state);
            assert_eq!(state.clone().then(Event::Repeat(Some(State::Ready))), state);
        }
        let self_test = SelfTest { checks: Vec::new() };
        let off = State::Off(AfterOff::Restarts);
        assert_eq!(off.clone().then(Event::ModelReady(self_test)), off);
    }
}
