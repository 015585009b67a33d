//! The camera on a thread of its own, for the bench and for whoever looks at what it sees.

use std::io;

use smearscope_hardware::{Camera, Frame, HardwareError, Pixels};
use tokio::sync::oneshot;

use crate::system::worker::{Heartbeat, Worker, WorkerPanicked};

enum Task {
    Capture(oneshot::Sender<Result<Frame, HardwareError>>),
    Glimpse(oneshot::Sender<Result<Pixels, HardwareError>>),
    Rest,
}

/// The camera. Clones share it: each is answered in its turn.
#[derive(Clone)]
pub(crate) struct CameraThread(Worker<Task, ()>);

impl CameraThread {
    pub(crate) fn start(mut camera: Box<dyn Camera>) -> io::Result<Self> {
        Worker::start("camera", move |task| match task {
            // An error says that nobody waits any more.
            Task::Capture(answer) => drop(answer.send(camera.capture())),
            Task::Glimpse(answer) => drop(answer.send(camera.preview())),
            Task::Rest => camera.stop_preview(),
        })
        .map(Self)
    }

    /// A picture for the model.
    pub(crate) async fn capture(&self) -> Result<Result<Frame, HardwareError>, WorkerPanicked> {
        self.ask(Task::Capture).await
    }

    /// A picture for the eye.
    pub(crate) async fn glimpse(&self) -> Result<Result<Pixels, HardwareError>, WorkerPanicked> {
        self.ask(Task::Glimpse).await
    }

    /// Nobody looks any more.
    pub(crate) async fn rest(&self) -> Result<(), WorkerPanicked> {
        self.0.ask(Task::Rest).await
    }

    /// By which it is seen whether the camera stalls.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        self.0.heartbeat()
    }

    async fn ask<T>(
        &self,
        task: impl FnOnce(oneshot::Sender<T>) -> Task,
    ) -> Result<T, WorkerPanicked> {
        let (answer, answered) = oneshot::channel();
        self.0.ask(task(answer)).await?;
        answered.await.map_err(|_| WorkerPanicked)
    }
}
