//! Threads for blocking work: the camera and the model.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

enum Message<S> {
    Work(Job<S>),
    /// Drop the state, report that, and end the thread.
    End(oneshot::Sender<()>),
}

/// A thread that owns a state `S` and runs jobs on it one after another.
///
/// A job that panics, for example in a driver, does not end the thread. A job whose caller has stopped waiting is
/// skipped, and a result that nothing waits for is dropped.
///
/// Clones share the thread. It ends when the last clone and the last [`Heartbeat`] are dropped.
pub(crate) struct Worker<S> {
    messages: mpsc::Sender<Message<S>>,
}

impl<S> Clone for Worker<S> {
    fn clone(&self) -> Self {
        Self {
            messages: self.messages.clone(),
        }
    }
}

/// Detects whether a worker still runs its jobs.
pub(crate) struct Heartbeat(Box<dyn Fn() -> oneshot::Receiver<()>>);

impl Heartbeat {
    /// Waits until the worker has run every job queued before this call. Never returns if the worker stalls or has
    /// ended.
    pub(crate) async fn beat(&self) {
        if (self.0)().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The worker panicked on this job, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkerPanicked;

impl<S: Send + 'static> Worker<S> {
    /// Starts a thread that owns `state`.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub(crate) fn start(name: &str, mut state: S) -> io::Result<Self> {
        let (messages, queue) = mpsc::channel();
        thread::Builder::new().name(name.into()).spawn(move || {
            for message in queue {
                match message {
                    Message::Work(job) => job(&mut state),
                    Message::End(ended) => {
                        drop(state);
                        // The caller may have stopped waiting.
                        let _ = ended.send(());
                        return;
                    }
                }
            }
        })?;
        Ok(Self { messages })
    }

    /// Runs `work` on the state after the jobs queued before it, and returns its result.
    ///
    /// # Errors
    /// [`WorkerPanicked`] if `work` panics or the worker has ended.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, WorkerPanicked> {
        self.queue(work).await.map_err(|_| WorkerPanicked)
    }

    /// Runs `work` on the state after the jobs queued before it, without reporting a result.
    pub(crate) fn tell(&self, work: impl FnOnce(&mut S) + Send + 'static) {
        // As in `queue`. If the worker has ended, the job is dropped.
        let job = Box::new(move |state: &mut S| {
            let _ = catch_unwind(AssertUnwindSafe(|| work(state)));
        });
        let _ = self.messages.send(Message::Work(job));
    }

    /// Waits until the jobs queued so far have run and the state is dropped.
    pub(crate) async fn end(self) {
        let (sender, ended) = oneshot::channel();
        if self.messages.send(Message::End(sender)).is_ok() {
            // An error means that dropping the state panicked.
            let _ = ended.await;
        }
    }

    /// A heartbeat of this worker.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        let worker = self.clone();
        Heartbeat(Box::new(move || worker.queue(|_| ())))
    }

    /// Queues a job and returns the receiver of its result.
    fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |state: &mut S| {
            if answer.is_closed() {
                return;
            }
            // A panic leaves no state that harms the next job: the camera is reopened for each job, and the model's
            // buffers are overwritten.
            if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(state))) {
                // The caller may have stopped waiting.
                let _ = answer.send(result);
            }
        });
        // If the worker has ended, the job and the sender in it are dropped.
        let _ = self.messages.send(Message::Work(job));
        answered
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn jobs_run_in_order_on_the_same_state() {
        let worker = Worker::start("test", Vec::new()).unwrap();
        let push = |number: u32| {
            move |state: &mut Vec<u32>| {
                state.push(number);
                state.clone()
            }
        };
        assert_eq!(worker.ask(push(3)).await, Ok(vec![3]));
        assert_eq!(worker.ask(push(4)).await, Ok(vec![3, 4]));
    }

    #[tokio::test]
    async fn a_job_whose_caller_gave_up_is_skipped() {
        let (release, released) = mpsc::channel::<()>();
        let (report, begun) = mpsc::channel::<()>();
        let worker = Worker::start("test", (released, Vec::new())).unwrap();
        {
            let first = worker.ask(move |(released, ran)| {
                report.send(()).unwrap();
                released.recv().unwrap();
                ran.push(1);
            });
            let second = worker.ask(|(_, ran)| ran.push(2));
            tokio::pin!(first, second);
            assert!(poll_once(first.as_mut()).is_pending());
            assert!(poll_once(second.as_mut()).is_pending());
            begun.recv().unwrap();
            // Both are given up: the first while it runs, the second while it is queued.
        }
        release.send(()).unwrap();
        assert_eq!(worker.ask(|(_, ran)| ran.clone()).await, Ok(vec![1]));
    }

    #[tokio::test]
    async fn a_heartbeat_stops_while_the_worker_stalls_but_not_after_a_panic() {
        let (release, released) = mpsc::channel::<()>();
        let worker = Worker::start("test", released).unwrap();
        let heartbeat = worker.heartbeat();
        heartbeat.beat().await;
        let wait = |released: &mut mpsc::Receiver<()>| released.recv().unwrap();
        let work = worker.ask(wait);
        let beat = heartbeat.beat();
        tokio::pin!(work, beat);
        assert!(poll_once(work.as_mut()).is_pending());
        assert!(poll_once(beat.as_mut()).is_pending());
        release.send(()).unwrap();
        assert_eq!(work.await, Ok(()));
        beat.await;
        drop(release);
        assert_eq!(worker.ask(wait).await, Err(WorkerPanicked), "a panic");
        heartbeat.beat().await;
    }

    #[tokio::test]
    async fn the_state_is_dropped_at_the_end() {
        let state = Arc::new(());
        let worker = Worker::start("test", Arc::clone(&state)).unwrap();
        let heartbeat = worker.heartbeat();
        worker.end().await;
        assert_eq!(Arc::strong_count(&state), 1);
        let mut beat = pin!(heartbeat.beat());
        assert!(poll_once(beat.as_mut()).is_pending());
    }

    #[tokio::test]
    async fn a_worker_that_panicked_runs_the_next_job() {
        let worker = Worker::start("test", ()).unwrap();
        let panicking = worker.ask(|()| assert!(std::hint::black_box(false), "as the test wants"));
        assert_eq!(panicking.await, Err(WorkerPanicked));
        assert_eq!(worker.ask(|()| 2).await, Ok(2));
    }
}
