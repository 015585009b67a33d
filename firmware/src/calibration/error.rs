//! Errors of calibration.

use std::io;
use std::path::PathBuf;

use smearscope_artifacts::{NoScale, NotFlat};

use crate::calibration::white_balance::{AutomaticWhiteBalance, WhiteBalance};

/// A calibration cannot be made, kept or used. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The file could not be read or written.
    #[error("the calibrations in {path} cannot be {action}", path = .path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The file is damaged, or was changed by hand.
    #[error(
        "the calibrations in {path} are damaged ({problem}); remove the file and calibrate again", path = .path.display()
    )]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A picture has another size than those that were calibrated.
    #[error(
        "the camera is calibrated for {}x{} pixels and delivers {}x{}: calibrate it again (`smearscope calibrate`), or set \
         camera.width and camera.height to the calibrated size",
        .calibrated.0, .calibrated.1, .found.0, .found.1
    )]
    OtherSize {
        /// Width and height of the calibrated pictures.
        calibrated: (u32, u32),
        /// Width and height of the picture.
        found: (u32, u32),
    },
    /// A picture is of another camera than those that were calibrated.
    #[error(
        "the calibration is that of the camera {calibrated}, and this one is {found}: calibrate it again (`smearscope calibrate`), \
         or connect the other one"
    )]
    OtherCamera {
        /// The calibrated camera, as its driver names it.
        calibrated: String,
        /// The camera of the picture.
        found: String,
    },
    /// The camera changes its white balance from picture to picture.
    #[error(transparent)]
    AutomaticWhiteBalance(#[from] AutomaticWhiteBalance),
    /// A picture has another white balance than the empty field.
    #[error(
        "the white balance of the camera was {calibrated} when the light was measured, and is {found} now: measure the light \
         again"
    )]
    OtherWhiteBalance {
        /// That of the empty field.
        calibrated: WhiteBalance,
        /// That of the picture.
        found: WhiteBalance,
    },
    /// The field is not empty, or its light cannot be used.
    #[error(transparent)]
    NotFlat(#[from] NotFlat),
    /// The two points give no scale.
    #[error("{0}")]
    Points(String),
    /// The model has no ruler of red cells.
    #[error(
        "the model {model} measures no scale by red cells: use one that counts cells and has a ruler (`smearscope model info`), or a \
         stage micrometer"
    )]
    NoRuler {
        /// Name and version of the model.
        model: String,
    },
    /// The quality gate refuses the picture of red cells.
    #[error("the scale cannot be measured on this picture: {0}")]
    Quality(String),
    /// The red cells give no scale.
    #[error("{0}; show a field where many red cells lie side by side, or use a stage micrometer")]
    RedCells(NoScale),
}
