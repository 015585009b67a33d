//! MQTT 3.1.1 clients.
//!
//! - `publisher`: the `[mqtt]` client, with its messages (`payload`, `discovery`) and `command`s
//! - `outbox`, `delivery_window`: every verdict is delivered, in order, even if the broker is unavailable for a while
//! - `hias`: the `[hias]` client, an agent of a HIAS network
//! - `client`: connects a client, and connects it again
//! - `connection`: what a connection can do; `rumqtt` implements it
//! - `selftest`, `rate_limiter`: used by both clients
//!
//! The clients run on the network thread. They see the appliance through its
//! [`ApplianceHandle`], and their commands press its button.
//! Messages from a broker are not trusted: long ones, and more than a few in a row, are dropped.

mod client;
pub(crate) mod command;
mod connection;
mod delivery_window;
mod discovery;
mod hias;
mod outbox;
mod payload;
mod publisher;
mod rate_limiter;
mod rumqtt;
mod selftest;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::appliance::handle::ApplianceHandle;
use crate::appliance::web_address::WebAddress;
use crate::config::Config;
use crate::mqtt::hias::Agent;
use crate::mqtt::publisher::Publisher;
use crate::mqtt::rumqtt::RumqttConnector;
use crate::report::diagnosis::Diagnoses;
use crate::system::host_metrics::Probe;
use crate::system::shutdown::Shutdown;

/// Adds the clients that `config` asks for to `tasks`. Each runs until `shutdown`. The HIAS client publishes `diagnoses`;
/// Home Assistant learns the web page's `address`. Must be called within a Tokio runtime.
///
/// # Errors
/// If the outbox's thread cannot be started.
pub(crate) fn spawn_clients(
    config: &Config,
    handle: &ApplianceHandle,
    diagnoses: &Diagnoses,
    address: Option<&WebAddress>,
    shutdown: &Shutdown,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    let shared = Arc::new(config.clone());
    let folder = config
        .storage
        .as_ref()
        .map_or(Path::new("/"), |storage| &storage.state);
    if let Some(settings) = &config.hias {
        let connector = RumqttConnector::new(settings.broker.clone());
        let agent = Agent::new(
            settings.clone(),
            Arc::clone(&shared),
            handle.clone(),
            diagnoses.clone(),
            Probe::new(folder),
        );
        tasks.spawn(client::run(connector, agent, shutdown.clone()));
    }
    if let Some(settings) = &config.mqtt {
        let connector = RumqttConnector::new(settings.broker.clone());
        let outbox = outbox::open(settings, config)
            .context("the outbox's thread cannot be started; free some memory")?;
        let probe = Probe::new(folder);
        let settings = settings.clone();
        let publisher = Publisher::new(
            settings,
            address.cloned(),
            shared,
            handle.clone(),
            probe,
            outbox,
        );
        tasks.spawn(client::run(connector, publisher, shutdown.clone()));
    }
    Ok(())
}
