//! What tells of the appliance over a network: a thread of its own with an event loop of its own, so that
//! nothing there can delay or change a verdict.

use std::pin::Pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::appliance::handle::ApplianceHandle;
use crate::appliance::notice::Notice;
use crate::config::Config;
use crate::http;
use crate::mqtt;
use crate::system::shutdown::{Shutdown, ShutdownTrigger};

/// From the word that it ends to its end. Who has not said goodbye by then does not.
const GOODBYE: Duration = Duration::from_secs(2);
/// Threads for what blocks, such as files.
const BLOCKING: usize = 4;

/// A server or a client, until it is told to end.
pub(crate) type Part = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The network's thread, if there is anything to do for it.
pub(crate) struct Network {
    running: Option<Running>,
    notice: Notice,
}

struct Running {
    /// Dropping it tells all parts to end.
    end: ShutdownTrigger,
    ended: mpsc::Receiver<()>,
}

/// Starts the servers and clients that `config` asks for. What they need and do not get, such as a port that
/// is taken, they wait for on their own.
///
/// # Errors
/// If the system has no room for a thread.
pub(crate) fn start(config: &Config, handle: &ApplianceHandle) -> Result<Network> {
    let (end, shutdown) = Shutdown::channel();
    let mut parts: Vec<Part> = Vec::new();
    let mut notice = Notice::default();
    if let Some(settings) = &config.http {
        let (settings, config) = (settings.clone(), config.clone());
        match http::Server::new(settings, config, handle.clone(), &mut notice) {
            Ok(server) => parts.push(Box::pin(server.serve(shutdown.clone()))),
            Err(error) => log::error!("there is no HTTP API: {error:#}"),
        }
    }
    let needs_runtime = !parts.is_empty() || config.mqtt.is_some() || config.hias.is_some();
    if !needs_runtime {
        return Ok(Network {
            running: None,
            notice,
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .thread_name("network")
        .build()
        .context("the network's event loop cannot be started")?;
    // Their clocks are the runtime's.
    let clients = {
        let _entered = runtime.enter();
        mqtt::clients(config, handle, &shutdown)
            .context("the outbox's thread cannot be started; free some memory")?
    };
    parts.extend(clients);
    let (has_ended, ended) = mpsc::channel();
    thread::Builder::new()
        .name("network".into())
        .spawn(move || {
            runtime.block_on(run(parts));
            runtime.shutdown_background();
            // Nobody waits where the program ends of itself.
            let _ = has_ended.send(());
        })
        .context("the network's thread cannot be started; free some memory")?;
    Ok(Network {
        running: Some(Running { end, ended }),
        notice,
    })
}

impl Network {
    /// What the operator must know of it, once.
    pub(crate) fn notice(&mut self) -> Notice {
        std::mem::take(&mut self.notice)
    }

    /// Tells everything to end and waits for it, but not for long.
    pub(crate) fn end(self) {
        let Some(Running { end, ended }) = self.running else {
            return;
        };
        drop(end);
        if ended.recv_timeout(GOODBYE).is_err() {
            log::warn!("the network did not end in time");
        }
    }
}

/// Runs all parts to their end. One that panics does not take the others with it.
async fn run(parts: Vec<Part>) {
    let mut running: JoinSet<()> = parts.into_iter().collect();
    while let Some(result) = running.join_next().await {
        if let Err(error) = result {
            log::error!("a part of the network crashed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_crashes_leaves_the_others() {
        let (end, mut shutdown) = Shutdown::channel();
        let (sender, done) = mpsc::channel();
        let crashing: Part = Box::pin(async { panic!("as the test wants") });
        let lasting: Part = Box::pin(async move {
            shutdown.wait().await;
            sender.send(()).unwrap();
        });
        drop(end);
        run(vec![crashing, lasting]).await;
        done.try_recv().unwrap();
    }
}
