//! A connection after the other, for as long as the appliance runs.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use smearscope_hardware::Backoff;
use tokio::time::{Instant, sleep, timeout};

use crate::mqtt::link::{Connect, Link, LinkError, Session};
use crate::system::shutdown::Shutdown;

/// Before the second attempt; doubled with each.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Between attempts at most.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// A connection that lasted as long was a good one.
const GOOD: Duration = Duration::from_secs(10);
/// For which nothing is listened to after somebody published too much: the broker may have kept it.
const DEAF: Duration = Duration::from_mins(10);
/// For the last words. The network as a whole has two seconds.
const GOODBYE: Duration = Duration::from_millis(1500);

/// What is said over a connection.
pub(crate) trait Conversation: Send {
    /// What the log calls it.
    fn name(&self) -> &'static str;

    /// What a connection is made with.
    fn session(&self) -> Session;

    /// Does what needs no connection, for as long as there is none. May be dropped at any time.
    fn prepare(&mut self) -> impl Future<Output = Infallible> + Send {
        std::future::pending()
    }

    /// Talks for as long as the connection stands. May be dropped at any time.
    ///
    /// # Errors
    /// Why it ended.
    fn hold<L: Link>(
        &mut self,
        link: &mut L,
    ) -> impl Future<Output = Result<Infallible, LinkError>> + Send;

    /// Whether the last connection was worth it, however short.
    fn has_achieved(&self) -> bool {
        false
    }

    /// Says the last words.
    ///
    /// # Errors
    /// Why they could not be said.
    fn farewell<L: Link>(
        &mut self,
        link: &mut L,
    ) -> impl Future<Output = Result<(), LinkError>> + Send;
}

/// Holds a conversation until it is told to end. Where there is no connection, it is tried again, less and
/// less often.
pub(crate) async fn keep<C: Connect, T: Conversation>(
    mut connect: C,
    mut conversation: T,
    mut shutdown: Shutdown,
) {
    let name = conversation.name();
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut told = None;
    let mut deaf_until: Option<Instant> = None;
    loop {
        let mut session = conversation.session();
        if deaf_until.is_some_and(|until| Instant::now() < until) {
            session.listens_to.clear();
        }
        let connected = tokio::select! {
            biased;
            () = shutdown.wait() => return,
            never = conversation.prepare() => match never {},
            connected = connect.connect(&session) => connected,
        };
        let problem = match connected {
            Err(error) => error,
            Ok(mut link) => {
                log::info!("{name}: connected as {}", session.client);
                told = None;
                let since = Instant::now();
                let error = tokio::select! {
                    biased;
                    () = shutdown.wait() => {
                        let goodbye = async {
                            if conversation.farewell(&mut link).await.is_ok() {
                                link.close().await;
                            }
                        };
                        if timeout(GOODBYE, goodbye).await.is_err() {
                            log::warn!("{name}: the broker did not take the last words in time");
                        }
                        return;
                    }
                    error = conversation.hold(&mut link) => match error {
                        Ok(never) => match never {},
                        Err(error) => error,
                    },
                };
                if since.elapsed() >= GOOD || conversation.has_achieved() {
                    backoff.reset();
                }
                error
            }
        };
        if matches!(problem, LinkError::TooLong(_)) {
            log::warn!(
                "{name}: no commands are listened to for {} min",
                DEAF.as_secs() / 60
            );
            deaf_until = Some(Instant::now() + DEAF);
        }
        let problem = problem.to_string();
        if told.as_ref() != Some(&problem) {
            log::warn!("{name}: {problem}; it is tried again");
            told = Some(problem);
        }
        // Not all appliances at once, where a broker comes back.
        let wait = backoff.next_delay().mul_f64(rand::random_range(0.75..1.25));
        tokio::select! {
            biased;
            () = shutdown.wait() => return,
            never = conversation.prepare() => match never {},
            () = sleep(wait) => {}
        }
    }
}
