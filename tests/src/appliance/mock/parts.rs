//! Parts that fail, and that come back.

use jiff::Span;
use smearscope::testing::{Judgement, State};
use smearscope_hardware::screen::oled::{OledScreen, OledSetup};
use smearscope_hardware::screen::virtual_ssd1306::VirtualSsd1306;
use smearscope_hardware::{HardwareError, LedPatterns, mock};

use super::expected::{expected, picture, verdict_on};
use super::fixture::{FAULT, NEGATIVE, READY, RED, Running, TIMING, deliver, unrecorded};
use crate::support::demo_model;

#[test]
fn a_lost_camera_is_a_fault_that_the_next_press_recovers_from() {
    let running = Running::start(TIMING, &demo_model());
    running.bench.camera.will_fail(HardwareError::Lost {
        part: "camera",
        remedy: "check its USB cable".into(),
        source: None,
    });
    running.press("a fault", FAULT);
    deliver(&running, "_1");
    running.press("red", RED);
    assert_eq!(running.end().0, [Judgement::POSITIVE]);
}

#[test]
fn a_missing_part_is_shown_until_it_is_back_and_stops_nothing() {
    let running = Running::start(TIMING, &demo_model());
    let (bench, leds) = (&running.bench, &running.bench.leds);
    leds.wait_until("ready", |shown| *shown == READY);
    let missing = Err::<(), _>(HardwareError::Lost {
        part: "OLED",
        remedy: "check its four wires".into(),
        source: None,
    });
    bench.faults.report("OLED", &missing);
    leds.wait_until("a fault", |shown| *shown == FAULT);
    deliver(&running, "_1");
    running.press("red", RED);
    bench.faults.report("OLED", &Ok(()));
    running.next_slide();
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    assert_eq!(running.end().0, [Judgement::POSITIVE, Judgement::NEGATIVE]);
}

#[test]
fn a_part_that_comes_back_makes_the_appliance_ready() {
    let running = Running::start(TIMING, &demo_model());
    let missing = Err::<(), _>(HardwareError::Lost {
        part: "camera",
        remedy: "check its USB cable".into(),
        source: None,
    });
    running.bench.faults.report("camera", &missing);
    let leds = &running.bench.leds;
    leds.wait_until("a fault", |shown| *shown == FAULT);
    running.bench.faults.report("camera", &Ok(()));
    leds.wait_until("ready", |shown| *shown == READY);
    running.end().1.unwrap();
}

#[test]
fn an_unplugged_screen_stops_nothing_and_comes_back() {
    let running = Running::start(TIMING, &demo_model());
    running
        .bench
        .leds
        .wait_until("ready", |shown| *shown == READY);
    running.bench.display.unplug();
    deliver(&running, "_1");
    running.press("red", RED);
    running.bench.display.plug_in();
    let glass = verdict_on("_1");
    running
        .bench
        .screen
        .wait_until("the verdict", |canvas| *canvas == glass);
    running.end().1.unwrap();
}

#[test]
fn a_display_that_lost_its_power_is_drawn_again() {
    let (mut board, bench) = mock::board();
    let size = board.screen.size();
    let (bus, glass) = VirtualSsd1306::new(0x3c, size);
    board.screen = Box::new(OledScreen::new(bus, OledSetup::new(0x3c, size), "test"));
    let running = Running::start_on(board, bench, TIMING, || unrecorded(&demo_model()));
    let identity = expected("_1").1;
    let wait_until_drawn = || {
        let is_drawn = |_: &LedPatterns| {
            // The minute may change between the two readings of the clock.
            let now = jiff::Zoned::now();
            let minutes = [&now - Span::new().minutes(1), now];
            minutes.into_iter().any(|minute| {
                glass.picture() == picture(&State::Ready, 0, &identity, minute.time())
            })
        };
        running
            .bench
            .leds
            .wait_until("READY on the glass", is_drawn);
    };
    wait_until_drawn();
    glass.unplug();
    glass.plug_in();
    wait_until_drawn();
    running.end().1.unwrap();
}
