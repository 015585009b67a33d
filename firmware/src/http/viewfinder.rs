//! The live picture, for remote focusing: smaller pictures, or a region at full resolution, with the quality gate's
//! measurements. They are neither classified nor recorded.
//!
//! The camera is used only while the appliance waits for a press, and for one picture at a time, however many clients
//! watch and whatever regions they ask for; a press in the meantime waits for that picture.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use serde::Deserialize;
use smearscope_artifacts::decode::Limits;
use smearscope_hardware::{Preview, PreviewMode, with_causes};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{sleep, timeout};
use utoipa::IntoParams;

use crate::analysis::analyst::picture;
use crate::analysis::quality::{Downscaler, QualityGate};
use crate::appliance::handle::ApplianceHandle;
use crate::calibration::{Calibration, CalibrationInUse};
use crate::config::Config;
use crate::http::binary::Binary;
use crate::http::blocking::blocking;
use crate::http::camera::{self, unavailable};
use crate::http::problem::Problem;
use crate::http::problem_responses::{BadRequest, Unavailable};
use crate::http::region::Region;
use crate::report::state::is_waiting;
use crate::system::shutdown::Shutdown;

/// Header with the measurements of the picture, as JSON.
const QUALITY: HeaderName = HeaderName::from_static("smearscope-quality");
/// Header with width and height of a whole picture of the camera in pixels, as JSON.
const SIZE: HeaderName = HeaderName::from_static("smearscope-size");
/// Longer side of a picture in pixels.
const MAX_SIDE: u32 = 800;
/// JPEG quality: high enough that compression does not look like bad focus.
const JPEG_QUALITY: u8 = 85;
/// Shortest time between two pictures; earlier requests get the last picture again.
const INTERVAL: Duration = Duration::from_millis(200);
/// Time after the last request until the camera is closed, and after the last one for a region until its fast preview does.
const IDLE: Duration = Duration::from_secs(3);
/// How long a request waits while the appliance uses the camera.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Clients that may watch the preview at a time.
const MAX_WATCHERS: usize = 4;
/// Multipart boundary between the pictures of the preview.
const BOUNDARY: &str = "smearscope-picture";

/// Which part of the picture is sent.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ViewQuery {
    /// A region of the picture, which is sent at full resolution, or with 800 pixels on its longer side if it is larger: column
    /// and row of its corner, its width and its height, in pixels of a whole picture of the camera. By default, all of it.
    #[param(required = false, value_type = String, example = "0,0,800,600", pattern = r"^\d+,\d+,\d+,\d+$")]
    region: Option<Region>,
}

/// What a client gets.
struct View {
    jpeg: Bytes,
    quality: HeaderValue,
    /// Width and height of a whole picture, JSON.
    size: String,
}

/// A picture that all clients share.
struct Sight {
    image: Arc<RgbImage>,
    /// Width and height of a picture that a press takes.
    size: (u32, u32),
    /// Whether this is such a picture, of which regions can be sent.
    is_full: bool,
    quality: HeaderValue,
    taken: Instant,
    /// What clients got of it, the last first.
    sent: Vec<(Option<Region>, Bytes)>,
}

/// What was last seen.
#[derive(Default)]
struct Last {
    sight: Option<Sight>,
    /// When a region was asked for.
    region_asked: Option<Instant>,
}

/// Shares the camera between all watching clients.
pub(crate) struct Viewfinder {
    handle: ApplianceHandle,
    limits: Limits,
    /// Time-out of the camera.
    deadline: Duration,
    /// The lock is held while the camera takes a picture; waiting clients then get that picture.
    last: Mutex<Last>,
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

    /// A current picture, at most [`INTERVAL`] older than the request, or a region of it.
    async fn look(self: &Arc<Self>, region: Option<Region>) -> Result<View, Problem> {
        let requested = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(region) = region {
            // Where the size is known, what lies outside does not change the camera's mode.
            if let Some(sight) = &last.sight {
                region.check(sight.size)?;
            }
            last.region_asked = Some(Instant::now());
        }
        // The camera does not change its mode for each of its clients.
        let asked = last.region_asked.map(|asked| asked.elapsed());
        let mode = if region.is_some() || asked.is_some_and(|ago| ago < IDLE) {
            PreviewMode::Full
        } else {
            PreviewMode::Fast
        };
        // Never show an old picture as the current one.
        let current = last.sight.take().filter(|sight| {
            requested.saturating_duration_since(sight.taken) < INTERVAL
                && (region.is_none() || sight.is_full)
        });
        let sight = match current {
            Some(sight) => sight,
            None => self.take(mode).await?,
        };
        last.sight.insert(sight).show(region).await
    }

