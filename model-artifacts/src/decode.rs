//! From hostile bytes to pixels.
//!
//! JPEG, PNG, BMP and TIFF are told by their contents, never by their name. An image is refused
//! rather than guessed at: one that is cut short, has transparent parts, or has no defined RGB
//! values (CMYK, floating point). Grey becomes RGB with equal channels; 16-bit samples keep their
//! upper 8 bits. The EXIF orientation is applied, as OpenCV and image viewers do, so that what is
//! analysed is what people see.

mod jpeg;

use std::io::Cursor;
use std::path::Path;

use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage,
};

use crate::files::read_bounded;
use crate::{ArtifactError, InputContract};

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

/// A picture as it is analysed.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Its pixels, all of them or [reduced](InputContract::reduction).
    pub image: RgbImage,
    /// Width and height before that.
    pub taken: (u32, u32),
}

impl From<RgbImage> for Picture {
    /// With all pixels that there are.
    fn from(image: RgbImage) -> Self {
        Self {
            taken: image.dimensions(),
            image,
        }
    }
}

/// Decodes a JPEG, PNG, BMP or TIFF; of several pages, the first.
///
/// # Errors
/// [`ArtifactError::Image`] if the bytes are not one whole image within the limits.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ArtifactError> {
    Ok(decode_for(None, bytes, limits)?.image)
}

/// The same for a network: with no more pixels than its contract can do with, where that spares
/// time; without a contract, with all. Training and verdicts come through here, and so see the same pixels.
///
/// # Errors
/// As [`decode`].
pub fn decode_for(
    contract: Option<&InputContract>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Picture, ArtifactError> {
    if bytes.is_empty() {
        return Err(refuse("the file is empty", "take the picture again"));
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(refuse(
            format!(
                "{} bytes are more than the {} allowed",
                bytes.len(),
                limits.max_bytes
            ),
            "give a smaller file",
        ));
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => jpeg::decode(bytes, limits, contract),
        Ok(format @ (ImageFormat::Png | ImageFormat::Bmp | ImageFormat::Tiff)) => {
            decode_lossless(bytes, format, limits).map(Into::into)
        }
        Ok(other) => Err(refuse(
            format!("{other:?} files are not supported"),
            "save it as JPEG, PNG, BMP or TIFF",
        )),
        Err(_) => Err(refuse(
            "the contents are those of no known image format",
            "give a JPEG, PNG, BMP or TIFF",
        )),
    }
}

/// Reads and decodes an image file, never more of it than the limits allow.
///
/// # Errors
/// As [`read_bytes`] and [`decode`].
pub fn read(path: &Path, limits: &Limits) -> Result<RgbImage, ArtifactError> {
    decode(&read_bytes(path, limits)?, limits)
}

/// Reads an image file without decoding it, never more of it than the limits allow.
///
/// # Errors
/// [`ArtifactError::Unreadable`] if it is not a regular file that may be read.
pub fn read_bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>, ArtifactError> {
    read_bounded(path, limits.max_bytes).map_err(|source| {
        let remedy = match source.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check its permissions",
            std::io::ErrorKind::FileTooLarge => "give a smaller file",
            _ => "give an image file",
        };
        ArtifactError::Unreadable {
            path: path.into(),
            remedy: remedy.into(),
            source,
        }
    })
}

fn decode_lossless(
    bytes: &[u8],
    format: ImageFormat,
    limits: &Limits,
) -> Result<RgbImage, ArtifactError> {
    let unusable = |error: ImageError| refuse(error.to_string(), DAMAGED);

    let mut allocation = image::Limits::default();
    // A pixel has 8 bytes at most (16-bit RGBA); the rest is for the decoder's own tables.
    allocation.max_alloc = Some(limits.max_pixels.saturating_mul(8).saturating_add(1 << 20));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allocation);
    let mut decoder = reader.into_decoder().map_err(unusable)?;

    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into(), limits)?;
    let colour = decoder.original_color_type();
    match colour {
        ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 => return Err(refuse_cmyk()),
        ExtendedColorType::Rgb32F | ExtendedColorType::Rgba32F => {
            return Err(refuse(
                "floating-point samples have no defined white",
                "save it with 8 or 16 bits per channel",
            ));
        }
        _ => {}
    }

    let orientation = decoder.orientation().map_err(unusable)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unusable)?;
    if !is_opaque(&image) {
        return Err(refuse(
            "the picture has transparent parts",
            "save it without transparency",
        ));
    }
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

const DAMAGED: &str = "the file is damaged or cut short: copy it again or take the picture again";

fn is_opaque(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageLumaA8(pixels) => pixels.pixels().all(|pixel| pixel.0[1] == u8::MAX),
        DynamicImage::ImageRgba8(pixels) => pixels.pixels().all(|pixel| pixel.0[3] == u8::MAX),
        DynamicImage::ImageLumaA16(pixels) => pixels.pixels().all(|pixel| pixel.0[1] == u16::MAX),
        DynamicImage::ImageRgba16(pixels) => pixels.pixels().all(|pixel| pixel.0[3] == u16::MAX),
        _ => true,
    }
}

fn check_size(width: u64, height: u64, limits: &Limits) -> Result<(), ArtifactError> {
    let pixels = width.saturating_mul(height);
    if pixels == 0 {
        return Err(refuse("it has no pixels", "take the picture again"));
    }
    if pixels > limits.max_pixels {
        return Err(refuse(
            format!(
                "{width} × {height} pixels are more than the {} allowed",
                limits.max_pixels
            ),
            "give a smaller picture",
        ));
    }
    Ok(())
}

fn refuse_cmyk() -> ArtifactError {
    refuse(
        "CMYK colours have no defined RGB values",
        "save it as an RGB image",
    )
}

fn refuse(problem: impl Into<String>, remedy: &str) -> ArtifactError {
    ArtifactError::Image {
        problem: problem.into(),
        remedy: remedy.into(),
    }
}
