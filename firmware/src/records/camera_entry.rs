//! What is recorded of the camera: how the picture was taken, and by which calibration it was corrected.

use serde::{Deserialize, Serialize};
use smearscope_hardware::CaptureSettings;
use utoipa::ToSchema;

use crate::calibration::{Calibration, LightCalibration, ScaleCalibration};

/// How a picture was taken, as far as the camera tells, and the calibration that was applied before it was judged. The
/// recorded image is the uncorrected one: with `light`, the correction can be repeated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = CameraSettings)]
pub struct CameraEntry {
    /// The camera as its driver names it: name and bus of a USB camera, sensor of a ribbon camera.
    #[schema(required)]
    pub name: Option<String>,
    /// Mode of the camera, such as `MJPEG 2592x1944, 1/15 s`.
    #[schema(required)]
    pub mode: Option<String>,
    /// How raw samples were read, such as `BT.601, limited range`.
    #[schema(required)]
    pub colours: Option<String>,
    /// Exposure time, µs. Of a ribbon camera, this and the gains are what was asked for.
    #[schema(required)]
    pub exposure_us: Option<f64>,
    /// Gain: a factor of a ribbon camera, a number of its own of a USB camera.
    #[schema(required)]
    pub gain: Option<f64>,
    /// Gain of red relative to green.
    #[schema(required)]
    pub red_gain: Option<f64>,
    /// Gain of blue relative to green.
    #[schema(required)]
    pub blue_gain: Option<f64>,
    /// White balance, K.
    #[schema(required)]
    pub white_balance_k: Option<u32>,
    /// Correction of the shading of the lens that the camera itself made, such as `rpi.alsc of /etc/imx477.json`: of a ribbon
    /// camera that of the tuning file; null if it is not known, and in rows of earlier versions.
    #[serde(default)]
    #[schema(required)]
    pub lens_correction: Option<String>,
    /// `camera.objective`; null if it was not named, and in rows of earlier versions without a calibration.
    #[schema(required)]
    pub objective: Option<String>,
    /// The light of an empty field, by which the picture was corrected.
    #[schema(required)]
    pub light: Option<LightCalibration>,
    /// The size of a pixel that was measured. What was used is in `scale`.
    #[schema(required)]
    pub scale: Option<ScaleCalibration>,
}

impl CameraEntry {
    /// The settings, the objective and the calibration of a picture; `None` if nothing is known.
    pub fn new(
        settings: &CaptureSettings,
        objective: Option<&str>,
        calibration: Option<&Calibration>,
    ) -> Option<Self> {
        let CaptureSettings {
            camera,
            mode,
            colours,
            exposure_us,
            gain,
            colour_gains,
            lens_correction,
            white_balance_k,
            has_fixed_white_balance: _,
        } = settings.clone();
        let has_settings = *settings != CaptureSettings::default();
        if !has_settings && objective.is_none() && calibration.is_none() {
            return None;
        }
        Some(Self {
            name: camera,
            mode,
            colours,
            exposure_us,
            gain,
            red_gain: colour_gains.map(|[red, _]| red),
            blue_gain: colour_gains.map(|[_, blue]| blue),
            white_balance_k,
            lens_correction,
            objective: objective.map(Into::into),
            light: calibration.and_then(|known| known.light.clone()),
            scale: calibration.and_then(|known| known.scale.clone()),
        })
    }
}
