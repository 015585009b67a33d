//! The calibration of the camera.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use image::RgbImage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smearscope_artifacts::decode::Picture;
use smearscope_hardware::{CaptureSettings, Frame, with_causes};
use utoipa::ToSchema;

use crate::analysis::analyst::picture;
use crate::analysis::pool::Pool;
use crate::appliance::handle::ApplianceHandle;
use crate::calibration::{
    Calibration, CalibrationError, CalibrationInUse, LightCalibration, ScaleCalibration, Turn,
};
use crate::config::Config;
use crate::http::blocking::blocking;
use crate::http::camera::{self, unavailable};
use crate::http::classify::{full, refused};
use crate::http::problem::Problem;
use crate::http::problem_responses::{
    BadRequest, BodyTimeout, BodyTooLarge, Busy, TooManyRequests, Unavailable, Unprocessable,
    UnsupportedMediaType,
};
use crate::report::state::is_waiting;

/// What was measured of the camera.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CameraCalibration {
    /// The camera, as the self-test names it.
    camera: String,
    /// `camera.objective`.
    objective: String,
    /// What was measured with this objective, in words; null if nothing was.
    #[schema(required)]
    words: Option<String>,
    /// Width and height in pixels for which it holds; null if nothing was measured.
    #[schema(required)]
    size: Option<[u32; 2]>,
    /// The light of an empty field; null if it was not measured.
    #[schema(required)]
    light: Option<Light>,
    /// The size of a pixel; null if it was not measured.
    #[schema(required)]
    scale: Option<ScaleCalibration>,
}

/// The light of an empty field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalibratedLight)]
pub(crate) struct Light {
    /// When it was measured (RFC 3339, UTC).
    #[schema(format = DateTime)]
    made_at: String,
    /// Light of the darkest place relative to that of the brightest, 0 to 1, of red, green and blue.
    evenness: [f32; 3],
    /// Factors of red, green and blue that make the middle neutral.
    white_balance: [f32; 3],
}

/// Two points of a stage micrometer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Points {
    /// Column and row of a point, in pixels of a whole picture of the camera.
    from: [f64; 2],
    /// The other point.
    to: [f64; 2],
    /// Their distance, µm.
    um: f64,
    /// Width and height of the picture that they are in; a camera that takes another size now is refused. Not checked if left
    /// out.
    size: Option<[u32; 2]>,
}

impl CameraCalibration {
    fn of(in_use: &CalibrationInUse) -> Self {
        let setup = in_use.setup();
        let calibration = in_use.get();
        let calibration = calibration.as_deref();
        Self {
            camera: setup.camera.clone(),
            objective: setup.objective.clone(),
            words: calibration.map(|known| known.words(Timestamp::now())),
            size: calibration.map(|known| [known.width, known.height]),
            light: calibration
                .and_then(|known| known.light.as_ref())
                .map(|light| Light {
                    made_at: light.made_at.clone(),
                    evenness: light.flat_field.evenness(),
                    white_balance: light.flat_field.white_balance(),
                }),
            scale: calibration.and_then(|known| known.scale.clone()),
        }
    }
}

/// What was measured of the camera.
#[utoipa::path(get, path = "/v1/calibration", tag = "device", responses(
    (status = 200, description = "The camera and its calibration.", body = CameraCalibration),
    Unavailable,
))]
pub(crate) async fn calibration(
    State(handle): State<ApplianceHandle>,
) -> Result<Json<CameraCalibration>, Problem> {
    Ok(Json(CameraCalibration::of(in_use(&handle)?)))
}

/// Takes a picture of an empty field and measures its light, by which all later pictures are corrected before they are
/// judged.
#[utoipa::path(post, path = "/v1/calibration/light", tag = "device", responses(
    (status = 201, description = "The new calibration.", body = CameraCalibration),
    Busy, Unprocessable, Unavailable,
))]
pub(crate) async fn measure_light(
    State(handle): State<ApplianceHandle>,
    State(config): State<Arc<Config>>,
) -> Result<(StatusCode, Json<CameraCalibration>), Problem> {
    measure(handle, &config, |empty, settings| {
        let light = LightCalibration::measure(empty, settings)?;
        Ok(move |calibration: &mut Calibration| calibration.light = Some(light))
    })
    .await
}

/// Sets the scale by two points of a stage micrometer. A picture is taken to learn the size of the camera's pictures.
#[utoipa::path(post, path = "/v1/calibration/scale", tag = "device",
    request_body = Points,
    responses(
        (status = 201, description = "The new calibration.", body = CameraCalibration),
        BadRequest, Busy, BodyTimeout, BodyTooLarge, UnsupportedMediaType, Unprocessable, Unavailable,
))]
pub(crate) async fn measure_scale(
    State(handle): State<ApplianceHandle>,
    State(config): State<Arc<Config>>,
    Json(points): Json<Points>,
) -> Result<(StatusCode, Json<CameraCalibration>), Problem> {
    measure(handle, &config, move |picture, _| {
        let Points { from, to, um, size } = points;
        let (width, height) = picture.dimensions();
        if let Some([known, high]) = size.filter(|size| *size != [width, height]) {
            return Err(CalibrationError::Points(format!(
                "the points are in a picture of {known}x{high} pixels, and the camera takes {width}x{height} now; choose \
                 them again"
            )));
        }
        let scale = ScaleCalibration::measure(from, to, um, (width, height))?;
        Ok(move |calibration: &mut Calibration| calibration.scale = Some(scale))
    })
    .await
}

