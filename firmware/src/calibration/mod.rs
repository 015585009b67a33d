//! What was measured of a camera: its light and its scale. It is kept in the state folder and applied to each picture.

mod error;
mod in_use;
mod micrometer;
mod store;

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use smearscope_artifacts::FlatField;
use smearscope_artifacts::decode::Picture;
use utoipa::ToSchema;

pub use error::CalibrationError;
pub use in_use::CalibrationInUse;
pub use micrometer::between;
pub use store::Calibrations;

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
}

/// How a scale was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleMethod {
    /// Between two lines of a stage micrometer.
    StageMicrometer,
}

impl Calibration {
    /// A calibration of pictures of this size, in which nothing was measured yet.
    pub fn new(setup: Setup, width: u32, height: u32) -> Self {
        Self {
            setup,
            width,
            height,
            light: None,
            scale: None,
        }
    }

    /// Checks that a picture of this size is of the mode that was calibrated.
    ///
    /// # Errors
    /// [`CalibrationError::OtherSize`] if it is not.
    pub fn check_size(&self, width: u32, height: u32) -> Result<(), CalibrationError> {
        if (width, height) == (self.width, self.height) {
            return Ok(());
        }
        Err(CalibrationError::OtherSize {
            calibrated: (self.width, self.height),
            found: (width, height),
        })
    }

    /// Gives the empty places of a picture even, neutral light, if the light was measured.
    ///
    /// # Errors
    /// [`CalibrationError::OtherSize`] if the picture is of another mode.
    pub fn correct(&self, picture: &mut Picture) -> Result<(), CalibrationError> {
        let (width, height) = picture.original_size;
        self.check_size(width, height)?;
        if let Some(light) = &self.light {
            light.flat_field.correct(&mut picture.image);
        }
        Ok(())
    }

    /// The calibrated size of a pixel, µm.
    pub fn um_per_pixel(&self) -> Option<f32> {
        self.scale.as_ref().map(|scale| scale.um_per_pixel)
    }

    /// What was measured, and how old it is, for the self-test.
    pub fn words(&self, now: Timestamp) -> String {
        let light = self.light.as_ref().map(|light| {
            let [red, _, blue] = light.flat_field.white_balance();
            let age = age(&light.made_at, now);
            format!("light {age} (red × {red:.2}, blue × {blue:.2})")
        });
        let scale = self.scale.as_ref().map(|scale| {
            let age = age(&scale.made_at, now);
            format!("{} µm per pixel {age}", scale.um_per_pixel)
        });
        let measured: Vec<_> = light.into_iter().chain(scale).collect();
        let objective = match &*self.setup.objective {
            "" => String::new(),
            objective => format!(", objective {objective}"),
        };
        format!(
            "{}x{}{objective}: {}",
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
