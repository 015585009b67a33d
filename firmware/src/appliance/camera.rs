//! The camera's thread, shared by the bench and the viewfinder.

use std::io;

use smearscope_hardware::{Camera, Frame, HardwareError, Preview, PreviewMode};

use crate::system::worker::{Heartbeat, Worker, WorkerPanicked};

/// A handle to the camera's thread. Clones share the thread; requests run in order.
#[derive(Clone)]
pub(crate) struct CameraThread(Worker<Box<dyn Camera>>);

impl CameraThread {
    /// Starts the thread.
    pub(crate) fn start(camera: Box<dyn Camera>) -> io::Result<Self> {
        Worker::start("camera", camera).map(Self)
    }

    /// Captures a frame for the model.
    pub(crate) async fn capture(&self) -> Result<Result<Frame, HardwareError>, WorkerPanicked> {
        self.0.ask(|camera| camera.capture()).await
    }

    /// Captures a picture for the viewfinder.
    pub(crate) async fn preview(
        &self,
        mode: PreviewMode,
    ) -> Result<Result<Preview, HardwareError>, WorkerPanicked> {
        self.0.ask(move |camera| camera.preview(mode)).await
    }

    /// Ends the preview and releases the device.
    pub(crate) async fn stop_preview(&self) -> Result<(), WorkerPanicked> {
        self.0.ask(|camera| camera.stop_preview()).await
    }

    /// The heartbeat of the thread; it stops while the camera stalls.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        self.0.heartbeat()
    }
}
