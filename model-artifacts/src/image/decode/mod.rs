//! Decoding of image files from untrusted sources.
//!
//! The format (JPEG, PNG, BMP or TIFF) is recognised by the contents, never by the file's name. Images
//! are refused if they are truncated, have transparent pixels, or have no defined RGB values (CMYK,
//! floating point). So is a TIFF with several pages, except for thumbnails and masks, which are passed over.
//! Grey becomes RGB with equal channels; of 16-bit samples the upper 8 bits are kept.
//! The EXIF orientation is applied, as OpenCV and image viewers do, so that the analysed image is the
//! one that people see.

mod format;
mod jpeg;
mod limits;
mod lossless;
mod padding;
mod pages;
mod picture;
mod refusal;

use std::io::ErrorKind;
use std::path::Path;

use image::{ImageFormat, RgbImage};

pub use limits::Limits;
pub use picture::Picture;

use crate::error::ArtifactError;
use crate::files::read_bounded;
use crate::image::contract::InputContract;

/// Decodes a JPEG, PNG, BMP or TIFF.
///
/// # Errors
/// [`ArtifactError::Image`] if the bytes are not a complete image within the limits.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ArtifactError> {
    Ok(decode_reduced(bytes, limits, |_, _| 1)?.image)
}

/// Decodes an image for a network: a JPEG is [reduced](InputContract::reduction) as far as the contract
/// allows, which saves time. Without a contract it is not reduced. Training and analysis both use this
/// function, so that they see the same pixels.
///
/// # Errors
/// As [`decode`].
pub fn decode_for(
    contract: Option<&InputContract>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Picture, ArtifactError> {
    decode_reduced(bytes, limits, |width, height| {
        contract.map_or(1, |contract| contract.reduction(width, height))
    })
}

/// Decodes an image, a JPEG with its width and height reduced by the factor that `reduction` gives for them: 1, 2, 4 or 8.
///
/// # Errors
/// As [`decode`].
pub fn decode_reduced(
    bytes: &[u8],
    limits: &Limits,
    reduction: impl FnOnce(u32, u32) -> u32,
) -> Result<Picture, ArtifactError> {
    limits.check_bytes(bytes.len())?;
    match format::recognise(bytes)? {
        ImageFormat::Jpeg => jpeg::decode(bytes, limits, reduction),
        format => lossless::decode(bytes, format, limits).map(Into::into),
    }
}

/// Reads and decodes an image file; never reads more bytes than the limits allow.
///
/// # Errors
/// As [`read_bytes`] and [`decode`].
pub fn read(path: &Path, limits: &Limits) -> Result<RgbImage, ArtifactError> {
    decode(&read_bytes(path, limits)?, limits)
}

/// Reads an image file without decoding it; never reads more bytes than the limits allow.
///
/// # Errors
/// [`ArtifactError::Unreadable`] if it is not a readable, regular file within the limits.
pub fn read_bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>, ArtifactError> {
    read_bounded(path, limits.max_bytes).map_err(|source| {
        let remedy = match source.kind() {
            ErrorKind::NotFound => "check the path".into(),
            ErrorKind::PermissionDenied => "check its permissions".into(),
            ErrorKind::FileTooLarge => format!(
                "it is larger than {} bytes: use a smaller file, or raise the appliance's limits.file_mib",
                limits.max_bytes
            ),
            _ => "use an image file".into(),
        };
        ArtifactError::Unreadable {
            path: path.into(),
            remedy,
            source,
        }
    })
}
