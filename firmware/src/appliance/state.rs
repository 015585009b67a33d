//! The appliance's states and what leads from one to the next. No input, no output, no clock.

use std::time::Instant;

use serde::Serialize;

use crate::analysis::finding::Finding;
use crate::analysis::slide::SlideSummary;

/// What the appliance is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The model is loaded and verified.
    Starting,
    /// What the self-test found is shown.
    SelfTest(SelfTest),
    /// Waiting for a press.
    Ready,
    /// A frame was asked of the camera at this moment.
    Capturing(Instant),
    /// The frame is with the model.
    Analysing,
    /// What the last frame gave is shown.
    Verdict(Finding),
    /// What a slide came to is shown; the next press begins another.
    SlideClosed(SlideSummary),
    /// What was shown last of a field or a slide is shown again.
    Again(Box<State>),
    /// The button is held; at this moment it will have been held long enough to switch off.
    SwitchingOff {
        /// When.
        at: Instant,
        /// What to go back to if it is let go.
        before: Box<State>,
    },
    /// Something failed.
    Fault(Fault),
    /// Switched off.
    Off,
}

/// What the self-test found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SelfTest {
    /// Whether all is as it must be, but for parts that are missing: those may come back, and a fault
    /// tells of them.
    pub passed: bool,
    /// A line each; what is wrong comes first.
    pub lines: Vec<String>,
}

/// Something that failed, in the operator's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What failed and what to do about it.
    pub message: String,
    /// Nothing can be analysed until the program is started again.
    pub is_final: bool,
}

impl Fault {
    /// Parts of the board that do not work now, as [`Faults`](smearscope_hardware::Faults) names
    /// them: the first, since a screen has no room for more.
    pub fn of_parts(missing: &[String]) -> Self {
        Self {
            message: missing.first().cloned().unwrap_or_default(),
            is_final: false,
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The model passed its verification, and this is what the self-test found.
    ModelReady(SelfTest),
    /// The button was pressed.
    Press(Instant),
    /// The slide was closed.
    SlideClosed(SlideSummary),
    /// What was shown last of a field or a slide is asked for again.
    Repeat(Option<State>),
    /// The button is held, and at this moment it will have been held long enough to switch off.
    ShutdownAhead(Instant),
    /// The button was let go before that.
    ShutdownAverted,
    /// Parts of the board do not work while nothing is going on; they will come back by themselves.
    PartsMissing(Fault),
    /// The camera delivered a frame that was exposed at this moment.
    Captured(Instant),
    /// The analysis is done.
    Analysed(Finding),
    /// What was going on failed.
    Failed(Fault),
    /// What is shown has been shown long enough.
    HoldOver,
    /// Somebody switches off.
    Shutdown,
}

impl State {
    /// The state that follows. An event that means nothing in a state leaves it as it is.
    #[must_use]
    pub fn after(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Shutdown) | (Self::Off, _) => Self::Off,
            (Self::SwitchingOff { before, .. }, Event::ShutdownAverted | Event::HoldOver) => {
                *before
            }
            (Self::SwitchingOff { .. }, Event::SlideClosed(slide)) => Self::SlideClosed(slide),
            (Self::Starting | Self::Capturing(_) | Self::Analysing, Event::Failed(fault))
            | (Self::Ready, Event::PartsMissing(fault)) => Self::Fault(fault),
            (state, Event::ShutdownAhead(at)) if state.is_waiting() => Self::SwitchingOff {
                at,
                before: Box::new(state),
            },
            (Self::Fault(fault), _) if fault.is_final => Self::Fault(fault),
            (Self::Capturing(asked), Event::Captured(exposed)) if exposed < asked => {
                Self::Fault(Fault {
                    message: "the camera gave an old frame; press again".into(),
                    is_final: false,
                })
            }
            (Self::Capturing(_), Event::Captured(_)) => Self::Analysing,
            (Self::Analysing, Event::Analysed(finding)) => Self::Verdict(finding),
            (Self::Starting, Event::ModelReady(found)) => Self::SelfTest(found),
            (state, Event::Press(at)) if state.is_waiting() => Self::Capturing(at),
            (state, Event::SlideClosed(slide)) if state.is_waiting() => Self::SlideClosed(slide),
            (state, Event::Repeat(Some(last))) if state.is_waiting() => Self::Again(Box::new(last)),
            (state, Event::HoldOver) if state.is_passing() => Self::Ready,
            (state, _) => state,
        }
    }

