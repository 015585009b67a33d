//! What was measured of a camera: its light and its scale. It is kept in the state folder and applied to each picture.

mod error;
mod in_use;
mod micrometer;
mod store;
mod white_balance;

use image::RgbImage;
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use smearscope_artifacts::decode::Picture;
use smearscope_artifacts::{FlatField, MeasuredScale};
use smearscope_hardware::CaptureSettings;
use utoipa::ToSchema;

use crate::system::time::utc;
pub use error::CalibrationError;
pub use in_use::{CalibrationInUse, Turn};
pub use store::Calibrations;
pub use white_balance::WhiteBalance;

/// The calibration of a camera with an objective. It holds for one size of the pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Which camera and objective.
    #[serde(flatten)]
    pub setup: Setup,
    /// Width of the pictures in pixels.
    pub width: u32,
    /// Height of the pictures in pixels.
    pub height: u32,
    /// The camera as its driver names it; `None` if it has no name.
    pub device: Option<String>,
    /// The light of an empty field.
    pub light: Option<LightCalibration>,
    /// The size of a pixel.
    pub scale: Option<ScaleCalibration>,
}

/// A camera and the objective before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The camera, as the self-test names it.
    pub camera: String,
    /// `camera.objective`.
    pub objective: String,
}

/// The light of a camera, measured on an empty field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LightCalibration {
    /// When it was measured (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub made_at: String,
    /// The logarithm of the light, to the base of ten, of samples plus one: coefficients of 1, x, y, x², xy and y² for `red`,
    /// `green` and `blue`, where x and y go from −1 to 1 across the picture.
    #[schema(value_type = std::collections::BTreeMap<String, [f32; 6]>)]
    pub flat_field: FlatField,
    /// The white balance of the camera at that time, which must stay.
    pub white_balance: WhiteBalance,
}

impl LightCalibration {
    /// Measures the light of an empty field.
    ///
    /// # Errors
    /// [`CalibrationError::AutomaticWhiteBalance`], and [`CalibrationError::NotFlat`] if the field is not empty or its light
    /// cannot be used.
    pub fn measure(empty: &RgbImage, settings: &CaptureSettings) -> Result<Self, CalibrationError> {
        let white_balance = WhiteBalance::of(settings)?;
        Ok(Self {
            made_at: utc(Timestamp::now()),
            flat_field: FlatField::of(empty)?,
            white_balance,
        })
    }
}

impl ScaleCalibration {
    /// Measures the scale between two points of a stage micrometer in a picture of this size.
    ///
    /// # Errors
    /// [`CalibrationError::Points`] if the points cannot be right.
    pub fn measure(
        from: [f64; 2],
        to: [f64; 2],
        um: f64,
        size: (u32, u32),
    ) -> Result<Self, CalibrationError> {
        Ok(Self {
            made_at: utc(Timestamp::now()),
            um_per_pixel: micrometer::between(from, to, um, size)?,
            method: ScaleMethod::StageMicrometer,
            red_cells: None,
            spread: None,
        })
    }

    /// The scale that the red cells of a field gave.
    pub fn by_red_cells(measured: MeasuredScale) -> Self {
        let MeasuredScale {
            um_per_pixel,
            spread,
            cells,
        } = measured;
        Self {
            made_at: utc(Timestamp::now()),
            um_per_pixel,
            method: ScaleMethod::RedCells,
            red_cells: Some(cells),
            spread: Some(spread),
        }
    }

    /// The ruler in words, and how well it is known.
    fn ruler(&self) -> String {
        match (self.method, self.red_cells, self.spread) {
            (ScaleMethod::StageMicrometer, ..) => "stage micrometer".into(),
            (ScaleMethod::RedCells, Some(cells), Some(spread)) => {
                format!("{cells} red cells, spread {:.0} %", 100.0 * spread)
            }
            (ScaleMethod::RedCells, ..) => "red cells".into(),
        }
    }
}

/// The size of a pixel of a camera with an objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScaleCalibration {
    /// When it was measured (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub made_at: String,
    /// Size of a pixel in the plane of the specimen, µm.
    pub um_per_pixel: f32,
    /// How it was measured.
    pub method: ScaleMethod,
    /// Number of red cells that gave it; null if a stage micrometer did.
    #[serde(default)]
    #[schema(required)]
    pub red_cells: Option<u32>,
    /// Spread of their diameters, relative to the median; null if a stage micrometer gave it.
    #[serde(default)]
    #[schema(required)]
    pub spread: Option<f32>,
}

/// How a scale was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleMethod {
    /// Between two lines of a stage micrometer.
    StageMicrometer,
    /// By the median diameter of the red cells of a field, which is 7.2 µm.
    RedCells,
}

impl Calibration {
    /// A calibration of pictures of this size and device, in which nothing was measured yet.
    pub fn new(setup: Setup, (width, height): (u32, u32), device: Option<String>) -> Self {
        Self {
            setup,
            width,
            height,
            device,
            light: None,
            scale: None,
        }
    }

    /// Checks that a picture of this size is of the mode and of the camera that were calibrated.
    ///
    /// # Errors
    /// [`CalibrationError::OtherSize`] or [`CalibrationError::OtherCamera`] if it is not.
    pub fn check(
        &self,
        (width, height): (u32, u32),
        settings: &CaptureSettings,
    ) -> Result<(), CalibrationError> {
        if (width, height) != (self.width, self.height) {
            return Err(CalibrationError::OtherSize {
                calibrated: (self.width, self.height),
                found: (width, height),
            });
        }
        if settings.camera != self.device {
            let name = |device: &Option<String>| device.clone().unwrap_or_else(|| "none".into());
            return Err(CalibrationError::OtherCamera {
                calibrated: name(&self.device),
                found: name(&settings.camera),
            });
        }
        Ok(())
    }

