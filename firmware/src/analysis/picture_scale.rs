//! The scale of a picture and where it comes from.

use serde::{Deserialize, Serialize};
use smearscope_artifacts::MeasuredScale;
use utoipa::ToSchema;

use crate::calibration::ScaleCalibration;

/// The scale of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Scale, example = json!({
    "um_per_pixel": 0.15, "source": "stated", "red_cells": null, "spread": null,
}))]
pub struct PictureScale {
    /// Size of a pixel in the plane of the specimen, µm.
    pub um_per_pixel: f32,
    /// Where it comes from.
    pub source: ScaleSource,
    /// Number of red cells that gave it, of this picture or of that for the calibration; null if none did.
    #[schema(required)]
    pub red_cells: Option<u32>,
    /// Spread of their diameters, relative to the median; null if none gave it.
    #[schema(required)]
    pub spread: Option<f32>,
}

/// Where a scale comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleSource {
    /// It was stated with the picture, or in the configuration.
    Stated,
    /// The camera was calibrated: by red cells if their number is given, and else by a stage micrometer.
    Calibrated,
    /// The red cells of the picture were the ruler.
    RedCells,
}

impl PictureScale {
    /// A scale that was stated, µm per pixel.
    pub fn stated(um_per_pixel: f32) -> Self {
        Self {
            um_per_pixel,
            source: ScaleSource::Stated,
            red_cells: None,
            spread: None,
        }
    }
}

impl From<&ScaleCalibration> for PictureScale {
    fn from(scale: &ScaleCalibration) -> Self {
        Self {
            um_per_pixel: scale.um_per_pixel,
            source: ScaleSource::Calibrated,
            red_cells: scale.red_cells,
            spread: scale.spread,
        }
    }
}

impl From<MeasuredScale> for PictureScale {
    fn from(measured: MeasuredScale) -> Self {
        Self {
            um_per_pixel: measured.um_per_pixel,
            source: ScaleSource::RedCells,
            red_cells: Some(measured.cells),
            spread: Some(measured.spread),
        }
    }
}