    /// Takes a picture and measures its quality.
    async fn take(self: &Arc<Self>, mode: PreviewMode) -> Result<Sight, Problem> {
        let glimpse = self.glimpse(mode).await;
        let taken = Instant::now();
        // After a failure, too: the device may be open.
        tokio::spawn(Arc::clone(self).close_when_idle(taken));
        let (preview, limits) = (glimpse?, self.limits);
        // As the capture would be judged.
        let gate = match self.handle.status().borrow().count {
            Some(_) => QualityGate::default(),
            None => QualityGate::for_whole_fields(),
        };
        let calibration = self.handle.calibration().and_then(CalibrationInUse::get);
        blocking(move || Sight::measure(preview, taken, &limits, gate, calibration.as_deref()))
            .await?
    }

    /// Takes a picture once the appliance does not need the camera.
    async fn glimpse(&self, mode: PreviewMode) -> Result<Preview, Problem> {
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
        camera::answer(self.deadline, camera.preview(mode)).await
    }

    /// Closes the camera unless a picture was requested after `taken`.
    async fn close_when_idle(self: Arc<Self>, taken: Instant) {
        sleep(IDLE).await;
        let mut last = self.last.lock().await;
        if (last.sight.as_ref()).is_some_and(|sight| sight.taken > taken) {
            return;
        }
        last.sight = None;
        if let Some(camera) = self.handle.camera() {
            // A camera that is gone is closed, too.
            let _ = camera.stop_preview().await;
        }
    }
}

impl Sight {
    /// Measures the quality of a picture.
    fn measure(
        preview: Preview,
        taken: Instant,
        limits: &Limits,
        mut gate: QualityGate,
        calibration: Option<&Calibration>,
    ) -> Result<Self, Problem> {
        let mut picture =
            picture(preview.pixels, limits).map_err(|error| unavailable(with_causes(&error)))?;
        if let Some(light) = calibration.and_then(|calibration| calibration.light.as_ref()) {
            // A preview may be smaller than the pictures that were calibrated, and shows the same.
            light.flat_field.correct(&mut picture.image);
        }
        let quality = gate.assess(&picture, None);
        let quality = serde_json::to_string(&quality)
            .ok()
            .and_then(|json| HeaderValue::try_from(json).ok())
            .ok_or_else(|| Problem::internal("cannot serialize the measurements of a picture"))?;
        Ok(Self {
            size: preview.captured_size.unwrap_or(picture.image.dimensions()),
            is_full: preview.captured_size.is_none(),
            image: Arc::new(picture.image),
            quality,
            taken,
            sent: Vec::new(),
        })
    }

    /// The picture, or a region of it. Only what is asked for is encoded.
    async fn show(&mut self, region: Option<Region>) -> Result<View, Problem> {
        let known = self.sent.iter().find(|(known, _)| *known == region);
        let jpeg = if let Some((_, jpeg)) = known {
            jpeg.clone()
        } else {
            if let Some(region) = region {
                region.check(self.image.dimensions())?;
            }
            let image = Arc::clone(&self.image);
            let jpeg = blocking(move || encode(&image, region)).await??;
            self.sent.truncate(MAX_WATCHERS - 1);
            self.sent.insert(0, (region, jpeg.clone()));
            jpeg
        };
        let (width, height) = self.size;
        Ok(View {
            jpeg,
            quality: self.quality.clone(),
            size: format!("[{width},{height}]"),
        })
    }
}

/// Encodes a picture or a region of it, smaller if it is large.
fn encode(image: &RgbImage, region: Option<Region>) -> Result<Bytes, Problem> {
    let cut = region.map(|region| region.of(image));
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode_image(Downscaler::new(MAX_SIDE).downscale(cut.as_ref().unwrap_or(image)))
        .map_err(|error| unavailable(with_causes(&error)))?;
    Ok(jpeg.into())
}

/// The current camera picture, or a region of it at full resolution, with at most 800 pixels on its longer side. It is neither
/// classified nor recorded.
#[utoipa::path(get, path = "/v1/camera/snapshot", tag = "bench", params(ViewQuery), responses(
    (status = 200, description = "The picture.", body = inline(Binary), content_type = "image/jpeg",
        headers(
            ("smearscope-quality" = String, description = "The quality gate's measurements of the whole picture, JSON as in a finding."),
            ("smearscope-size" = String, description = "Width and height of a whole picture of the camera in pixels, JSON such as `[3280,2464]`."),
        )),
    BadRequest, Unavailable,
))]
pub(crate) async fn snapshot(
    State(viewfinder): State<Arc<Viewfinder>>,
    Query(query): Query<ViewQuery>,
) -> Result<Response, Problem> {
    let view = viewfinder.look(query.region).await?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (QUALITY, view.quality),
    ];
    Ok((headers, [(SIZE, view.size)], view.jpeg).into_response())
}

