//! Gestures of the button.

use std::time::Duration;

use smearscope::testing::{AfterOff, End, Equipped, Judgement, Notice, State, Timing, View};
use smearscope_hardware::{ButtonEvent, LedPattern, LedPatterns, ScreenSize, mock};
use tokio::sync::oneshot;

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

/// An appliance that is switched off and waits for a press, and what stops it.
fn resting() -> (Running, oneshot::Sender<End>) {
    let (board, bench) = mock::board();
    let load = || {
        Ok(Equipped {
            recorder: unrecorded(&demo_model())?,
            checks: Vec::new(),
        })
    };
    let (stop, stopped) = oneshot::channel();
    let running = Running::start_until(
        board,
        bench,
        TIMING,
        load,
        |link| link.after_off = AfterOff::PressStarts,
        async { stopped.await.unwrap() },
    );
    let leds = &running.bench.leds;
    leds.wait_until("ready", |shown| *shown == READY);
    assert!(running.bench.button.shutdown());
    leds.wait_until("off", |shown| *shown == LedPatterns::default());
    (running, stop)
}

#[test]
fn a_press_starts_an_appliance_that_rests_when_it_is_off() {
    let (running, _stop) = resting();
    let button = &running.bench.button;
    assert!(button.press_long(), "only a press starts it");
    assert!(button.press());
    assert_eq!(running.thread.join().unwrap().unwrap(), End::Reload);
    let state = running.handle.status().borrow().state.clone();
    assert_eq!(*state, State::Off(AfterOff::Restarts));
}

#[test]
fn a_resting_appliance_that_is_stopped_no_longer_asks_for_a_press() {
    let (running, stop) = resting();
    stop.send(End::Supervisor).unwrap();
    assert_eq!(running.thread.join().unwrap().unwrap(), End::Supervisor);
    let stopped = State::Off(AfterOff::Stopped);
    assert_eq!(*running.handle.status().borrow().state, stopped);
    let notice = Notice::default();
    let view = View {
        state: &stopped,
        identity: None,
        rule: None,
        slide: 1,
        fields: 0,
        count: None,
        is_disk_low: false,
        clock: None,
        since: Duration::ZERO,
        notice: &notice,
        address: None,
    };
    let picture = view.picture(ScreenSize::Rows64);
    assert_eq!(running.bench.screen.all().last(), Some(&picture));
}
