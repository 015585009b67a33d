//! PNG, BMP and TIFF.

use std::io::Cursor;

use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage,
};

use super::limits::Limits;
use super::refusal::{DAMAGED, refuse, refuse_cmyk};
use crate::error::ArtifactError;

/// Decodes an image of one of the three formats.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    limits: &Limits,
) -> Result<RgbImage, ArtifactError> {
    let unusable = |error: ImageError| refuse(error.to_string(), DAMAGED);

    let mut allocation = image::Limits::default();
    // A pixel has at most 8 bytes (16-bit RGBA); the rest is for the decoder's tables.
    allocation.max_alloc = Some(limits.max_pixels.saturating_mul(8).saturating_add(1 << 20));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allocation);
    let mut decoder = reader.into_decoder().map_err(unusable)?;

    let (width, height) = decoder.dimensions();
    limits.check_pixels(width.into(), height.into())?;
    match decoder.original_color_type() {
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
            "it has transparent pixels",
            "save it without transparency",
        ));
    }
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

fn is_opaque(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageLumaA8(pixels) => pixels.pixels().all(|pixel| pixel.0[1] == u8::MAX),
        DynamicImage::ImageRgba8(pixels) => pixels.pixels().all(|pixel| pixel.0[3] == u8::MAX),
        DynamicImage::ImageLumaA16(pixels) => pixels.pixels().all(|pixel| pixel.0[1] == u16::MAX),
        DynamicImage::ImageRgba16(pixels) => pixels.pixels().all(|pixel| pixel.0[3] == u16::MAX),
        _ => true,
    }
}