/// The live picture as Motion JPEG, which browsers and players can show, until the camera fails.
#[utoipa::path(get, path = "/v1/camera/preview", tag = "bench", params(ViewQuery), responses(
    (status = 200, description = "JPEG pictures like those of `/v1/camera/snapshot`, at most five per second; each part has its headers.",
        body = inline(Binary), content_type = "multipart/x-mixed-replace"),
    BadRequest, Unavailable,
))]
pub(crate) async fn preview(
    State(viewfinder): State<Arc<Viewfinder>>,
    State(shutdown): State<Shutdown>,
    Query(query): Query<ViewQuery>,
) -> Result<Response, Problem> {
    let Ok(permit) = Arc::clone(&viewfinder.permits).try_acquire_owned() else {
        let detail = format!("{MAX_WATCHERS} clients are watching already; close one of them");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(30));
    };
    // If the first picture fails, the response is an error.
    let region = query.region;
    let first = viewfinder.look(region).await?;
    let views = stream::unfold((Some(first), permit), move |(first, permit)| {
        let viewfinder = Arc::clone(&viewfinder);
        let mut shutdown = shutdown.clone();
        async move {
            let view = if let Some(first) = first {
                first
            } else {
                sleep(INTERVAL).await;
                tokio::select! {
                    view = viewfinder.look(region) => view.ok()?,
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
        "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n{SIZE}: {}\r\n{QUALITY}: ",
        view.size
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

    use smearscope_hardware::{Camera, Frame, HardwareError, Pixels};

    use super::*;
    use crate::appliance::camera::CameraThread;
    use crate::appliance::handle::connect;
    use crate::appliance::state;
    use crate::config::Raw;

    /// Shows a field, small when it is to be fast, and reports its calls.
    struct TracedCamera(mpsc::Sender<&'static str>);

    impl Camera for TracedCamera {
        fn capture(&mut self) -> Result<Frame, HardwareError> {
            unreachable!("the test does not press")
        }

        fn preview(&mut self, mode: PreviewMode) -> Result<Preview, HardwareError> {
            if mode == PreviewMode::Fast {
                self.0.send("glimpse").unwrap();
                return Ok(Preview {
                    pixels: Pixels::Rgb8 {
                        width: 2,
                        height: 1,
                        data: vec![200; 6],
                    },
                    captured_size: Some((640, 480)),
                });
            }
            self.0.send("full glimpse").unwrap();
            let field = include_bytes!("../../../hardware/fields/field01_1.jpg");
            Ok(Pixels::Encoded(field.to_vec()).into())
        }

        fn stop_preview(&mut self) {
            self.0.send("rest").unwrap();
        }

        fn describe(&self) -> String {
            "test".into()
        }
    }

    fn region(text: &str) -> Region {
        text.to_owned().try_into().unwrap()
    }

    fn size(view: &View) -> (u32, u32) {
        let image = image::load_from_memory(&view.jpeg).unwrap();
        (image.width(), image.height())
    }

    #[tokio::test]
    async fn clients_share_a_picture_and_the_camera_is_closed_when_idle() {
        let (handle, link) = connect();
        let viewfinder = Viewfinder::new(handle, &Raw::default().validate().unwrap());
        let (sender, calls) = mpsc::channel();
        let (first, second) = tokio::join!(viewfinder.look(None), async {
            link.share_camera(CameraThread::start(Box::new(TracedCamera(sender))).unwrap());
            assert!(
                calls.try_recv().is_err(),
                "the appliance is not waiting yet"
            );
            link.status
                .send_modify(|status| status.state = Arc::new(state::State::Ready));
            viewfinder.look(None).await
        });
        assert_eq!(first.unwrap().jpeg, second.unwrap().jpeg);
        let calls = tokio::task::spawn_blocking(move || {
            let patience = Duration::from_secs(40);
            [(); 2].map(|()| calls.recv_timeout(patience).unwrap())
        });
        assert_eq!(calls.await.unwrap(), ["glimpse", "rest"]);
    }

    #[tokio::test]
    async fn clients_with_different_regions_share_a_full_picture() {
        let (handle, link) = connect();
        let viewfinder = Viewfinder::new(handle, &Raw::default().validate().unwrap());
        let (sender, calls) = mpsc::channel();
        link.share_camera(CameraThread::start(Box::new(TracedCamera(sender))).unwrap());
        link.status
            .send_modify(|status| status.state = Arc::new(state::State::Ready));
        let fast = viewfinder.look(None).await.unwrap();
        assert_eq!((size(&fast), &*fast.size), ((2, 1), "[640,480]"));
        // All wait for the same picture, for which the fast one is too small.
        let (one, other, whole, outside) = tokio::join!(
            viewfinder.look(Some(region("600,440,40,40"))),
            viewfinder.look(Some(region("0,0,64,48"))),
            viewfinder.look(None),
            viewfinder.look(Some(region("600,440,41,40"))),
        );
        let views = [one, other, whole].map(Result::unwrap);
        assert_eq!(views.each_ref().map(size), [(40, 40), (64, 48), (640, 480)]);
        for view in &views {
            assert_eq!(view.quality, views[0].quality, "that of the whole picture");
            assert_eq!(view.size, "[640,480]");
        }
        let (status, _, detail) = outside.err().unwrap().into_parts();
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(detail.contains("640x480"), "{detail}");
        assert_eq!(
            calls.try_iter().collect::<Vec<_>>(),
            ["glimpse", "full glimpse"]
        );
    }
}
