//! The appliance's states, and which state follows which event. No input, no output, no clock.

use std::time::{Duration, Instant};

use smearscope_hardware::Frame;

use serde::Serialize;
use utoipa::ToSchema;

use crate::analysis::finding::Finding;
use crate::analysis::slide::SlideSummary;

/// What the appliance is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Loading and verifying the model.
    Starting,
    /// Showing the result of the self-test.
    SelfTest(SelfTest),
    /// Waiting for a press.
    Ready,
    /// Waiting for the camera, which was asked for a frame at this moment.
    Capturing(Instant),
    /// Waiting for the model.
    Analysing,
    /// Showing the result of the last frame.
    Verdict(Finding),
    /// Showing the verdict of a closed slide; the next press begins another.
    SlideClosed(SlideSummary),
    /// Showing the last verdict of a field or a slide again.
    Again(Box<State>),
    /// The button is held down; the appliance switches off if it still is at this moment.
    SwitchingOff {
        /// When.
        at: Instant,
        /// The state to return to if the button is released.
        before: Box<State>,
    },
    /// Something failed.
    Fault(Fault),
    /// Switched off.
    Off,
}

/// The result of the self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SelfTest {
    /// Whether all checks passed. Missing parts of the board do not count: they may come back, and a fault names them.
    pub passed: bool,
    /// One line for each check; failures come first.
    pub lines: Vec<String>,
}

/// A failure, in the operator's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What failed, and the remedy.
    pub message: String,
    /// Whether nothing can be analysed until the program restarts.
    pub is_final: bool,
}

impl Fault {
    /// The fault for parts of the board that do not work now, as [`Faults`](smearscope_hardware::Faults) names
    /// them. It names the first, since the screen has no room for more.
    pub fn of_parts(missing: &[String]) -> Self {
        Self {
            message: missing.first().cloned().unwrap_or_default(),
            is_final: false,
        }
    }
}

/// A frame from the camera, on its way to the model.
#[derive(Debug)]
pub struct Capture {
    /// The frame.
    pub frame: Frame,
    /// From the request to the camera to its answer.
    pub took: Duration,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The model is verified; the self-test gave this result.
    ModelReady(SelfTest),
    /// The button was pressed.
    Press(Instant),
    /// The slide was closed.
    SlideClosed(SlideSummary),
    /// The operator asks for the last verdict of a field or a slide.
    Repeat(Option<State>),
    /// The button is held down; the appliance switches off if it still is at this moment.
    ShutdownPending(Instant),
    /// The button was released before that moment.
    ShutdownCancelled,
    /// Parts of the board do not work while the appliance is idle. They are retried until they are back.
    PartsMissing(Fault),
    /// The camera delivered a frame.
    Captured(Box<Capture>),
    /// The analysis is done.
    Analysed(Finding),
    /// The current work failed.
    Failed(Fault),
    /// The time for which the current state is shown is over.
    HoldOver,
    /// The appliance is switched off.
    Shutdown,
}

impl State {
    /// The next state, and the frame to analyse if that is [`State::Analysing`]. An event that has no meaning in a state
    /// leaves it unchanged.
    #[must_use]
    pub fn after(self, event: Event) -> (Self, Option<Box<Capture>>) {
        let state = match (self, event) {
            (_, Event::Shutdown) | (Self::Off, _) => Self::Off,
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
            (Self::Starting, Event::ModelReady(found)) => Self::SelfTest(found),
            (state, Event::Press(at)) if state.is_waiting() => Self::Capturing(at),
            (state, Event::SlideClosed(slide)) if state.is_waiting() => Self::SlideClosed(slide),
            (state, Event::Repeat(Some(last))) if state.is_waiting() => Self::Again(Box::new(last)),
            (state, Event::HoldOver) if state.is_passing() => Self::Ready,
            (state, _) => state,
        };
        (state, None)
    }

    /// Whether the appliance waits for the operator.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Ready) || self.is_passing()
    }

    /// The state in words, without patient-related data.
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
            Self::Off => "off",
        }
    }

    /// Whether the state ends by itself and any action of the operator ends it.
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
            | Self::Off => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use smearscope_hardware::Pixels;

    use super::*;
    use crate::analysis::analyst::Analysis;
    use crate::analysis::finding::SaveOutcome;
    use crate::analysis::quality::Quality;
    use crate::analysis::verdict::Judgement;

    /// What a field of some verdict and probability gives on a slide of two.
    pub(crate) fn finding(judgement: Judgement, probability: Option<f32>) -> Finding {
        Finding {
            field: Analysis {
                judgement,
                probability,
                log_odds: probability.map(|p| (p / (1.0 - p)).ln()),
                quality: Quality::default(),
                strongest: None,
                overlay: None,
            },
            slide: SlideSummary {
                slide: 1,
                fields: 2,
                refused: 0,
                unsaved: 0,
                judgement,
                probability,
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
        let found = SelfTest {
            passed: true,
            lines: vec!["model right".into()],
        };
        let state = State::Starting.then(Event::ModelReady(found.clone()));
        assert_eq!(state, State::SelfTest(found));
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
    fn a_slide_is_closed_and_the_last_finding_repeated() {
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
    fn a_button_let_go_in_time_does_not_switch_off() {
        let at = Instant::now();
        for before in [
            State::Ready,
            State::Verdict(positive()),
            State::Fault(fault(true)),
        ] {
            let ahead = before.clone().then(Event::ShutdownPending(at));
            let expected = State::SwitchingOff {
                at,
                before: Box::new(before.clone()),
            };
            assert_eq!(ahead, expected);
            assert_eq!(ahead.clone().then(Event::ShutdownCancelled), before);
            assert_eq!(
                ahead.clone().then(Event::HoldOver),
                before,
                "the release was missed"
            );
            assert_eq!(ahead.then(Event::Shutdown), State::Off);
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
        assert_eq!(state.then(Event::Shutdown), State::Off);
    }

    #[test]
    fn a_missing_part_is_shown_when_nothing_else_is_and_may_be_back_at_the_next_press() {
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
    fn what_comes_at_the_wrong_time_changes_nothing() {
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
            assert_eq!(state.clone().then(Event::Shutdown), State::Off);
        }
        for state in [State::Starting, State::Capturing(now), State::Analysing] {
            assert_eq!(state.clone().then(Event::Press(now)), state);
            assert_eq!(state.clone().then(Event::ShutdownPending(now)), state);
            assert_eq!(state.clone().then(Event::Repeat(Some(State::Ready))), state);
        }
        let found = SelfTest {
            passed: true,
            lines: Vec::new(),
        };
        assert_eq!(State::Off.then(Event::ModelReady(found)), State::Off);
    }
}
