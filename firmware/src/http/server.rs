//! The server: listens, accepts connections and serves them until shutdown.

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
use crate::http::access::{self, Access, Peer};
use crate::http::context::Context;
use crate::http::events::Hub;
use crate::http::metrics::Metrics;
use crate::http::router::router;
use crate::http::tls::TlsIdentity;
use crate::http::tokens::{Role, Tokens};
use crate::http::viewfinder::Viewfinder;
use crate::system::shutdown::Shutdown;

/// Pauses between attempts to bind the port.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_mins(1);
/// How long open requests may take to finish once shutdown begins.
const DRAIN: Duration = Duration::from_secs(1);
/// Connections served at a time; further clients wait.
const MAX_CONNECTIONS: usize = 64;

/// The server, before it listens.
pub(crate) struct Server {
    settings: HttpSettings,
    config: Config,
    handle: ApplianceHandle,
    access: Access,
    identity: Option<TlsIdentity>,
}

impl Server {
    /// Prepares the server. On the first start, creates the first token and the certificate, if needed, and adds
    /// them to `notice` for the operator.
    ///
    /// # Errors
    /// If the tokens or the certificate cannot be read or created.
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
            log::info!("the screen shows the first token; `smearscope token new` creates more");
            notice.add_token(&token.to_string());
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

    /// Serves requests until shutdown.
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
        let header_timeout = settings.header;
        let config = Arc::new(config);
        let pool = Pool::new(Arc::clone(&config), settings.analyses, settings.queue);
        let viewfinder = Viewfinder::new(handle.clone(), &config);
        let context = Context {
            config,
            handle,
            hub,
            pool: Arc::new(pool),
            exports: Arc::default(),
            metrics,
            access: Arc::new(access),
            viewfinder,
            shutdown: shutdown.clone(),
        };
        let router = router(context, &settings);
        let graceful = GracefulShutdown::new();
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let (stream, peer, permit) = tokio::select! {
                Some(accepted) = accept(&listener, &permits) => accepted,
                () = shutdown.wait() => break,
            };
            let router = router.clone().layer(Extension(Peer(peer)));
            let watcher = graceful.watcher();
            let acceptor = identity.as_ref().map(|identity| identity.acceptor.clone());
            tokio::spawn(async move {
                let _permit = permit;
                match acceptor {
                    None => serve_connection(stream, router, header_timeout, watcher).await,
                    Some(acceptor) => {
                        match timeout(header_timeout, acceptor.accept(stream)).await {
                            Ok(Ok(stream)) => {
                                serve_connection(stream, router, header_timeout, watcher).await;
                            }
                            Ok(Err(error)) => log::debug!("TLS handshake failed: {error}"),
                            Err(_) => log::debug!("TLS handshake timed out"),
                        }
                    }
                }
            });
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = sleep(DRAIN) => log::warn!("some requests were aborted at shutdown"),
        }
    }
}

/// Binds the port; retries until that succeeds.
async fn listen(address: SocketAddr, scheme: &str) -> TcpListener {
    let mut backoff = Backoff::new(FIRST_RETRY, MAX_RETRY);
    let mut logged = String::new();
    loop {
        let bound = TcpListener::bind(address).await;
        match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                // Tests and scripts that bind port 0 read the port from this line.
                log::info!("listening on {scheme}://{address}");
                return listener;
            }
            Err(error) => {
                let error = error.to_string();
                if error != logged {
                    log::warn!("http.listen: cannot listen on {address}, retrying: {error}");
                    logged = error;
                }
            }
        }
        sleep(backoff.next_delay()).await;
    }
}

/// Accepts the next connection once a permit is free; `None` if the connection failed at once.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer.ip().to_canonical(), permit)),
        Err(error) => {
            log::debug!("a connection could not be accepted: {error}");
            // Without a free file descriptor, the next attempt fails at once, too.
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// Serves one connection until the client closes it.
async fn serve_connection<S>(stream: S, router: Router, header_timeout: Duration, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        log::debug!("a connection ended early: {error}");
    }
}
