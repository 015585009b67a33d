//! Limits of the size of an image.

use super::refusal::refuse;
use crate::error::ArtifactError;

/// Largest accepted image. Both limits are checked before memory for pixels is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// Largest image, in pixels.
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

impl Limits {
    pub(super) fn check_bytes(&self, bytes: usize) -> Result<(), ArtifactError> {
        if bytes == 0 {
            return Err(refuse("the file is empty", "take the picture again"));
        }
        if bytes as u64 > self.max_bytes {
            return Err(refuse(
                format!("the file has {bytes} bytes, {} are allowed", self.max_bytes),
                "use a smaller file, or raise the appliance's limits.file_mib",
            ));
        }
        Ok(())
    }

    pub(super) fn check_pixels(&self, width: u64, height: u64) -> Result<(), ArtifactError> {
        let pixels = width.saturating_mul(height);
        if pixels == 0 {
            return Err(refuse("it has no pixels", "take the picture again"));
        }
        if pixels > self.max_pixels {
            return Err(refuse(
                format!(
                    "it has {width} × {height} pixels, {} pixels are allowed",
                    self.max_pixels
                ),
                "use a smaller image, or raise the appliance's limits.megapixels",
            ));
        }
        Ok(())
    }
}
