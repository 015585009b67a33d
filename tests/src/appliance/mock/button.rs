//! Gestures of the button.

use std::time::Duration;

use smearscope::testing::{AfterOff, End, Equipped, Judgement, State, Timing};
use smearscope_hardware::{ButtonEvent, LedPattern, LedPatterns, mock};

use super::expected::{expected, picture};
use super::fixture::{NEGATIVE, READY, RED, Running, TIMING, deliver, unrecorded};
use crate::support::demo_model;

#[test]
fn a_press_whose_contact_chatters_gives_one_verdict() {
    let running = Running::start(TIMING, &demo_model());
    deliver(&running, "_0");
    let edges = [
        (0, true),
        (2, false),
        (4, true),
        (150, false),
        (153, true),
        (155, false),
    ];
    let edges = edges.map(|(ms, is_closed)| (Duration::from_millis(ms), is_closed));
    let gestures = running.bench.button.contact(edges);
    assert!(matches!(gestures[..], [(ButtonEvent::Press(_), true)]));
    let leds = &running.bench.leds;
    leds.wait_until("green blinking", |shown| *shown == NEGATIVE);
    assert_eq!(running.end().0, [Judgement::NEGATIVE]);
}

#[test]
fn a_double_press_shows_the_last_display_again_and_says_so() {
    let timing = Timing {
        hold: Duration::from_millis(50),
        ..TIMING
    };
    let running = Running::start(timing, &demo_model());
    let (leds, screen) = (&running.bench.leds, &running.bench.screen);
    leds.wait_until("ready", |shown| *shown == READY);
    assert!(running.bench.button.press_twice(), "nothing to repeat yet");
    deliver(&running, "_1");
    running.press("red", RED);
    leds.wait_until("ready again", |shown| *shown == READY);
    let (finding, identity) = expected("_1");
    let again = State::Again(Box::new(State::Verdict(finding)));
    let again = picture(&again, 1, &identity, jiff::civil::time(12, 0, 0, 0));
    assert!(running.bench.button.press_twice());
    leds.wait_until("red again", |shown| *shown == RED);
    leds.wait_until("ready again", |shown| *shown == READY);
    assert!(screen.all().contains(&again));
    assert_eq!(
        running.end().0,
        [Judgement::POSITIVE],
        "it is not analysed again"
    );
}

#[test]
fn a_hold_switches_off_after_a_warning() {
    let running = Running::start(TIMING, &demo_model());
    let leds = &running.bench.leds;
    leds.wait_until("ready", |shown| *shown == READY);
    let in_a_while = std::time::Instant::now() + Duration::from_secs(4);
    assert!(
        running
            .bench
            .button
            .send(ButtonEvent::ShutdownPending(in_a_while))
    );
    let warning = LedPatterns {
        red: LedPattern::Breathe,
        ..LedPatterns::default()
    };
    leds.wait_until("the warning", |shown| *shown == warning);
    assert!(running.bench.button.send(ButtonEvent::ShutdownCancelled));
    leds.wait_until("ready", |shown| *shown == READY);
    assert_eq!(running.end().1.unwrap(), End::Operator);
}

#[test]
fn a_press_starts_an_appliance_that_rests_when_it_is_off() {
    let (board, bench) = mock::board();
    let load = || {
        Ok(Equipped {
            recorder: unrecorded(&demo_model())?,
            checks: Vec::new(),
        })
    };
    let running = Running::start_linked(board, bench, TIMING, load, |link| {
        link.after_off = AfterOff::PressStarts;
    });
    let (button, leds) = (&running.bench.button, &running.bench.leds);
    leds.wait_until("ready", |shown| *shown == READY);
    assert!(button.shutdown());
    leds.wait_until("off", |shown| *shown == LedPatterns::default());
    assert!(button.press_long(), "only a press starts it");
    assert!(button.press());
    assert_eq!(running.thread.join().unwrap().unwrap(), End::Reload);
}
