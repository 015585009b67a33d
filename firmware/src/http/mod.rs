//! The appliance over HTTP: the server, and what it answers.
//!
//! - [`settings`]: where it listens, and how much it takes
//! - [`router`]: which address is whose, and what all of them share
//! - [`problem`]: errors, as RFC 9457 writes them
//! - [`health`], [`device`], [`models`]: how it is, how it is set up
//! - [`captures`]: the button
//! - [`events`]: what happens
//! - [`classify`], [`inference`]: images from the network, which [`pool`] analyses
//! - [`upload`]: an image in a request
//! - [`wire`]: what several answers are made of
//! - [`openapi`]: the description of all that

mod captures;
mod classify;
mod device;
mod events;
mod health;
mod inference;
mod models;
mod openapi;
mod pool;
mod problem;
mod router;
pub mod settings;
mod upload;
pub(crate) mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use crate::config::Config;
use crate::network::Ending;
use crate::outlook::Outlook;
use events::Hub;
use pool::Pool;
use problem::Problem;
use settings::HttpSettings;

/// After a port that cannot be had, it is tried again; at first soon, then ever later, up to this.
const LATEST_RETRY: Duration = Duration::from_mins(1);
/// From the word that the server ends to its end; what is answered by then has been answered.
const DRAIN: Duration = Duration::from_secs(1);
/// Who connects after so many waits.
const CONNECTIONS: usize = 64;

/// The server, before it listens.
pub(crate) struct Server {
    settings: HttpSettings,
    config: Config,
    outlook: Outlook,
}

/// What the answers are made from.
#[derive(Clone)]
struct Context {
    settings: Arc<HttpSettings>,
    config: Arc<Config>,
    outlook: Outlook,
    hub: Arc<Hub>,
    pool: Arc<Pool>,
}

impl Server {
    pub(crate) fn new(settings: HttpSettings, config: Config, outlook: Outlook) -> Self {
        Self {
            settings,
            config,
            outlook,
        }
    }

    /// Answers until it is told to end.
    pub(crate) async fn serve(self, mut ending: Ending) {
        let Self {
            settings,
            config,
            outlook,
        } = self;
        let hub = Hub::new();
        tokio::spawn(Arc::clone(&hub).run(outlook.clone(), ending.clone()));
        let listener = tokio::select! {
            listener = listen(settings.listen) => listener,
            () = ending.wait() => return,
        };
        let header_timeout = settings.header;
        let config = Arc::new(config);
        let pool = Pool::new(Arc::clone(&config), settings.analyses, settings.queue);
        let router = router::router(Context {
            settings: Arc::new(settings),
            config,
            pool: Arc::new(pool),
            outlook,
            hub,
        });
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let (stream, permit) = tokio::select! {
                Some(accepted) = accept(&listener, &room) => accepted,
                () = ending.wait() => break,
            };
            let router = router.clone();
            tokio::spawn(converse(
                stream,
                router,
                header_timeout,
                graceful.watcher(),
                permit,
            ));
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = sleep(DRAIN) => log::warn!("some requests were cut off"),
        }
    }
}

/// Takes the port as soon as it can be had.
async fn listen(address: SocketAddr) -> TcpListener {
    let mut pause = Duration::from_secs(1);
    let mut told = String::new();
    loop {
        let bound = TcpListener::bind(address).await;
        match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                // Tests and scripts that let the system choose the port read it here.
                log::info!("listening on http://{address}");
                return listener;
            }
            Err(error) => {
                let error = error.to_string();
                if error != told {
                    log::warn!("http.listen: {address} cannot be had, it is tried again: {error}");
                    told = error;
                }
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LATEST_RETRY);
    }
}

/// The next connection, once there is room for it; `None` if it was gone at once.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            log::debug!("a connection could not be taken: {error}");
            // Without room for another file it fails again at once.
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// Answers one client for as long as it stays.
async fn converse(
    stream: TcpStream,
    router: Router,
    header_timeout: Duration,
    watcher: Watcher,
    _permit: OwnedSemaphorePermit,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        log::debug!("a client went: {error}");
    }
}

/// Does what blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::internal(&error.to_string()))
}
