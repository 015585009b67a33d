//! Limits for clients that are too slow: answers that are not read, and bodies that hardly arrive.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout_at};

/// Bytes of a body that must arrive within the time limit.
const MIN_BYTES: usize = 16 << 10;

/// Bytes that a client must take in each second in which answers wait for it, on average over the time limit.
const MIN_RATE: u32 = 16 << 10;

/// A body arrived too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body arrives too slowly")]
pub(crate) struct TooSlow;

/// Passes a body on. It fails with [`TooSlow`] when fewer than [`MIN_BYTES`] arrived within `limit`.
pub(crate) fn paced(body: Body, limit: Duration) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let first = (body.into_data_stream(), Instant::now() + limit, 0);
    Body::from_stream(stream::try_unfold(
        first,
        move |(mut body, mut end, mut received)| async move {
            loop {
                match timeout_at(end, body.next()).await {
                    Ok(Some(bytes)) => {
                        let bytes = bytes?;
                        received += bytes.len();
                        return Ok(Some((bytes, (body, end, received))));
                    }
                    Ok(None) => return Ok(None),
                    Err(_) if received >= MIN_BYTES => {
                        end = Instant::now() + limit;
                        received = 0;
                    }
                    Err(_) => return Err(BoxError::from(TooSlow)),
                }
            }
        },
    ))
}

/// A connection whose writes fail when the client takes its answers too slowly: less than [`MIN_RATE`] on average over a
/// `limit` of time in which writes waited for it. Time in which there is nothing to write does not count.
pub(crate) struct PacedWrites<S> {
    stream: S,
    limit: Duration,
    /// Bytes that the client took since the rate was last checked.
    taken: usize,
    /// How long writes waited since then, without the present one.
    waited: Duration,
    /// The write that waits: since when, and until the next check.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> PacedWrites<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            taken: 0,
            waited: Duration::ZERO,
            waiting: None,
        }
    }

    /// Turns a write that waits for a client that is too slow into an error.
    fn limited(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let Some((since, _)) = self.waiting.take() {
                self.waited += since.elapsed();
            }
            let bytes = *written.as_ref().unwrap_or(&0);
            self.taken = self.taken.saturating_add(bytes);
            return Poll::Ready(written);
        }
        loop {
            let left = self.limit.saturating_sub(self.waited);
            let wait = || (Instant::now(), Box::pin(sleep(left)));
            let (_, check) = self.waiting.get_or_insert_with(wait);
            ready!(check.as_mut().poll(context));
            let least = self.limit.as_secs_f64() * f64::from(MIN_RATE);
            if (self.taken as f64) < least {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client reads its answer too slowly",
                )));
            }
            (self.taken, self.waited, self.waiting) = (0, Duration::ZERO, None);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedWrites<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedWrites<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limited(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.limited(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use axum::body::{Bytes, to_bytes};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::mpsc;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Bytes that a client must take in a second.
    const RATE: usize = MIN_RATE as usize;

    /// How long a client that takes `part` bytes each second is served, at most for `seconds`.
    async fn served(part: usize, seconds: u32) -> Duration {
        let (server, mut client) = duplex(1024);
        let mut server = PacedWrites::new(server, LIMIT);
        let start = Instant::now();
        let read = async {
            let mut read = vec![0; part];
            for _ in 0..seconds {
                sleep(Duration::from_secs(1)).await;
                client.read_exact(&mut read).await.unwrap();
            }
        };
        let answer = vec![0; RATE];
        let write = async {
            loop {
                if let Err(error) = server.write_all(&answer).await {
                    return error.kind();
                }
            }
        };
        tokio::select! {
            () = read => {}
            kind = write => assert_eq!(kind, io::ErrorKind::TimedOut),
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_its_answer_too_slowly_is_given_up() {
        assert_eq!(served(2 * RATE, 60).await.as_secs(), 60);
        // Any progress is not enough.
        for part in [0, 1, RATE / 2] {
            let served = served(part, 60).await;
            assert_eq!(served.as_secs(), LIMIT.as_secs(), "{part}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_time_counts_in_which_an_answer_waits() {
        let (server, mut client) = duplex(1);
        let mut server = PacedWrites::new(server, LIMIT);
        let mut read = [0; 2];
        for _ in 0..20 {
            // Rare events, as of a bench that is hardly used.
            sleep(LIMIT).await;
            let take = client.read_exact(&mut read);
            let (sent, taken) = tokio::join!(server.write_all(b"ab"), take);
            sent.unwrap();
            taken.unwrap();
        }
        let before = Instant::now();
        let error = server.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(before.elapsed(), LIMIT);
    }

    /// The length of a body whose parts arrive at intervals of a limit.
    async fn sent(parts: &[usize]) -> Result<usize, axum::Error> {
        let (sender, receiver) = mpsc::channel(1);
        let parts = parts.to_vec();
        tokio::spawn(async move {
            for length in parts {
                sleep(LIMIT * 99 / 100).await;
                let part = Ok::<_, io::Error>(Bytes::from(vec![0; length]));
                if sender.send(part).await.is_err() {
                    return;
                }
            }
        });
        let receive = |mut receiver: mpsc::Receiver<_>| async move {
            receiver.recv().await.map(|part| (part, receiver))
        };
        let body = Body::from_stream(stream::unfold(receiver, receive));
        let body = to_bytes(paced(body, LIMIT), usize::MAX).await?;
        Ok(body.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_hardly_arrives_fails() {
        assert_eq!(sent(&[3]).await.unwrap(), 3);
        let steady = [MIN_BYTES; 5];
        assert_eq!(sent(&steady).await.unwrap(), 5 * MIN_BYTES);
        let error = sent(&[MIN_BYTES, 1, 1, 1]).await.unwrap_err();
        let mut causes = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| {
            (*cause).source()
        });
        assert!(
            causes.any(<dyn Error + 'static>::is::<TooSlow>),
            "{error:?}"
        );
    }
}
