//! The appliance over HTTP: the server, and what it answers.
//!
//! - [`settings`]: where it listens, and how much it takes
//! - `router`: which address is whose, and what all of them share
//! - `access`, `tokens`, `tls`: who may ask for what, and who may listen
//! - `token_command`: `smearscope token`
//! - `problem`: errors, as RFC 9457 writes them
//! - `health`, `device`, `models`: how it is, how it is set up
//! - `journal`: what the program said last
//! - `button`: what the button does
//! - `viewfinder`: what the camera sees
//! - `events`: what happens
//! - `metrics`: how often and how long, for Prometheus
//! - `records`, `export`: what was recorded, and taking it elsewhere
//! - `notes`: what people write about it
//! - `classify`, `inference`: images from the network, which `pool` analyses
//! - `upload`: an image in a request
//! - `wire`: what several answers are made of
//! - `openapi`: the description of all that
//! - `page`: the web page, which asks for all that

mod access;
mod button;
mod classify;
mod device;
mod events;
mod export;
mod health;
mod inference;
mod log_tail;
mod metrics;
mod models;
mod notes;
mod openapi;
mod page;
mod problem;
mod records;
mod router;
mod tls;
pub(crate) mod tokens;
pub(crate) mod upload;
mod viewfinder;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use smearscope_hardware::Backoff;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::analysis::pool::Pool;
use crate::appliance::handle::ApplianceHandle;
use crate::appliance::notice::Notice;
use crate::config::Config;
use crate::config::http::HttpSettings;
use crate::system::shutdown::Shutdown;
use access::{Access, Peer};
use events::Hub;
use export::Exports;
use metrics::Metrics;
use problem::Problem;
use tls::TlsIdentity;
use tokens::{Role, Tokens};
use viewfinder::Viewfinder;

/// Delays between attempts to listen on a port that is in use.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LATEST_RETRY: Duration = Duration::from_mins(1);
/// From the word that the server ends to its end; what is answered by then has been answered.
const DRAIN: Duration = Duration::from_secs(1);
/// Who connects after so many waits.
const CONNECTIONS: usize = 64;

/// The server, before it listens.
pub(crate) struct Server {
    settings: HttpSettings,
    config: Config,
    handle: ApplianceHandle,
    access: Access,
    identity: Option<TlsIdentity>,
}

/// What the answers are made from.
#[derive(Clone)]
struct Context {
    settings: Arc<HttpSettings>,
    config: Arc<Config>,
    handle: ApplianceHandle,
    hub: Arc<Hub>,
    pool: Arc<Pool>,
    exports: Arc<Exports>,
    metrics: Arc<Metrics>,
    access: Arc<Access>,
    viewfinder: Arc<Viewfinder>,
    shutdown: Shutdown,
}

impl Server {
    /// A server with what it needs for access, which is made if this is the first start; then `notice` gets
    /// what its operator must know.
    ///
    /// # Errors
    /// If that cannot be read or made.
    pub(crate) fn new(
        settings: HttpSettings,
        config: Config,
        handle: ApplianceHandle,
        notice: &mut Notice,
    ) -> Result<Self> {
        let tokens = config.state().map(Tokens::of);
        if let (true, Some(tokens)) = (settings.needs_token(), &tokens)
            && tokens.entries()?.is_empty()
        {
            let token = tokens.create(Role::Operator)?;
            log::info!("the first token is on the screen; `smearscope token new` makes more");
            notice.add("API TOKEN", token.to_string().replace('-', " "));
        }
        let names = access::names(&settings);
        let identity = match &settings.tls {
            None => None,
            Some(tls) => {
                let identity = TlsIdentity::open(tls, config.state(), &names)?;
                log::info!("certificate: SHA-256 {}", identity.fingerprint);
                if identity.is_new {
                    notice.add("TLS SHA-256", identity.fingerprint.clone());
                }
                Some(identity)
            }
        };
        Ok(Self {
            access: Access::new(&settings, names, tokens),
            settings,
            config,
            handle,
            identity,
        })
    }

    /// Answers until it is told to end.
    pub(crate) async fn serve(self, mut shutdown: Shutdown) {
        let Self {
            settings,
            config,
            handle,
            access,
            identity,
        } = self;
        let scheme = if identity.is_some() { "https" } else { "http" };
        let hub = Hub::new();
        tokio::spawn(Arc::clone(&hub).run(handle.clone(), shutdown.clone()));
        let metrics = Arc::<Metrics>::default();
        tokio::spawn(Arc::clone(&metrics).count(handle.events(), shutdown.clone()));
        let listener = tokio::select! {
            listener = listen(settings.listen, scheme) => listener,
            () = shutdown.wait() => return,
        };
        let patience = settings.header;
        let config = Arc::new(config);
        let pool = Pool::new(Arc::clone(&config), settings.analyses, settings.queue);
        let viewfinder = Viewfinder::new(handle.clone(), &config);
        let router = router::router(Context {
            settings: Arc::new(settings),
            config,
            handle,
            hub,
            pool: Arc::new(pool),
            exports: Arc::default(),
            metrics,
            access: Arc::new(access),
            viewfinder,
            shutdown: shutdown.clone(),
        });
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let (stream, peer, permit) = tokio::select! {
                Some(accepted) = accept(&listener, &room) => accepted,
                () = shutdown.wait() => break,
            };
            let router = router.clone().layer(Extension(Peer(peer)));
            let watcher = graceful.watcher();
            let acceptor = identity.as_ref().map(|identity| identity.acceptor.clone());
            tokio::spawn(async move {
                let _permit = permit;
                match acceptor {
                    None => converse(stream, router, patience, watcher).await,
                    Some(acceptor) => match timeout(patience, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => converse(stream, router, patience, watcher).await,
                        Ok(Err(error)) => log::debug!("a client cannot be understood: {error}"),
                        Err(_) => log::debug!("a client says nothing"),
                    },
                }
            });
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = sleep(DRAIN) => log::warn!("some requests were cut off"),
        }
    }
}

/// Takes the port as soon as it can be had.
async fn listen(address: SocketAddr, scheme: &str) -> TcpListener {
    let mut backoff = Backoff::new(FIRST_RETRY, LATEST_RETRY);
    let mut told = String::new();
    loop {
        let bound = TcpListener::bind(address).await;
        match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                // Tests and scripts that let the system choose the port read it here.
                log::info!("listening on {scheme}://{address}");
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
        sleep(backoff.next_delay()).await;
    }
}

/// The next connection, once there is room for it; `None` if it was gone at once.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer.ip().to_canonical(), permit)),
        Err(error) => {
            log::debug!("a connection could not be taken: {error}");
            // Without room for another file it fails again at once.
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// Answers one client for as long as it stays.
async fn converse<S>(stream: S, router: Router, patience: Duration, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
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