    /// Whether it waits for the operator.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Ready) || self.is_passing()
    }

    /// What it is called, without what anybody's slide shows.
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

    /// Whether it ends by itself and gives way to anything that the operator does.
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
    use std::time::Duration;

    use super::*;
    use crate::analysis::analyst::Analysis;
    use crate::analysis::finding::SaveOutcome;
    use crate::analysis::quality::Quality;
    use crate::analysis::verdict::Verdict;

    /// What a field of some verdict and probability gives on a slide of two.
    pub(crate) fn finding(verdict: Verdict, probability: Option<f32>) -> Finding {
        Finding {
            field: Analysis {
                verdict,
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
                verdict,
                probability,
            },
            kept: SaveOutcome::Unwanted,
        }
    }

    fn positive() -> Finding {
        finding(Verdict::Positive, Some(0.9))
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
        let state = State::Starting.after(Event::ModelReady(found.clone()));
        assert_eq!(state, State::SelfTest(found));
        assert_eq!(
            state.clone().after(Event::Press(now)),
            State::Capturing(now),
            "nobody has to wait for the self-test to pass"
        );
        let state = state.after(Event::HoldOver);
        assert_eq!(state, State::Ready);
        let state = state.after(Event::Press(now));
        assert_eq!(state, State::Capturing(now));
        let state = state.after(Event::Captured(now));
        assert_eq!(state, State::Analysing);
        let state = state.after(Event::Analysed(positive()));
        assert_eq!(state, State::Verdict(positive()));
        assert_eq!(
            state.clone().after(Event::Press(now)),
            State::Capturing(now)
        );
        assert_eq!(state.after(Event::HoldOver), State::Ready);
    }

    #[test]
    fn a_slide_is_closed_and_the_last_finding_repeated() {
        let slide = positive().slide;
        let closed = State::Ready.after(Event::SlideClosed(slide));
        assert_eq!(closed, State::SlideClosed(slide));
        assert_eq!(closed.clone().after(Event::HoldOver), State::Ready);
        let last = State::Verdict(positive());
        let again = closed.after(Event::Repeat(Some(last.clone())));
        assert_eq!(again, State::Again(Box::new(last)));
        assert_eq!(again.after(Event::HoldOver), State::Ready);
        assert_eq!(State::Ready.after(Event::Repeat(None)), State::Ready);
    }

    #[test]
    fn a_button_let_go_in_time_does_not_switch_off() {
        let at = Instant::now();
        for before in [
            State::Ready,
            State::Verdict(positive()),
            State::Fault(fault(true)),
        ] {
            let ahead = before.clone().after(Event::ShutdownAhead(at));
            let expected = State::SwitchingOff {
                at,
                before: Box::new(before.clone()),
            };
            assert_eq!(ahead, expected);
            assert_eq!(ahead.clone().after(Event::ShutdownAverted), before);
            assert_eq!(
                ahead.clone().after(Event::HoldOver),
                before,
                "its word was lost"
            );
            assert_eq!(ahead.after(Event::Shutdown), State::Off);
        }
    }

    #[test]
    fn a_frame_older_than_the_press_is_never_analysed() {
        let old = Instant::now();
        let press = old + Duration::from_nanos(1);
        let state = State::Capturing(press).after(Event::Captured(old));
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
            let state = state.after(Event::Failed(fault(false)));
            assert_eq!(state, State::Fault(fault(false)));
            assert_eq!(
                state.clone().after(Event::Press(now)),
                State::Capturing(now)
            );
            assert_eq!(state.after(Event::HoldOver), State::Ready);
        }
        let state = State::Starting.after(Event::Failed(fault(true)));
        for event in [
            Event::Press(now),
            Event::HoldOver,
            Event::Repeat(Some(State::Verdict(positive()))),
            Event::SlideClosed(positive().slide),
        ] {
            assert_eq!(state.clone().after(event), state);
        }
        assert_eq!(state.after(Event::Shutdown), State::Off);
    }

    #[test]
    fn a_missing_part_is_shown_when_nothing_else_is_and_may_be_back_at_the_next_press() {
        let now = Instant::now();
        let missing = || Event::PartsMissing(Fault::of_parts(&["the camera is gone".into()]));
        let state = State::Ready.after(missing());
        assert_eq!(state, State::Fault(fault(false)));
        assert_eq!(
            state.clone().after(Event::Press(now)),
            State::Capturing(now)
        );
        assert_eq!(state.after(Event::HoldOver), State::Ready);
        let verdict = State::Verdict(positive());
        assert_eq!(verdict.clone().after(missing()), verdict);
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
                assert_eq!(state.clone().after(Event::Analysed(positive())), state);
            }
            if !matches!(state, State::Capturing(_)) {
                assert_eq!(state.clone().after(Event::Captured(now)), state);
            }
            assert_eq!(state.clone().after(Event::ShutdownAverted), state);
            assert_eq!(state.clone().after(Event::Shutdown), State::Off);
        }
        for state in [State::Starting, State::Capturing(now), State::Analysing] {
            assert_eq!(state.clone().after(Event::Press(now)), state);
            assert_eq!(state.clone().after(Event::ShutdownAhead(now)), state);
            assert_eq!(
                state.clone().after(Event::Repeat(Some(State::Ready))),
                state
            );
        }
        let found = SelfTest {
            passed: true,
            lines: Vec::new(),
        };
        assert_eq!(State::Off.after(Event::ModelReady(found)), State::Off);
    }
}
