//! What the LEDs show in each state.
//!
//! | state | red | amber | green |
//! |---|---|---|---|
//! | starting | | blinks | blinks |
//! | self-test | on | on | on |
//! | ready | | | on |
//! | capturing | | blinks | |
//! | analysing | | breathes | |
//! | positive | on | | |
//! | negative | | | blinks |
//! | inconclusive or not saved | | on | |
//! | slide closed | | breathes | breathes |
//! | switching off | breathes | | |
//! | fault | blinks | | |
//! | off | | | |
//!
//! The rows differ even for an operator who tells the LEDs apart by position only. A verdict that is shown again has the
//! patterns of the first time.

use smearscope_artifacts::Verdict;
use smearscope_hardware::{LedPattern, LedPatterns};

use crate::appliance::state::State;

/// The patterns of the LEDs in a state.
pub(crate) fn led_patterns(state: &State) -> LedPatterns {
    let state = match state {
        State::Again(last) => last,
        state => state,
    };
    let (red, amber, green) = match state {
        State::Starting => (LedPattern::Off, LedPattern::Blink, LedPattern::Blink),
        State::SelfTest(_) => (LedPattern::On, LedPattern::On, LedPattern::On),
        State::Ready => (LedPattern::Off, LedPattern::Off, LedPattern::On),
        State::Capturing(_) => (LedPattern::Off, LedPattern::Blink, LedPattern::Off),
        State::Analysing => (LedPattern::Off, LedPattern::Breathe, LedPattern::Off),
        State::SlideClosed(_) => (LedPattern::Off, LedPattern::Breathe, LedPattern::Breathe),
        State::SwitchingOff { .. } => (LedPattern::Breathe, LedPattern::Off, LedPattern::Off),
        State::Fault(_) => (LedPattern::Blink, LedPattern::Off, LedPattern::Off),
        State::Verdict(finding) => match finding.shown().judgement.verdict() {
            Verdict::Positive => (LedPattern::On, LedPattern::Off, LedPattern::Off),
            Verdict::Negative => (LedPattern::Off, LedPattern::Off, LedPattern::Blink),
            Verdict::Inconclusive => (LedPattern::Off, LedPattern::On, LedPattern::Off),
        },
        State::Again(_) | State::Off(_) => (LedPattern::Off, LedPattern::Off, LedPattern::Off),
    };
    LedPatterns { red, amber, green }
}
