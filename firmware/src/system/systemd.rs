//! Notifications to the service manager through systemd's protocol (`sd_notify(3)`). Without a service manager they
//! do nothing.

use std::convert::Infallible;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::system::worker::Heartbeat;

/// Number of notifications per watchdog timeout.
const FEEDS: u32 = 4;

/// Reports that the self-test is finished and presses are accepted.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Reports what the appliance is doing. `text` must not contain patient-related data.
pub(crate) fn status(text: &str) {
    // A line break would end the assignment.
    notify(&[NotifyState::Status(&text.replace('\n', " "))]);
}

/// Reports that the program is stopping.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Reports that the program restarts with another configuration.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("the service manager cannot be notified: {error}"),
    }
}

/// Feeds the service manager's watchdog, if it is enabled, while all `heartbeats` beat.
///
/// The watchdog's timeout is raised to `min_timeout` if it is shorter.
pub(crate) async fn feed_watchdog(heartbeats: &[Heartbeat], min_timeout: Duration) -> Infallible {
    let Some(timeout) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let timeout = timeout.max(min_timeout);
    if let Ok(microseconds) = u32::try_from(timeout.as_micros()) {
        notify(&[NotifyState::WatchdogUsec(microseconds)]);
    }
    let mut feeds = interval(timeout / FEEDS);
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
        log::warn!("the service manager cannot be notified: {error}");
    }
}
