//! Threads for work that blocks: the camera, and the model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

enum Job<Request, Response> {
    Work(Request, oneshot::Sender<Response>),
    /// Nothing, in its turn.
    Beat(oneshot::Sender<()>),
    /// To end.
    End(oneshot::Sender<()>),
}

/// A thread that answers one request after the other.
///
/// One that panics, in a driver perhaps, is asked again the next time: a box in the field has nobody to
/// restart it. Whoever stops waiting for an answer never gets it: an answer that comes too late is dropped, and
/// a request that nobody waits for any more is not begun.
///
/// Clones ask the same thread.
pub(crate) struct Worker<Request, Response> {
    jobs: mpsc::Sender<Job<Request, Response>>,
}

impl<Request, Response> Clone for Worker<Request, Response> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
        }
    }
}

/// Whether some worker is alive.
pub(crate) struct Heartbeat(Box<dyn Fn() -> oneshot::Receiver<()>>);

impl Heartbeat {
    /// Waits until the worker has done what it was asked before, for ever if it stalls.
    pub(crate) async fn beat(&self) {
        if (self.0)().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The worker panicked on this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkerPanicked;

impl<Request, Response> Worker<Request, Response>
where
    Request: Send + 'static,
    Response: Send + 'static,
{
    /// Starts a thread that lives until the worker and its clones are dropped.
    pub(crate) fn start(
        name: &str,
        mut work: impl FnMut(Request) -> Response + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job<Request, Response>>();
        thread::Builder::new().name(name.into()).spawn(move || {
            for job in queue {
                match job {
                    Job::Work(_, answer) if answer.is_closed() => {}
                    Job::Work(request, answer) => {
                        // Nothing here outlives a request half done: the camera is opened anew for
                        // each, and the model's buffers are overwritten.
                        if let Ok(response) = catch_unwind(AssertUnwindSafe(|| work(request))) {
                            // Nobody may wait any more: the answer is too late.
                            let _ = answer.send(response);
                        }
                    }
                    Job::Beat(answer) => drop(answer.send(())),
                    Job::End(ended) => {
                        drop(work);
                        // Nobody may wait any more.
                        let _ = ended.send(());
                        return;
                    }
                }
            }
        })?;
        Ok(Self { jobs })
    }

    /// Waits for the answer to a request.
    pub(crate) async fn ask(&self, request: Request) -> Result<Response, WorkerPanicked> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Work(request, answer);
        self.jobs.send(job).map_err(|_| WorkerPanicked)?;
        answered.await.map_err(|_| WorkerPanicked)
    }

    /// Waits until it has done what it was asked before, and has put away what it works with.
    pub(crate) async fn end(self) {
        let (shutdown, ended) = oneshot::channel();
        if self.jobs.send(Job::End(shutdown)).is_ok() {
            // An error says that it crashed in doing so.
            let _ = ended.await;
        }
    }

    /// By which it is seen whether the worker is alive; the thread lives as long as this, too.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        let jobs = self.jobs.clone();
        Heartbeat(Box::new(move || {
            let (answer, answered) = oneshot::channel();
            // Of one that is gone, the answer never comes.
            let _ = jobs.send(Job::Beat(answer));
            answered
        }))
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

    #[tokio::test]
    async fn the_pulse_of_a_worker_stops_while_it_stalls_and_not_when_it_panics() {
        let (release, released) = mpsc::channel::<()>();
        let worker = Worker::start("test", move |()| released.recv().unwrap()).unwrap();
        let heartbeat = worker.heartbeat();
        heartbeat.beat().await;
        let work = worker.ask(());
        let beat = heartbeat.beat();
        tokio::pin!(work, beat);
        assert!(poll_once(work.as_mut()).is_pending());
        assert!(poll_once(beat.as_mut()).is_pending());
        release.send(()).unwrap();
        assert_eq!(work.await, Ok(()));
        beat.await;
        drop(release);
        assert_eq!(worker.ask(()).await, Err(WorkerPanicked), "a panic");
        heartbeat.beat().await;
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }

    #[tokio::test]
    async fn what_a_worker_works_with_is_put_away_at_its_end() {
        let tool = std::sync::Arc::new(());
        let held = tool.clone();
        let worker = Worker::start("test", move |()| {
            let _ = &held;
        })
        .unwrap();
        let heartbeat = worker.heartbeat();
        worker.end().await;
        assert_eq!(std::sync::Arc::strong_count(&tool), 1);
        let mut beat = std::pin::pin!(heartbeat.beat());
        assert!(poll_once(beat.as_mut()).is_pending());
    }

    #[tokio::test]
    async fn a_worker_that_panicked_answers_the_next_request() {
        let worker = Worker::start("test", |number: u32| {
            assert!(number != 1, "as the test wants");
            number
        })
        .unwrap();
        assert_eq!(worker.ask(1).await, Err(WorkerPanicked));
        assert_eq!(worker.ask(2).await, Ok(2));
    }
}