    /// Gives the empty places of a picture even, neutral light, if the light was measured.
    ///
    /// # Errors
    /// As [`Calibration::check`]; [`CalibrationError::AutomaticWhiteBalance`] and [`CalibrationError::OtherWhiteBalance`] if
    /// the picture has other colours than the empty field.
    pub fn correct(
        &self,
        picture: &mut Picture,
        settings: &CaptureSettings,
    ) -> Result<(), CalibrationError> {
        self.check(picture.original_size, settings)?;
        if let Some(light) = &self.light {
            let found = WhiteBalance::of(settings)?;
            if found != light.white_balance {
                return Err(CalibrationError::OtherWhiteBalance {
                    calibrated: light.white_balance,
                    found,
                });
            }
            light.flat_field.correct(&mut picture.image);
        }
        Ok(())
    }

    /// What was measured, and how old it is, short enough for the screen.
    pub fn words(&self, now: Timestamp) -> String {
        let light = self
            .light
            .as_ref()
            .map(|light| format!("light {}", age(&light.made_at, now)));
        let scale = self.scale.as_ref().map(|scale| {
            let um_per_pixel = (1e4 * scale.um_per_pixel).round() / 1e4;
            let (age, ruler) = (age(&scale.made_at, now), scale.ruler());
            format!("{um_per_pixel} µm per pixel {age} ({ruler})")
        });
        let measured: Vec<_> = light.into_iter().chain(scale).collect();
        let objective = match &*self.setup.objective {
            "" => String::new(),
            objective => format!(" {objective},"),
        };
        format!(
            "calibrated for{objective} {}x{}: {}",
            self.width,
            self.height,
            measured.join(", ")
        )
    }
}

/// How long ago a time of a calibration was, such as `of today` or `12 days old`. A clock that was wrong may have made it.
fn age(made_at: &str, now: Timestamp) -> String {
    let days = made_at.parse::<Timestamp>().ok().and_then(|made_at| {
        let age = now.since((Unit::Hour, made_at)).ok()?;
        Some(age.get_hours() / 24)
    });
    match days {
        Some(0) => "of today".into(),
        Some(1) => "1 day old".into(),
        Some(days @ 2..) => format!("{days} days old"),
        Some(_) | None => format!("of {made_at}, by a clock that was wrong"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_another_camera_or_with_other_colours_is_refused() {
        let settings = CaptureSettings {
            camera: Some("HD USB Camera (usb-1)".into()),
            white_balance_k: Some(4500),
            has_fixed_white_balance: Some(true),
            ..CaptureSettings::default()
        };
        let setup = Setup {
            camera: "USB camera /dev/video0".into(),
            objective: "40x".into(),
        };
        let empty = RgbImage::from_pixel(64, 48, image::Rgb([220, 200, 180]));
        let calibration = Calibration {
            light: Some(LightCalibration::measure(&empty, &settings).unwrap()),
            ..Calibration::new(setup, (64, 48), settings.camera.clone())
        };
        let corrected = |settings: &CaptureSettings| {
            let mut picture = Picture::from(empty.clone());
            calibration.correct(&mut picture, settings)?;
            Ok::<_, CalibrationError>(*picture.image.get_pixel(30, 20))
        };
        let [red, green, blue] = corrected(&settings).unwrap().0;
        assert!(red.abs_diff(green) <= 1 && green.abs_diff(blue) <= 1);
        let refusal = |settings: CaptureSettings| corrected(&settings).unwrap_err().to_string();
        for (other, part) in [
            (
                CaptureSettings {
                    camera: Some("HD USB Camera (usb-2)".into()),
                    ..settings.clone()
                },
                "this one is HD USB Camera (usb-2)",
            ),
            (
                CaptureSettings {
                    white_balance_k: Some(4600),
                    ..settings.clone()
                },
                "was 4500 K when the light was measured, and is 4600 K now",
            ),
            (
                CaptureSettings {
                    has_fixed_white_balance: Some(false),
                    ..settings.clone()
                },
                "set camera.white_balance = 4500",
            ),
        ] {
            let refusal = refusal(other);
            assert!(refusal.contains(part), "{refusal}");
        }
    }

    #[test]
    fn the_words_name_the_ruler_also_of_a_file_of_an_earlier_version() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let setup = Setup {
            camera: "USB camera /dev/video0".into(),
            objective: "40x".into(),
        };
        for (scale, expected) in [
            (
                r#""um_per_pixel": 0.149987, "method": "stage_micrometer""#,
                "0.15 µm per pixel of today (stage micrometer)",
            ),
            (
                r#""um_per_pixel": 0.15, "method": "red_cells", "red_cells": 57, "spread": 0.062"#,
                "0.15 µm per pixel of today (57 red cells, spread 6 %)",
            ),
        ] {
            let scale = format!(r#"{{"made_at": "2026-11-30T08:00:00Z", {scale}}}"#);
            let calibration = Calibration {
                scale: serde_json::from_str(&scale).unwrap(),
                ..Calibration::new(setup.clone(), (640, 480), None)
            };
            let words = calibration.words(now);
            assert_eq!(words, format!("calibrated for 40x, 640x480: {expected}"));
        }
    }

    #[test]
    fn the_age_of_a_calibration_is_told_in_days() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        for (made_at, expected) in [
            ("2026-11-30T08:00:00Z", "of today"),
            ("2026-11-29T08:00:00Z", "1 day old"),
            ("2025-11-30T08:00:00Z", "365 days old"),
        ] {
            assert_eq!(age(made_at, now), expected);
        }
        for made_at in ["2027-12-01T00:00:00Z", "yesterday"] {
            assert!(age(made_at, now).contains("clock"), "{made_at}");
        }
    }
}
