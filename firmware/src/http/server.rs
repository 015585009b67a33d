//! The server: listens, accepts connections and serves them until shutdown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use smearscope_hardware::Backoff;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::analysis::pool::Pool;
use crate::appliance::handle::ApplianceHandle;
use crate::appliance::notice::Notice;
use crate::config::Config;
use crate::config::http::HttpSettings;
use crate::http::access::{self, Access};
use crate::http::connections::{Closed, Connections, Service};
use crate::http::context::Context;
use crate::http::events::Hub;
use crate::http::memory::return_after_floods;
use crate::http::metrics::Metrics;
use crate::http::pace::PacedWrites;
use crate::http::peer::Peer;
use crate::http::router::{reserve, router};
use crate::http::tls::TlsIdentity;
use crate::http::tokens::{Role, Tokens};
use crate::http::upload::Uploads;
use crate::http::viewfinder::Viewfinder;
use crate::report::diagnosis::Diagnoses;
use crate::system::shutdown::Shutdown;

/// Pauses between attempts to bind the port.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_mins(1);
/// How long open requests may take to finish once shutdown begins.
const DRAIN: Duration = Duration::from_secs(1);
/// Connections that the system accepts before the server does.
const BACKLOG: u32 = 128;
/// Bytes of an answer that wait in the system for a client. Less than the system would use: a client must take some
/// of them within `http.stall_s`.
const SEND_BUFFER: u32 = 128 << 10;
/// Time limit for the headers of a request in the reserve.
const RESERVE_HEADER: Duration = Duration::from_secs(2);

/// The server, before it listens.
pub(crate) struct Server {
    settings: HttpSettings,
    config: Config,
    handle: ApplianceHandle,
    diagnoses: Diagnoses,
    access: Access,
    identity: Option<TlsIdentity>,
}

impl Server {
    /// Prepares the server. On the first start, creates the first token and the certificate, if needed, and adds
    /// them to `notice` for the operator. Verdicts on images that HIAS sends go to `diagnoses`.
    ///
    /// # Errors
    /// If the tokens or the certificate cannot be read or created.
    pub(crate) fn new(
        settings: HttpSettings,
        config: Config,
        handle: ApplianceHandle,
        diagnoses: Diagnoses,
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
                log::info!("certificate: SHA-256 {}", identity.fingerprint());
                if identity.is_new {
                    notice.add("TLS SHA-256", identity.fingerprint().to_owned());
                }
                Some(identity)
            }
        };
        Ok(Self {
            access: Access::new(&settings, names, tokens),
            settings,
            config,
            handle,
            diagnoses,
            identity,
        })
    }

    /// Serves requests until shutdown.
    pub(crate) async fn serve(self, mut shutdown: Shutdown) {
        let Self {
            settings,
            config,
            handle,
            diagnoses,
            access,
            mut identity,
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
        let config = Arc::new(config);
        let pool = Pool::new(Arc::clone(&config), settings.analyses, settings.queue);
        // What the queue may hold, and one more that is arriving.
        let images = settings.analyses + settings.queue + 1;
        let uploads = Uploads::new(images, settings.max_body);
        let viewfinder = Viewfinder::new(handle.clone(), &config);
        let context = Context {
            config,
            handle,
            diagnoses,
            hub,
            pool: Arc::new(pool),
            uploads: uploads.clone(),
            exports: Arc::default(),
            metrics,
            access: Arc::new(access),
            viewfinder,
            shutdown: shutdown.clone(),
        };
        let reserve = reserve(&context);
        let router = router(context, &settings);
        let graceful = GracefulShutdown::new();
        let connections = Arc::<Connections>::default();
        tokio::spawn(return_after_floods(
            Arc::clone(&connections),
            uploads,
            shutdown.clone(),
        ));
        loop {
            let (stream, client) = tokio::select! {
                accepted = accept(&listener) => accepted,
                () = shutdown.wait() => break,
            };
            let Ok(server) = stream.local_addr() else {
                continue;
            };
            let peer = client.ip().to_canonical();
            let Some((place, closed)) = connections.admit(peer, Instant::now()) else {
                log::debug!("a connection from {peer} was refused: there are too many");
                continue;
            };
            let (router, header) = match place.service {
                Service::Full => (router.clone(), settings.header),
                Service::Health => (reserve.clone(), settings.header.min(RESERVE_HEADER)),
            };
            let connection = Connection {
                is_kept: place.service == Service::Full,
                router: router.layer(Extension(Peer::new(client, server, place))),
                acceptor: identity
                    .as_mut()
                    .map(|identity| identity.acceptor(server.ip())),
                header,
                closed,
            };
            let stream = PacedWrites::new(stream, settings.stall);
            tokio::spawn(connection.serve(stream, graceful.watcher()));
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = sleep(DRAIN) => log::warn!("some requests were aborted at shutdown"),
        }
    }
}

/// A connection to be served.
struct Connection {
    router: Router,
    acceptor: Option<TlsAcceptor>,
    /// Time limit for headers and for the TLS handshake.
    header: Duration,
    /// Whether it stays open after a request.
    is_kept: bool,
    closed: Closed,
}

impl Connection {
    /// Serves requests until the client closes the connection, or until its place is needed.
    async fn serve<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            router,
            acceptor,
            header,
            is_kept,
            closed,
        } = self;
        let serve = async {
            match acceptor {
                None => serve_requests(stream, router, header, is_kept, watcher).await,
                Some(acceptor) => match timeout(header, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        serve_requests(stream, router, header, is_kept, watcher).await;
                    }
                    Ok(Err(error)) => log::debug!("TLS handshake failed: {error}"),
                    Err(_) => log::debug!("TLS handshake timed out"),
                },
            }
        };
        tokio::select! {
            () = serve => {}
            () = closed.wait() => log::debug!("a connection was closed to make room for another"),
        }
    }
}

async fn serve_requests<S>(
    stream: S,
    router: Router,
    header: Duration,
    is_kept: bool,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header)
        .keep_alive(is_kept)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        log::debug!("a connection ended early: {error}");
    }
}

/// Binds the port; retries until that succeeds.
async fn listen(address: SocketAddr, scheme: &str) -> TcpListener {
    let mut backoff = Backoff::new(FIRST_RETRY, MAX_RETRY);
    let mut logged = String::new();
    loop {
        match bind(address).and_then(|listener| Ok((listener.local_addr()?, listener))) {
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

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Its connections inherit this.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts the next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => log::debug!("a connection could not be accepted: {error}"),
        }
        // Without a free file descriptor, the next attempt fails at once, too.
        sleep(Duration::from_millis(100)).await;
    }
}
