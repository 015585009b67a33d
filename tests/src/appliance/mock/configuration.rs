//! A configuration that is refused while the appliance runs.

use smearscope::testing::{Check, State};

use super::fixture::{READY, RED, Running, TIMING, deliver};
use crate::support::demo_model;

#[test]
fn a_refused_configuration_is_shown_and_stops_nothing() {
    let running = Running::start(TIMING, &demo_model());
    let leds = &running.bench.leds;
    leds.wait_until("ready", |shown| *shown == READY);
    let refused = |text: &str| {
        let checks = vec![Check::failed("config", text)];
        running.handle.renew_checks("config", "SETTINGS", checks);
    };
    refused("line 1 is wrong");
    refused("line 2 is wrong");
    let mut status = running.handle.status();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let status = runtime.block_on(status.wait_for(|status| {
        let checks = status.self_test.iter().flat_map(|test| &test.checks);
        let details: Vec<_> = checks
            .filter(|check| check.part == "config")
            .map(|check| &*check.detail)
            .collect();
        details == ["line 2 is wrong"]
    }));
    assert_eq!(*status.unwrap().state, State::Ready);
    deliver(&running, "_1");
    running.press("red", RED);
    running.end().1.unwrap();
}
