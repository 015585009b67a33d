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
//! | switching off | breathes | | |
//! | fault | blinks | | |
//! | off | | | |
//!
//! The rows differ even for an operator who tells the LEDs apart by position only. The verdict on a closed slide has the patterns
//! of that verdict, and one that is shown again those of the first time.

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
        State::SwitchingOff { .. } => (LedPattern::Breathe, LedPattern::Off, LedPattern::Off),
        State::Fault(_) => (LedPattern::Blink, LedPattern::Off, LedPattern::Off),
        State::Verdict(finding) => of_verdict(finding.shown().judgement.verdict()),
        State::SlideClosed(slide) => of_verdict(slide.judgement.verdict()),
        State::Again(_) | State::Off(_) => (LedPattern::Off, LedPattern::Off, LedPattern::Off),
    };
    LedPatterns { red, amber, green }
}

/// The patterns of red, amber and green for a verdict.
fn of_verdict(verdict: Verdict) -> (LedPattern, LedPattern, LedPattern) {
    match verdict {
        Verdict::Positive => (LedPattern::On, LedPattern::Off, LedPattern::Off),
        Verdict::Negative => (LedPattern::Off, LedPattern::Off, LedPattern::Blink),
        Verdict::Inconclusive => (LedPattern::Off, LedPattern::On, LedPattern::Off),
    }
}
