//! Errors of images that cannot be used.

use crate::error::ArtifactError;

/// Remedy for an incomplete or corrupt file.
pub(super) const DAMAGED: &str =
    "the file is damaged or truncated: copy it again or take the picture again";

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
