//! The appliance's states and what leads from one to the next. No input, no output, no clock.

use std::time::Instant;

use crate::analysis::Analysis;

/// What the appliance is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The model is loaded and verified.
    Starting,
    /// Waiting for a press.
    Ready,
    /// A frame was asked of the camera at this moment.
    Capturing(Instant),
    /// The frame is with the model.
    Analysing,
    /// The last frame's verdict is shown.
    Verdict(Analysis),
    /// Something failed.
    Fault(Fault),
    /// Switched off.
    Off,
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
    /// The model passed its verification.
    ModelReady,
    /// The button was pressed.
    Press(Instant),
    /// The button was pressed long.
    NextSlide,
    /// The button was pressed twice.
    Repeat,
    /// The button is held, and at this moment it will have been held long enough to switch off.
    ShutdownAhead(Instant),
    /// The button was let go before that.
    ShutdownAverted,
    /// Parts of the board do not work while nothing is going on; they will come back by themselves.
    PartsMissing(Fault),
    /// The camera delivered a frame that was exposed at this moment.
    Captured(Instant),
    /// The analysis is done.
    Analysed(Analysis),
    /// What was going on failed.
    Failed(Fault),
    /// The verdict or fault has been shown long enough.
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
            (Self::Starting | Self::Capturing(_) | Self::Analysing, Event::Failed(fault))
            | (Self::Ready, Event::PartsMissing(fault)) => Self::Fault(fault),
            (Self::Fault(fault), Event::Press(_) | Event::HoldOver) if fault.is_final => {
                Self::Fault(fault)
            }
            (Self::Ready | Self::Verdict(_) | Self::Fault(_), Event::Press(at)) => {
                Self::Capturing(at)
            }
            (Self::Capturing(asked), Event::Captured(exposed)) if exposed < asked => {
                Self::Fault(Fault {
                    message: "the camera gave an old frame; press again".into(),
                    is_final: false,
                })
            }
            (Self::Capturing(_), Event::Captured(_)) => Self::Analysing,
            (Self::Analysing, Event::Analysed(analysis)) => Self::Verdict(analysis),
            (Self::Starting, Event::ModelReady)
            | (Self::Verdict(_) | Self::Fault(_), Event::HoldOver) => Self::Ready,
            (state, _) => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quality::Quality;
    use crate::verdict::Verdict;

    fn analysis() -> Analysis {
        Analysis {
            verdict: Verdict::Positive,
            probability: Some(0.9),
            margin: None,
            quality: Quality::default(),
            strongest: None,
            overlay: None,
        }
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
        let state = State::Starting.after(Event::ModelReady);
        assert_eq!(state, State::Ready);
        let state = state.after(Event::Press(now));
        assert_eq!(state, State::Capturing(now));
        let state = state.after(Event::Captured(now));
        assert_eq!(state, State::Analysing);
        let state = state.after(Event::Analysed(analysis()));
        assert_eq!(state, State::Verdict(analysis()));
        assert_eq!(
            state.clone().after(Event::Press(now)),
            State::Capturing(now)
        );
        assert_eq!(state.after(Event::HoldOver), State::Ready);
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
        assert_eq!(state.clone().after(Event::Press(now)), state);
        assert_eq!(state.clone().after(Event::HoldOver), state);
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
        let verdict = State::Verdict(analysis());
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
            State::Verdict(analysis()),
            State::Fault(fault(false)),
        ];
        for state in states {
            if !matches!(state, State::Analysing) {
                assert_eq!(state.clone().after(Event::Analysed(analysis())), state);
            }
            if !matches!(state, State::Capturing(_)) {
                assert_eq!(state.clone().after(Event::Captured(now)), state);
            }
            assert_eq!(state.clone().after(Event::Shutdown), State::Off);
        }
        for state in [State::Starting, State::Capturing(now), State::Analysing] {
            assert_eq!(state.clone().after(Event::Press(now)), state);
        }
        assert_eq!(State::Off.after(Event::ModelReady), State::Off);
    }
}
