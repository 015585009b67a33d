//! PNG, BMP and TIFF.

use std::borrow::Cow;
use std::io::Cursor;

use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::limits::Limits;
use super::pages;
use super::refusal::{refuse, refuse_cmyk, unusable};
use crate::error::ArtifactError;

/// Largest sample of a camera with 14 bits. An image of 16 bits whose samples end here or before is too dark to be
/// analysed, whether the light is low or the camera has fewer bits.
const LARGEST_OF_14_BITS: u16 = (1 << 14) - 1;

/// Decodes an image of one of the three formats.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    limits: &Limits,
) -> Result<RgbImage, ArtifactError> {
    let bytes = if format == ImageFormat::Tiff {
        pages::with_image_first(bytes)?
    } else {
        Cow::from(bytes)
    };
    let mut allocation = image::Limits::default();
    // A pixel has at most 8 bytes (16-bit RGBA); the rest is for the decoder's tables.
    allocation.max_alloc = Some(limits.max_pixels.saturating_mul(8).saturating_add(1 << 20));
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
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
    check_range(&image)?;
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

/// Refuses an image of 16 bits that uses the scale of a camera with fewer bits, in which white is not 65535.
fn check_range(image: &DynamicImage) -> Result<(), ArtifactError> {
    let largest = match image {
        DynamicImage::ImageLuma16(pixels) => pixels.iter().max().copied(),
        DynamicImage::ImageRgb16(pixels) => pixels.iter().max().copied(),
        DynamicImage::ImageLumaA16(pixels) => pixels.pixels().map(|pixel| pixel.0[0]).max(),
        DynamicImage::ImageRgba16(pixels) => pixels
            .pixels()
            .map(|pixel| pixel.0[..3].iter().copied().max().unwrap_or_default())
            .max(),
        _ => None,
    };
    match largest {
        Some(largest @ 1..=LARGEST_OF_14_BITS) => Err(refuse(
            format!(
                "its largest sample is {largest} of {}, as from a camera with fewer than 16 bits",
                u16::MAX
            ),
            "stretch its range or save it with 8 bits per channel; if the camera has 16 bits, turn up the light",
        )),
        _ => Ok(()),
    }
}
