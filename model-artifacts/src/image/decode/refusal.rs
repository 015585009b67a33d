//! Errors of images that cannot be used.

use image::ImageError;
use image::error::UnsupportedErrorKind;
use tiff::TiffError;

use crate::error::ArtifactError;

/// Remedy for an incomplete or corrupt file.
pub(super) const DAMAGED: &str =
    "the file is damaged or truncated: copy it again or take the picture again";

/// Remedy for an intact file whose format, or whose variant of a format, is not supported.
pub(super) const SAVE_OTHERWISE: &str =
    "save it with 8 bits per channel as a baseline JPEG, or as a PNG";

pub(super) fn refuse(problem: impl Into<String>, remedy: &str) -> ArtifactError {
    ArtifactError::Image {
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

pub(super) fn refuse_cmyk() -> ArtifactError {
    refuse(
        "CMYK colours have no defined RGB values",
        "save it as an RGB image",
    )
}

/// Refuses an intact file of a supported format in a variant that is not supported.
fn refuse_variant(problem: &str) -> ArtifactError {
    refuse(
        format!("this variant of the format is not supported ({problem})"),
        SAVE_OTHERWISE,
    )
}

/// Tells an unsupported variant and an image that is too large from a damaged file.
pub(super) fn unusable(error: ImageError) -> ArtifactError {
    match error {
        ImageError::Unsupported(error) => match error.kind() {
            UnsupportedErrorKind::GenericFeature(feature) => refuse_variant(&feature),
            _ => refuse_variant(&error.to_string()),
        },
        ImageError::Limits(error) => refuse(error.to_string(), "use a smaller image"),
        error => refuse(error.to_string(), DAMAGED),
    }
}

/// Like [`unusable`], for the directories of a TIFF.
pub(super) fn unusable_tiff(error: TiffError) -> ArtifactError {
    match error {
        TiffError::UnsupportedError(error) => refuse_variant(&error.to_string()),
        error => refuse(error.to_string(), DAMAGED),
    }
}
