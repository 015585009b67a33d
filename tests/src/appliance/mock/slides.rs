//! Fields of a slide, and where it ends.

use std::time::Duration;

use smearscope::testing::Timing;
use smearscope_artifacts::MAX_LOG_ODDS;
use smearscope_hardware::{ButtonEvent, LedPattern, LedPatterns};

use super::fixture::{NEGATIVE, Running, TIMING, deliver, field, fields, load};
use crate::support::demo_model;

#[test]
fn fields_of_a_slide_are_combined_and_a_long_press_closes_it() {
    let running = Running::start(TIMING, &demo_model());
    for (bytes, name) in fields("_1").into_iter().take(2).chain([field("_0")]) {
        running.bench.camera.will_deliver(bytes, &name);
        assert!(running.bench.button.press());
    }
    // Waits until the last field is analysed.
    running.next_slide();
    let findings = running.findings();
    let log_odds = findings.iter().map(|finding| {
        let log_odds = finding.field.field().unwrap().log_odds;
        log_odds.clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS)
    });
    let mean = log_odds.sum::<f32>() / 3.0;
    let slide = findings[2].slide;
    assert_eq!((slide.slide, slide.fields, slide.refused), (1, 3, 0));
    let analyst = load(&demo_model()).unwrap();
    let rule = analyst.rule();
    let decision = rule.decision().unwrap().decide_log_odds(mean);
    assert!((slide.probability.unwrap() - decision.probability).abs() < 1e-6);
    // The next slide starts from zero.
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    let slide = running.findings()[3].slide;
    assert_eq!((slide.slide, slide.fields), (2, 1));
    running.end().1.unwrap();
}

#[test]
fn a_box_without_a_button_takes_pictures_by_the_clock() {
    let timing = Timing {
        interval: Some(Duration::from_millis(10)),
        ..TIMING
    };
    let running = Running::start(timing, &demo_model());
    deliver(&running, "_1");
    deliver(&running, "_0");
    let two = |_: &LedPatterns| running.findings().len() >= 2;
    running.bench.leds.wait_until("two fields", two);
    running.end().1.unwrap();
}

#[test]
fn a_long_press_while_the_camera_works_ends_the_slide_after_that_field() {
    let running = Running::start(TIMING, &demo_model());
    running.bench.camera.will_stall();
    deliver(&running, "_1");
    let capturing = LedPatterns {
        amber: LedPattern::Blink,
        ..LedPatterns::default()
    };
    running.press("capturing", capturing);
    running.close_slide(|| {
        assert!(running.bench.button.send_now(ButtonEvent::NextSlide));
        running.bench.camera.release();
    });
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    let slides = running.findings();
    let slides: Vec<_> = slides
        .iter()
        .map(|f| (f.slide.slide, f.slide.fields))
        .collect();
    assert_eq!(slides, [(1, 1), (2, 1)]);
    running.end().1.unwrap();
}

#[test]
fn slides_of_a_box_without_a_button_end_by_themselves() {
    let timing = Timing {
        interval: Some(Duration::from_millis(10)),
        slide_fields: Some(2),
        ..TIMING
    };
    let running = Running::start(timing, &demo_model());
    for label in ["_1", "_0", "_1"] {
        deliver(&running, label);
    }
    let three = |_: &LedPatterns| running.findings().len() >= 3;
    running.bench.leds.wait_until("three fields", three);
    let slides = running.findings();
    let slides: Vec<_> = slides
        .iter()
        .map(|f| (f.slide.slide, f.slide.fields))
        .collect();
    assert_eq!(slides[..3], [(1, 1), (1, 2), (2, 1)]);
    running.end().1.unwrap();
}
