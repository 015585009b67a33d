//! What the camera sees, for whoever turns the focus from afar: smaller pictures with the figures of the
//! quality gate. None of them is ever judged or kept.
//!
//! The camera is asked only while the bench waits for a press, for one picture at a time, however many look;
//! a press that comes meanwhile waits for that one.

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
use crate::config::Config;
use crate::http::Context;
use crate::http::blocking;
use crate::http::problem::{Details, Problem};
use crate::report::types::is_waiting;
use crate::system::worker::WorkerPanicked;

/// The figures of the picture that a response or a part carries, as JSON.
const QUALITY: HeaderName = HeaderName::from_static("smearscope-quality");
/// Longer side in pixels: what a page shows.
const SIDE: u32 = 800;
/// Of the JPEG, of 100: its flaws must not pass for those of the focus.
const FIDELITY: u8 = 85;
/// From one picture to the next. Who asks earlier gets the same once more.
const PACE: Duration = Duration::from_millis(200);
/// So long after the last look the camera is closed.
const IDLE: Duration = Duration::from_secs(3);
/// How long whoever looks waits for the bench to have done what it does.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who watches the preview at once.
const WATCHERS: usize = 4;
/// Between the pictures of the preview.
const BOUNDARY: &str = "smearscope-picture";

/// What was seen, and when.
#[derive(Clone)]
struct View {
    jpeg: Bytes,
    quality: HeaderValue,
    seen: Instant,
}

/// The camera as the network sees it.
pub(crate) struct Viewfinder {
    handle: ApplianceHandle,
    limits: Limits,
    /// How long the camera may take.
    deadline: Duration,
    /// The lock is held while the camera is asked: the others then get what came.
    last: Mutex<Option<View>>,
    room: Arc<Semaphore>,
}

impl Viewfinder {
    pub(crate) fn new(handle: ApplianceHandle, config: &Config) -> Arc<Self> {
        Arc::new(Self {
            handle,
            limits: config.limits,
            deadline: config.timing.capture,
            last: Mutex::default(),
            room: Arc::new(Semaphore::new(WATCHERS)),
        })
    }

    /// What the camera sees now, or saw a moment ago.
    async fn look(self: &Arc<Self>) -> Result<View, Problem> {
        let mut last = self.last.lock().await;
        if let Some(view) = last.as_ref().filter(|view| view.seen.elapsed() < PACE) {
            return Ok(view.clone());
        }
        // An old one must not pass for what is there now.
        *last = None;
        let glimpse = self.glimpse().await;
        let seen = Instant::now();
        // Also of one that failed, the device may be open.
        tokio::spawn(Arc::clone(self).rest(seen));
        let (pixels, limits) = (glimpse?, self.limits);
        let (jpeg, quality) = blocking(move || develop(pixels, &limits)).await??;
        let view = View {
            jpeg,
            quality,
            seen,
        };
        *last = Some(view.clone());
        Ok(view)
    }

    /// Asks the camera, once the bench does not need it.
    async fn glimpse(&self) -> Result<Pixels, Problem> {
        let mut status = self.handle.status();
        let is_free = {
            // Whoever holds what it gives holds up the bench.
            let free = status.wait_for(|status| is_waiting(&status.state));
            matches!(timeout(PATIENCE, free).await, Ok(Ok(_)))
        };
        if !is_free {
            let state = status.borrow().state.name().to_owned();
            return Err(unavailable(format!("the bench needs the camera ({state})")));
        }
        let Some(camera) = self.handle.camera() else {
            return Err(unavailable("the camera is not there yet"));
        };
        match timeout(self.deadline, camera.preview()).await {
            Ok(Ok(Ok(pixels))) => Ok(pixels),
            Ok(Ok(Err(error))) => Err(unavailable(with_causes(&error))),
            Ok(Err(WorkerPanicked)) => Err(unavailable("the camera's driver crashed")),
            Err(_) => Err(unavailable(
                "the camera gives no picture; unplug and plug it in",
            )),
        }
    }

    /// Lets the camera rest if nobody looked after this.
    async fn rest(self: Arc<Self>, seen: Instant) {
        sleep(IDLE).await;
        let mut last = self.last.lock().await;
        if last.as_ref().is_some_and(|view| view.seen > seen) {
            return;
        }
        *last = None;
        if let Some(camera) = self.handle.camera() {
            // One that is gone rests.
            let _ = camera.stop_preview().await;
        }
    }
}

