//! Threads for work that blocks: the camera, and the model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

type Job<Request, Response> = (Request, oneshot::Sender<Response>);

/// A thread that answers one request after the other.
///
/// One that panics, in a driver perhaps, is asked again the next time: a box in the field has nobody to
/// restart it. Whoever stops waiting for an answer never gets it: an answer that comes too late is dropped, and
/// a request that nobody waits for any more is not begun.
pub(crate) struct Worker<Request, Response> {
    jobs: mpsc::Sender<Job<Request, Response>>,
}

/// The worker panicked on this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl<Request, Response> Worker<Request, Response>
where
    Request: Send + 'static,
    Response: Send + 'static,
{
    /// Starts a thread that lives until the worker is dropped.
    pub(crate) fn start(
        name: &str,
        mut work: impl FnMut(Request) -> Response + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job<Request, Response>>();
        thread::Builder::new().name(name.into()).spawn(move || {
            for (request, answer) in queue {
                if answer.is_closed() {
                    continue;
                }
                // Nothing here outlives a request half done: the camera is opened anew for each, and
                // the model's buffers are overwritten.
                if let Ok(response) = catch_unwind(AssertUnwindSafe(|| work(request))) {
                    // Nobody may wait any more: the answer is too late.
                    let _ = answer.send(response);
                }
            }
        })?;
        Ok(Self { jobs })
    }

    /// Waits for the answer to a request.
    pub(crate) async fn ask(&self, request: Request) -> Result<Response, Gone> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send((request, answer)).map_err(|_| Gone)?;
        answered.await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_answered_in_order() {
        let worker = Worker::start("test", |number: u32| number * 2).unwrap();
        assert_eq!(worker.ask(3).await, Ok(6));
        assert_eq!(worker.ask(4).await, Ok(8));
    }

    #[tokio::test]
    async fn an_abandoned_answer_is_not_given_to_the_next() {
        let (release, released) = mpsc::channel::<()>();
        let worker = Worker::start("test", move |number: u32| {
            if number == 1 {
                released.recv().unwrap();
            }
            number
        })
        .unwrap();
        {
            let first = worker.ask(1);
            let second = worker.ask(2);
            tokio::pin!(first, second);
            // Both are queued, then given up.
            assert!(poll_once(first.as_mut()).is_pending());
            assert!(poll_once(second.as_mut()).is_pending());
        }
        release.send(()).unwrap();
        assert_eq!(worker.ask(3).await, Ok(3));
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }

    #[tokio::test]
    async fn a_worker_that_panicked_answers_the_next_request() {
        let worker = Worker::start("test", |number: u32| {
            assert!(number != 1, "as the test wants");
            number
        })
        .unwrap();
        assert_eq!(worker.ask(1).await, Err(Gone));
        assert_eq!(worker.ask(2).await, Ok(2));
    }
}
