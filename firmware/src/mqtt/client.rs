//! Keeps a client connected: connects, runs it, and connects again when the connection is lost.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use smearscope_hardware::Backoff;
use tokio::time::{Instant, sleep, timeout};

use crate::mqtt::connection::{BrokerError, ConnectOptions, Connection, Connector};
use crate::system::shutdown::Shutdown;

/// Delay before the second attempt to connect; doubled after each failure.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// Longest delay between two attempts.
const MAX_DELAY: Duration = Duration::from_mins(1);
/// A connection that lasts this long resets the delay.
const STABLE: Duration = Duration::from_secs(10);
/// How long the client does not subscribe after a packet above the size limit: the broker may have
/// retained it and would send it again.
const UNSUBSCRIBED: Duration = Duration::from_mins(10);
/// Limit for the last messages and the disconnect. The network thread as a whole gets two seconds.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(1500);

/// A client of a broker.
pub(crate) trait Client: Send {
    /// Its name in the log.
    fn name(&self) -> &'static str;

    /// How to connect.
    fn options(&self) -> ConnectOptions;

    /// Does the work that needs no connection, while there is none. Must be cancel-safe.
    fn while_disconnected(&mut self) -> impl Future<Output = Infallible> + Send {
        std::future::pending()
    }

    /// Publishes and receives for as long as the connection lasts. Must be cancel-safe.
    ///
    /// # Errors
    /// Why the connection ended.
    fn serve<C: Connection>(
        &mut self,
        connection: &mut C,
    ) -> impl Future<Output = Result<Infallible, BrokerError>> + Send;

    /// Whether the last connection delivered something; if so, it resets the delay even if it was short.
    fn made_progress(&self) -> bool {
        false
    }

    /// Publishes the last messages before the disconnect.
    ///
    /// # Errors
    /// [`BrokerError`] if they cannot be sent.
    fn finish<C: Connection>(
        &mut self,
        connection: &mut C,
    ) -> impl Future<Output = Result<(), BrokerError>> + Send;
}

/// Runs a client until `shutdown`. After a failure it connects again, at growing intervals.
pub(crate) async fn run<T: Client>(
    mut connector: impl Connector,
    mut client: T,
    mut shutdown: Shutdown,
) {
    let name = client.name();
    let mut backoff = Backoff::new(FIRST_DELAY, MAX_DELAY);
    let mut logged_problem = None;
    let mut unsubscribed_until: Option<Instant> = None;
    loop {
        let mut options = client.options();
        if unsubscribed_until.is_some_and(|until| Instant::now() < until) {
            options.subscriptions.clear();
        }
        let connected = tokio::select! {
            biased;
            () = shutdown.wait() => return,
            never = client.while_disconnected() => match never {},
            connected = connector.connect(&options) => connected,
        };
        let problem = match connected {
            Err(error) => error,
            Ok(mut connection) => {
                log::info!("{name}: connected as {}", options.client);
                logged_problem = None;
                let connected_at = Instant::now();
                let error = tokio::select! {
                    biased;
                    () = shutdown.wait() => return disconnect(client, connection).await,
                    error = client.serve(&mut connection) => match error {
                        Ok(never) => match never {},
                        Err(error) => error,
                    },
                };
                if connected_at.elapsed() >= STABLE || client.made_progress() {
                    backoff.reset();
                }
                error
            }
        };
        if matches!(problem, BrokerError::TooLong(_)) {
            log::warn!(
                "{name}: commands are ignored for {} min",
                UNSUBSCRIBED.as_secs() / 60
            );
            unsubscribed_until = Some(Instant::now() + UNSUBSCRIBED);
        }
        let problem = problem.to_string();
        if logged_problem.as_ref() != Some(&problem) {
            log::warn!("{name}: {problem}; retrying");
            logged_problem = Some(problem);
        }
        // Jitter, so that several appliances do not connect at the same moment when a broker comes back.
        let delay = backoff.next_delay().mul_f64(rand::random_range(0.75..1.25));
        tokio::select! {
            biased;
            () = shutdown.wait() => return,
            never = client.while_disconnected() => match never {},
            () = sleep(delay) => {}
        }
    }
}

/// Publishes a client's last messages and disconnects.
async fn disconnect(mut client: impl Client, mut connection: impl Connection) {
    let name = client.name();
    let finished = async {
        if client.finish(&mut connection).await.is_ok() {
            connection.close().await;
        }
    };
    if timeout(SHUTDOWN_LIMIT, finished).await.is_err() {
        log::warn!("{name}: the broker did not accept the last messages in time");
    }
}