/// Measures the scale by the red cells of the field under the objective, whose median diameter is 7.2 µm. Needs a model that
/// counts cells and has a ruler. The light is corrected first, if it was measured.
#[utoipa::path(post, path = "/v1/calibration/scale/red-cells", tag = "device", responses(
    (status = 201, description = "The new calibration.", body = CameraCalibration),
    Busy, Unprocessable, TooManyRequests, Unavailable,
))]
pub(crate) async fn measure_scale_by_red_cells(
    State(handle): State<ApplianceHandle>,
    State(config): State<Arc<Config>>,
    State(pool): State<Arc<Pool>>,
) -> Result<(StatusCode, Json<CameraCalibration>), Problem> {
    let place = pool.place().ok_or_else(full)?;
    let (photographed, mut picture) = Photographed::take(&handle, &config).await?;
    let correct = move || {
        let Photographed {
            in_use, settings, ..
        } = &photographed;
        in_use
            .correct(&mut picture, settings)
            .map(|()| (photographed, picture))
            .map_err(|error| invalid(&error))
    };
    let (photographed, picture) = blocking(correct).await??;
    // A client that leaves does not end it: the picture would stay in the queue, and another measurement could begin.
    let finish = tokio::spawn(async move {
        let measured = pool.measure_scale(picture, place).await.map_err(refused)?;
        let scale = ScaleCalibration::by_red_cells(measured);
        let keep = || photographed.keep(|calibration| calibration.scale = Some(scale));
        blocking(keep).await?
    });
    let kept = finish
        .await
        .map_err(|_| Problem::internal("the measurement crashed"))??;
    Ok((StatusCode::CREATED, Json(kept)))
}

/// Removes the calibration of the camera with this objective.
#[utoipa::path(delete, path = "/v1/calibration", tag = "device", responses(
    (status = 200, description = "The camera without calibration.", body = CameraCalibration),
    Busy, Unavailable,
))]
pub(crate) async fn remove(
    State(handle): State<ApplianceHandle>,
    State(config): State<Arc<Config>>,
) -> Result<Json<CameraCalibration>, Problem> {
    let (in_use, state) = (in_use(&handle)?.clone(), state(&config)?);
    let turn = turn(&in_use)?;
    let removed = blocking(move || in_use.remove(&turn, &state).map(|_| in_use)).await?;
    let in_use = removed.map_err(|error| not_kept(&error))?;
    log::warn!("the calibration of {} was removed", in_use.setup().camera);
    Ok(Json(CameraCalibration::of(&in_use)))
}

/// Takes a picture, measures it and keeps what was measured.
async fn measure<C: FnOnce(&mut Calibration)>(
    handle: ApplianceHandle,
    config: &Config,
    measure: impl FnOnce(&RgbImage, &CaptureSettings) -> Result<C, CalibrationError> + Send + 'static,
) -> Result<(StatusCode, Json<CameraCalibration>), Problem> {
    let (photographed, picture) = Photographed::take(&handle, config).await?;
    let work = move || {
        let measured = measure(&picture.image, &photographed.settings);
        photographed.keep(measured.map_err(|error| invalid(&error))?)
    };
    Ok((StatusCode::CREATED, Json(blocking(work).await??)))
}

/// What a picture of the camera was taken for: to be measured.
struct Photographed {
    in_use: CalibrationInUse,
    /// Held to the end: at most one such picture can wait before that of a press.
    turn: Turn,
    state: PathBuf,
    size: (u32, u32),
    settings: CaptureSettings,
}

impl Photographed {
    /// Takes a picture.
    async fn take(handle: &ApplianceHandle, config: &Config) -> Result<(Self, Picture), Problem> {
        let (in_use, state) = (in_use(handle)?.clone(), state(config)?);
        let turn = turn(&in_use)?;
        if !is_waiting(&handle.status().borrow().state) {
            return Err(conflict("the appliance is busy; try again later"));
        }
        let camera = handle
            .camera()
            .ok_or_else(|| unavailable("there is no camera yet"))?;
        let Frame {
            pixels, settings, ..
        } = camera::answer(config.timing.capture, camera.capture()).await?;
        let limits = config.limits;
        let decoded = blocking(move || picture(pixels, &limits)).await?;
        let picture = decoded.map_err(|error| unavailable(with_causes(&error)))?;
        let photographed = Self {
            in_use,
            turn,
            state,
            size: picture.original_size,
            settings,
        };
        Ok((photographed, picture))
    }

    /// Keeps what was measured. It writes a file.
    fn keep(self, change: impl FnOnce(&mut Calibration)) -> Result<CameraCalibration, Problem> {
        let Self {
            in_use,
            turn,
            state,
            size,
            settings,
        } = self;
        let calibration = in_use
            .change(&turn, &state, size, &settings, change)
            .map_err(|error| not_kept(&error))?;
        log::info!("{}", calibration.words(Timestamp::now()));
        Ok(CameraCalibration::of(&in_use))
    }
}

fn invalid(error: &CalibrationError) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, with_causes(error))
}

fn turn(in_use: &CalibrationInUse) -> Result<Turn, Problem> {
    let turn = in_use.turn();
    turn.ok_or_else(|| conflict("the camera is being calibrated; try again later").retry_after(1))
}

fn in_use(handle: &ApplianceHandle) -> Result<&CalibrationInUse, Problem> {
    handle
        .calibration()
        .ok_or_else(|| unavailable("there is no camera yet"))
}

fn state(config: &Config) -> Result<PathBuf, Problem> {
    config.state().map(Into::into).ok_or_else(|| {
        conflict("calibrations cannot be kept because storage.state is empty; set it to a folder")
    })
}

fn not_kept(error: &CalibrationError) -> Problem {
    unavailable(with_causes(error))
}

fn conflict(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, detail)
}
