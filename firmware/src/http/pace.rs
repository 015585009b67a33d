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

/// A connection whose writes fail when the client takes nothing for `limit`.
pub(crate) struct PacedWrites<S> {
    stream: S,
    limit: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> PacedWrites<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            waiting: None,
        }
    }

    /// Turns a write that has waited for too long into an error.
    fn limited(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read its answer",
        )))
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

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_slowly_arrives_and_one_that_is_not_read_fails() {
        let (server, mut client) = duplex(4);
        let mut server = PacedWrites::new(server, LIMIT);
        let write = server.write_all(b"answer in parts");
        let read = async {
            let mut read = [0; 12];
            for part in read.chunks_mut(3) {
                sleep(LIMIT * 9 / 10).await;
                client.read_exact(part).await.unwrap();
            }
            read
        };
        let (written, read) = tokio::join!(write, read);
        written.unwrap();
        assert_eq!(&read, b"answer in pa");
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
