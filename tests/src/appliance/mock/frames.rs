//! Frames that must not be analysed.

use std::time::Duration;

use smearscope::testing::{ApplianceEvent, Judgement, Timing};

use super::fixture::{FAULT, NEGATIVE, Running, TIMING, deliver, field};
use crate::support::demo_model;

#[test]
fn a_late_frame_is_never_analysed() {
    let timing = Timing {
        capture: Duration::from_millis(100),
        ..TIMING
    };
    let running = Running::start(timing, &demo_model());
    running.bench.camera.will_stall();
    running.press("a fault", FAULT);
    // The positive frame belongs to the first press and arrives after its deadline.
    deliver(&running, "_1");
    deliver(&running, "_0");
    running.bench.camera.release();
    running.press("green blinking", NEGATIVE);
    assert_eq!(running.end().0, [Judgement::NEGATIVE]);
}

#[test]
fn a_frame_older_than_the_press_is_never_analysed() {
    let running = Running::start(TIMING, &demo_model());
    let (bytes, name) = field("_1");
    running.bench.camera.will_deliver_stale(bytes, &name);
    let mut events = running.handle.events();
    running.press("a fault", FAULT);
    // Network clients receive the fault, too.
    let Ok(ApplianceEvent::Failed {
        fault,
        asked: Some(_),
    }) = events.blocking_recv()
    else {
        panic!("no failure of a press");
    };
    assert!(fault.message.contains("an old frame"), "{fault:?}");
    assert_eq!(running.end().0, []);
}

#[test]
fn a_truncated_frame_is_never_analysed() {
    let running = Running::start(TIMING, &demo_model());
    let (bytes, name) = field("_1");
    running
        .bench
        .camera
        .will_deliver(bytes[..bytes.len() / 2].to_vec(), &name);
    running.press("a fault", FAULT);
    assert_eq!(running.end().0, []);
}
