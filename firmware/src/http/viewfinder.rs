//! The live picture, for remote focusing: smaller pictures with the quality gate's measurements. They are neither
//! classified nor recorded.
//!
//! The camera is used only while the appliance waits for a press, and for one picture at a time, however many clients
//! watch; a press in the meantime waits for that picture.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use image::codecs::jpeg::JpegEncoder;
use smearscope_artifacts::decode::Limits;
use smearscope_hardware::{Pixels, with_causes};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{sleep, timeout};

use crate::analysis::analyst::picture;
use crate::analysis::quality::{Downscaler, QualityGate};
use crate::appliance::handle::ApplianceHandle;
use crate::calibration::{Calibration, CalibrationInUse};
use crate::config::Config;
use crate::http::binary::Binary;
use crate::http::blocking::blocking;
use crate::http::camera::{self, unavailable};
use crate::http::problem::Problem;
use crate::http::problem_responses::Unavailable;
use crate::report::state::is_waiting;
use crate::system::shutdown::Shutdown;

/// Header with the measurements of the picture, as JSON.
const QUALITY: HeaderName = HeaderName::from_static("smearscope-quality");
/// Longer side of a picture in pixels.
const MAX_SIDE: u32 = 800;
/// JPEG quality: high enough that compression does not look like bad focus.
const JPEG_QUALITY: u8 = 85;
/// Shortest time between two pictures; earlier requests get the last picture again.
const INTERVAL: Duration = Duration::from_millis(200);
/// Time after the last request until the camera is closed.
const IDLE: Duration = Duration::from_secs(3);
/// How long a request waits while the appliance uses the camera.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Clients that may watch the preview at a time.
const MAX_WATCHERS: usize = 4;
/// Multipart boundary between the pictures of the preview.
const BOUNDARY: &str = "smearscope-picture";

/// A picture and when it was taken.
#[derive(Clone)]
struct View {
    jpeg: Bytes,
    quality: HeaderValue,
    taken: Instant,
}

/// Shares the camera between all watching clients.
pub(crate) struct Viewfinder {
    handle: ApplianceHandle,
    limits: Limits,
    /// Time-out of the camera.
    deadline: Duration,
    /// The lock is held while the camera takes a picture; waiting clients then get that picture.
    last: Mutex<Option<View>>,
    permits: Arc<Semaphore>,
}

impl Viewfinder {
    pub(crate) fn new(handle: ApplianceHandle, config: &Config) -> Arc<Self> {
        Arc::new(Self {
            handle,
            limits: config.limits,
            deadline: config.timing.capture,
            last: Mutex::default(),
            permits: Arc::new(Semaphore::new(MAX_WATCHERS)),
        })
    }

    /// A current picture, at most [`INTERVAL`] old.
    async fn look(self: &Arc<Self>) -> Result<View, Problem> {
        let mut last = self.last.lock().await;
        if let Some(view) = last.as_ref().filter(|view| view.taken.elapsed() < INTERVAL) {
            return Ok(view.clone());
        }
        // Never show an old picture as the current one.
        *last = None;
        let glimpse = self.glimpse().await;
        let taken = Instant::now();
        // After a failure, too: the device may be open.
        tokio::spawn(Arc::clone(self).close_when_idle(taken));
        let (pixels, limits) = (glimpse?, self.limits);
        // As the capture would be judged.
        let gate = match self.handle.status().borrow().count {
            Some(_) => QualityGate::default(),
            None => QualityGate::for_whole_fields(),
        };
        let calibration = self.handle.calibration().and_then(CalibrationInUse::get);
        let (jpeg, quality) =
            blocking(move || measure_and_shrink(pixels, &limits, gate, calibration.as_deref()))
                .await??;
        let view = View {
            jpeg,
            quality,
            taken,
        };
        *last = Some(view.clone());
        Ok(view)
    }

    /// Takes a picture once the appliance does not need the camera.
    async fn glimpse(&self) -> Result<Pixels, Problem> {
        let mut status = self.handle.status();
        let is_free = {
            // Holding the returned guard would block the appliance.
            let free = status.wait_for(|status| is_waiting(&status.state));
            matches!(timeout(MAX_WAIT, free).await, Ok(Ok(_)))
        };
        if !is_free {
            let state = status.borrow().state.name().to_owned();
            return Err(unavailable(format!(
                "the appliance is using the camera ({state})"
            )));
        }
        let Some(camera) = self.handle.camera() else {
            return Err(unavailable("there is no camera yet"));
        };
        camera::answer(self.deadline, camera.preview()).await
    }

    /// Closes the camera unless a picture was requested after `taken`.
    async fn close_when_idle(self: Arc<Self>, taken: Instant) {
        sleep(IDLE).await;
        let mut last = self.last.lock().await;
        if last.as_ref().is_some_and(|view| view.taken > taken) {
            return;
        }
        *last = None;
        if let Some(camera) = self.handle.camera() {
            // A camera that is gone is closed, too.
            let _ = camera.stop_preview().await;
        }
    }
}

