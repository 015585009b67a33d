//! What the service manager is told, by systemd's notify protocol (`sd_notify(3)`); where no service
//! manager started the program, nothing happens.

use std::convert::Infallible;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::timing::Timing;
use crate::system::worker::Heartbeat;

/// How often the watchdog is fed within the time after which it acts.
const FEEDS: u32 = 4;

/// The self-test is over, and presses are answered.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// What the appliance is doing, in a few words without anybody's data.
pub(crate) fn status(text: &str) {
    // Each line of a message is one of its own.
    notify(&[NotifyState::Status(&text.replace('\n', " "))]);
}

/// It ends.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// It starts anew, with another configuration.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("the service manager cannot be told: {error}"),
    }
}

/// Feeds the watchdog, if there is one, for as long as all of `pulses` beat.
///
/// It is given at least the time that a picture and its analysis may rightly take, twice: whoever
/// lengthens the deadlines need not think of the unit.
pub(crate) async fn feed_watchdog(heartbeats: &[Heartbeat], timing: &Timing) -> Infallible {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let patience = patience.max((timing.capture + timing.analysis) * 2);
    if let Ok(microseconds) = u32::try_from(patience.as_micros()) {
        notify(&[NotifyState::WatchdogUsec(microseconds)]);
    }
    let mut feeds = interval(patience / FEEDS);
    feeds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        feeds.tick().await;
        for heartbeat in heartbeats {
            heartbeat.beat().await;
        }
        notify(&[NotifyState::Watchdog]);
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("the service manager cannot be told: {error}");
    }
}
