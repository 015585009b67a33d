//! What is told to brokers over MQTT 3.1.1.
//!
//! - [`settings`]: `[mqtt]` and `[hias]` of the configuration
//! - `publisher`: MQTT for everyone, with `payload`, `command` and `discovery`
//! - `outbox` and `delivery`: every verdict arrives, in order, whenever the broker is there again
//! - `hias`: the appliance as an agent of a HIAS network; `import` reads its credentials
//! - `session`: a connection after the other; `link` is what one can do, `rumqtt` how it is done
//!
//! All of it runs on the network's thread. It looks at the appliance through its outlook and presses
//! its button like anybody at the bench. Everything that comes from a broker is looked at with suspicion:
//! long messages, and more than a few commands, are dropped unread.

pub(crate) mod command;
mod delivery;
mod discovery;
mod hias;
mod link;
mod outbox;
mod payload;
mod publisher;
mod rate;
mod rumqtt;
mod selftest;
mod session;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use self::hias::Agent;
use self::publisher::Publisher;
use self::rumqtt::Rumqtt;
use crate::appliance::handle::ApplianceHandle;
use crate::config::Config;
use crate::network::Part;
use crate::system::host_metrics::Probe;
use crate::system::shutdown::Shutdown;

/// The clients that `config` asks for; each runs until it is told to end.
///
/// # Errors
/// If the system has no room for a thread.
pub(crate) fn clients(
    config: &Config,
    handle: &ApplianceHandle,
    shutdown: &Shutdown,
) -> Result<Vec<Part>> {
    let mut clients: Vec<Part> = Vec::new();
    let shared = Arc::new(config.clone());
    let folder = config
        .storage
        .as_ref()
        .map_or(Path::new("/"), |storage| &storage.state);
    let probe = || Probe::new(folder);
    if let Some(settings) = &config.hias {
        let link = Rumqtt::new(settings.broker.clone());
        let agent = Agent::new(
            settings.clone(),
            Arc::clone(&shared),
            handle.clone(),
            probe(),
        );
        clients.push(Box::pin(session::keep(link, agent, shutdown.clone())));
    }
    if let Some(settings) = &config.mqtt {
        let link = Rumqtt::new(settings.broker.clone());
        let outbox = outbox::open(settings, config)?;
        let publisher = Publisher::new(settings.clone(), shared, handle.clone(), probe(), outbox);
        clients.push(Box::pin(session::keep(link, publisher, shutdown.clone())));
    }
    Ok(clients)
}
