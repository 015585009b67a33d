//! What tells of the appliance over a network: a thread of its own with an event loop of its own, so that
//! nothing there can delay or change a verdict.

use std::pin::Pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::http;
use crate::mqtt;
use crate::outlook::Outlook;
use crate::screens::Notice;

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
    end: watch::Sender<()>,
    ended: mpsc::Receiver<()>,
}

/// By which a part of the network learns that it is to end.
#[derive(Clone)]
pub(crate) struct Ending(watch::Receiver<()>);

impl Ending {
    /// One that ends once the sender is dropped.
    #[cfg(test)]
    pub(crate) fn of(end: watch::Receiver<()>) -> Self {
        Self(end)
    }

    /// Waits until it is to end. Cancel-safe.
    pub(crate) async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

/// Starts the servers and clients that `config` asks for. What they need and do not get, such as a port that
/// is taken, they wait for on their own.
///
/// # Errors
/// If the system has no room for a thread.
pub(crate) fn start(config: &Config, outlook: &Outlook) -> Result<Network> {
    let (end, ending) = watch::channel(());
    let ending = Ending(ending);
    let mut parts: Vec<Part> = Vec::new();
    let mut notice = Notice::default();
    if let Some(settings) = &config.http {
        let (settings, config) = (settings.clone(), config.clone());
        match http::Server::new(settings, config, outlook.clone(), &mut notice) {
            Ok(server) => parts.push(Box::pin(server.serve(ending.clone()))),
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
        mqtt::clients(config, outlook, &ending)
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
        let (end, ending) = watch::channel(());
        let mut ending = Ending(ending);
        let (sender, done) = mpsc::channel();
        let crashing: Part = Box::pin(async { panic!("as the test wants") });
        let lasting: Part = Box::pin(async move {
            ending.wait().await;
            sender.send(()).unwrap();
        });
        drop(end);
        run(vec![crashing, lasting]).await;
        done.try_recv().unwrap();
    }
}
