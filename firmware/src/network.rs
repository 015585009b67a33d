//! The network thread: runs the HTTP server and the MQTT clients on one event loop, so that none of them can delay or
//! change a verdict.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::appliance::handle::ApplianceHandle;
use crate::appliance::notice::Notice;
use crate::appliance::web_address::WebAddress;
use crate::config::Config;
use crate::http;
use crate::mqtt;
use crate::report::diagnosis::diagnoses;
use crate::system::priority::lower_network_priority;
use crate::system::shutdown::{Shutdown, ShutdownTrigger};

/// How long a shutdown waits for the server and the clients.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);
/// Threads for blocking work, such as reading files.
const BLOCKING_THREADS: usize = 4;

/// The network thread, if the configuration needs one.
pub(crate) struct Network {
    thread: Option<NetworkThread>,
    notice: Notice,
    address: Option<WebAddress>,
}

struct NetworkThread {
    /// Dropping it starts the shutdown.
    trigger: ShutdownTrigger,
    ended: mpsc::Receiver<()>,
}

/// Starts the server and the clients that `config` asks for. Each of them waits by itself for what it needs, such as
/// a port that is in use.
///
/// # Errors
/// If the system cannot start another thread.
pub(crate) fn start(config: &Config, handle: &ApplianceHandle) -> Result<Network> {
    let mut notice = Notice::default();
    let diagnoses = diagnoses();
    let server = config.http.as_ref().and_then(|settings| {
        let (settings, config) = (settings.clone(), config.clone());
        http::Server::new(
            settings,
            config,
            handle.clone(),
            diagnoses.clone(),
            &mut notice,
        )
        .inspect_err(|error| log::error!("the HTTP API is not available: {error:#}"))
        .ok()
    });
    let address = server
        .as_ref()
        .and_then(|_| WebAddress::of(config.http.as_ref()?));
    if server.is_none() && config.mqtt.is_none() && config.hias.is_none() {
        return Ok(Network {
            thread: None,
            notice,
            address,
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("network")
        .build()
        .context("the network's event loop cannot be started")?;
    let (trigger, shutdown) = Shutdown::channel();
    let mut tasks = JoinSet::new();
    {
        let _entered = runtime.enter();
        if let Some(server) = server {
            tasks.spawn(server.serve(shutdown.clone()));
        }
        mqtt::spawn_clients(
            config,
            handle,
            &diagnoses,
            address.as_ref(),
            &shutdown,
            &mut tasks,
        )?;
    }
    let (has_ended, ended) = mpsc::channel();
    thread::Builder::new()
        .name("network".into())
        .spawn(move || {
            // The threads for blocking work are started from this one.
            lower_network_priority();
            runtime.block_on(join(tasks));
            runtime.shutdown_background();
            // Fails only if `end` no longer waits.
            let _ = has_ended.send(());
        })
        .context("the network's thread cannot be started; free some memory")?;
    Ok(Network {
        thread: Some(NetworkThread { trigger, ended }),
        notice,
        address,
    })
}

impl Network {
    /// Takes what the screen must show the operator once, such as a new token.
    pub(crate) fn notice(&mut self) -> Notice {
        std::mem::take(&mut self.notice)
    }

    /// Where other machines find the web page, if they can.
    pub(crate) fn address(&self) -> Option<WebAddress> {
        self.address.clone()
    }

    /// Shuts down the server and the clients, and waits for them up to [`SHUTDOWN_LIMIT`].
    pub(crate) fn end(self) {
        let Some(NetworkThread { trigger, ended }) = self.thread else {
            return;
        };
        drop(trigger);
        if ended.recv_timeout(SHUTDOWN_LIMIT).is_err() {
            log::warn!("the network did not shut down in time");
        }
    }
}

/// Waits for all tasks. A panic in one does not end the others.
async fn join(mut tasks: JoinSet<()>) {
    while let Some(result) = tasks.join_next().await {
        if let Err(error) = result {
            log::error!("a task of the network crashed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_does_not_end_the_others() {
        let (trigger, mut shutdown) = Shutdown::channel();
        let (sender, done) = mpsc::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async { panic!("as the test wants") });
        tasks.spawn(async move {
            shutdown.wait().await;
            sender.send(()).unwrap();
        });
        drop(trigger);
        join(tasks).await;
        done.try_recv().unwrap();
    }
}