/// Measures the quality of a picture and encodes a smaller copy.
fn measure_and_shrink(
    pixels: Pixels,
    limits: &Limits,
    mut gate: QualityGate,
    calibration: Option<&Calibration>,
) -> Result<(Bytes, HeaderValue), Problem> {
    let mut picture = picture(pixels, limits).map_err(|error| unavailable(with_causes(&error)))?;
    if let Some(light) = calibration.and_then(|calibration| calibration.light.as_ref()) {
        // A preview may be smaller than the pictures that were calibrated, and shows the same.
        light.flat_field.correct(&mut picture.image);
    }
    let quality = gate.assess(&picture, None);
    let quality = serde_json::to_string(&quality)
        .ok()
        .and_then(|json| HeaderValue::try_from(json).ok())
        .ok_or_else(|| Problem::internal("cannot serialize the measurements of a picture"))?;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode_image(Downscaler::new(MAX_SIDE).downscale(&picture.image))
        .map_err(|error| unavailable(with_causes(&error)))?;
    Ok((jpeg.into(), quality))
}

/// The current camera picture, at most 800 pixels on its longer side. It is neither classified nor recorded.
#[utoipa::path(get, path = "/v1/camera/snapshot", tag = "bench", responses(
    (status = 200, description = "The picture.", body = inline(Binary), content_type = "image/jpeg",
        headers(("smearscope-quality" = String, description = "The quality gate's measurements, JSON as in a finding."))),
    Unavailable,
))]
pub(crate) async fn snapshot(
    State(viewfinder): State<Arc<Viewfinder>>,
) -> Result<Response, Problem> {
    let view = viewfinder.look().await?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (QUALITY, view.quality),
    ];
    Ok((headers, view.jpeg).into_response())
}

/// The live picture as Motion JPEG, which browsers and players can show, until the camera fails.
#[utoipa::path(get, path = "/v1/camera/preview", tag = "bench", responses(
    (status = 200, description = "JPEG pictures like those of `/v1/camera/snapshot`, at most five per second; each part has the header `smearscope-quality`.",
        body = inline(Binary), content_type = "multipart/x-mixed-replace"),
    Unavailable,
))]
pub(crate) async fn preview(
    State(viewfinder): State<Arc<Viewfinder>>,
    State(shutdown): State<Shutdown>,
) -> Result<Response, Problem> {
    let Ok(permit) = Arc::clone(&viewfinder.permits).try_acquire_owned() else {
        let detail = format!("{MAX_WATCHERS} clients are watching already; close one of them");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(30));
    };
    // If the first picture fails, the response is an error.
    let first = viewfinder.look().await?;
    let views = stream::unfold((Some(first), permit), move |(first, permit)| {
        let viewfinder = Arc::clone(&viewfinder);
        let mut shutdown = shutdown.clone();
        async move {
            let view = if let Some(first) = first {
                first
            } else {
                sleep(INTERVAL).await;
                tokio::select! {
                    view = viewfinder.look() => view.ok()?,
                    () = shutdown.wait() => return None,
                }
            };
            Some((view, (None, permit)))
        }
    });
    let parts = views.map(|view| Ok::<_, Infallible>(part(&view)));
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(parts)).into_response())
}

/// A part of the multipart body (RFC 2046, section 5.1).
fn part(view: &View) -> Bytes {
    let length = view.jpeg.len();
    let head = format!(
        "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n{QUALITY}: "
    );
    let parts: [&[u8]; 5] = [
        head.as_bytes(),
        view.quality.as_bytes(),
        b"\r\n\r\n",
        &view.jpeg,
        b"\r\n",
    ];
    parts.concat().into()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use smearscope_hardware::{Camera, Frame, HardwareError};

    use super::*;
    use crate::appliance::camera::CameraThread;
    use crate::appliance::handle::connect;
    use crate::appliance::state;
    use crate::config::Raw;

    /// Shows a field and reports its calls.
    struct TracedCamera(mpsc::Sender<&'static str>);

    impl Camera for TracedCamera {
        fn capture(&mut self) -> Result<Frame, HardwareError> {
            unreachable!("the test does not press")
        }

        fn preview(&mut self) -> Result<Pixels, HardwareError> {
            self.0.send("glimpse").unwrap();
            let field = include_bytes!("../../../hardware/fields/field01_1.jpg");
            Ok(Pixels::Encoded(field.to_vec()))
        }

        fn stop_preview(&mut self) {
            self.0.send("rest").unwrap();
        }

        fn describe(&self) -> String {
            "test".into()
        }
    }

    #[tokio::test]
    async fn clients_share_a_picture_and_the_camera_is_closed_when_idle() {
        let (handle, link) = connect();
        let viewfinder = Viewfinder::new(handle, &Raw::default().validate().unwrap());
        let (sender, calls) = mpsc::channel();
        let (first, second) = tokio::join!(viewfinder.look(), async {
            link.share_camera(CameraThread::start(Box::new(TracedCamera(sender))).unwrap());
            assert!(
                calls.try_recv().is_err(),
                "the appliance is not waiting yet"
            );
            link.status
                .send_modify(|status| status.state = Arc::new(state::State::Ready));
            viewfinder.look().await
        });
        assert_eq!(first.unwrap().taken, second.unwrap().taken);
        let calls = tokio::task::spawn_blocking(move || {
            let patience = Duration::from_secs(40);
            [(); 2].map(|()| calls.recv_timeout(patience).unwrap())
        });
        assert_eq!(calls.await.unwrap(), ["glimpse", "rest"]);
    }
}