fn unavailable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
}

/// Measures what was seen and makes it smaller.
fn develop(pixels: Pixels, limits: &Limits) -> Result<(Bytes, HeaderValue), Problem> {
    let picture =
        picture(pixels, limits, None).map_err(|error| unavailable(with_causes(&error)))?;
    let quality = QualityGate::default().assess(&picture, None);
    let quality = serde_json::to_string(&quality)
        .ok()
        .and_then(|json| HeaderValue::try_from(json).ok())
        .ok_or_else(|| Problem::internal("the figures of a picture cannot be written"))?;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, FIDELITY)
        .encode_image(Downscaler::new(SIDE).copy(&picture.image))
        .map_err(|error| unavailable(with_causes(&error)))?;
    Ok((jpeg.into(), quality))
}

/// What the camera sees now: 800 pixels or fewer on its longer side. It is not judged and not kept.
#[utoipa::path(get, path = "/v1/camera/snapshot", tag = "bench", responses(
    (status = 200, description = "What the camera sees.", body = Vec<u8>, content_type = "image/jpeg",
        headers(("smearscope-quality" = String, description = "What the quality gate measured of it, as in a finding: JSON."))),
    (status = 503, description = "The camera or the bench cannot show anything now, and why.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn snapshot(State(context): State<Context>) -> Result<Response, Problem> {
    let view = context.viewfinder.look().await?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (QUALITY, view.quality),
    ];
    Ok((headers, view.jpeg).into_response())
}

/// What the camera sees, again and again, as browsers and players show it (Motion JPEG), until it shows nothing
/// any more.
#[utoipa::path(get, path = "/v1/camera/preview", tag = "bench", responses(
    (status = 200, description = "JPEG pictures as of a snapshot, five a second at most; each part has the header `smearscope-quality`.",
        body = String, content_type = "multipart/x-mixed-replace"),
    (status = 503, description = "The camera or the bench cannot show anything now, or too many watch.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn preview(State(context): State<Context>) -> Result<Response, Problem> {
    let Ok(place) = Arc::clone(&context.viewfinder.room).try_acquire_owned() else {
        let detail = format!("{WATCHERS} watch already; end one of them");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(30));
    };
    // Whoever gets nothing at all is told why.
    let first = context.viewfinder.look().await?;
    let views = stream::unfold((Some(first), place), move |(first, place)| {
        let context = context.clone();
        async move {
            let view = if let Some(first) = first {
                first
            } else {
                sleep(PACE).await;
                let mut shutdown = context.shutdown.clone();
                tokio::select! {
                    view = context.viewfinder.look() => view.ok()?,
                    () = shutdown.wait() => return None,
                }
            };
            Some((view, (None, place)))
        }
    });
    let parts = views.map(|view| Ok::<_, Infallible>(part(&view)));
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(parts)).into_response())
}

/// RFC 2046, section 5.1; as the boundary follows the picture, whoever shows it need not wait for the next.
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

    /// Shows a field, and tells what it is asked for.
    struct Told(mpsc::Sender<&'static str>);

    impl Camera for Told {
        fn capture(&mut self) -> Result<Frame, HardwareError> {
            unreachable!("nobody presses")
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
    async fn many_looks_are_one_glimpse_and_the_camera_rests_after_the_last() {
        let (handle, link) = connect();
        let viewfinder = Viewfinder::new(handle, &Raw::default().validate().unwrap());
        let (told, asked) = mpsc::channel();
        let (first, second) = tokio::join!(viewfinder.look(), async {
            link.show(CameraThread::start(Box::new(Told(told))).unwrap());
            assert!(asked.try_recv().is_err(), "the bench is not waiting yet");
            link.status
                .send_modify(|status| status.state = Arc::new(state::State::Ready));
            viewfinder.look().await
        });
        assert_eq!(first.unwrap().seen, second.unwrap().seen);
        let asked = tokio::task::spawn_blocking(move || {
            let patience = Duration::from_secs(40);
            [(); 2].map(|()| asked.recv_timeout(patience).unwrap())
        });
        assert_eq!(asked.await.unwrap(), ["glimpse", "rest"]);
    }
}
