//! Brightness of pixels.

use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};

/// Luma from 0 to 1. With 8 bits, rounding would hide the gentle slopes of a soft field.
pub(super) type Luma32 = ImageBuffer<Luma<f32>, Vec<f32>>;

/// Luma of a pixel (ITU-R BT.601).
pub(super) fn luma(Rgb([red, green, blue]): Rgb<u8>) -> u8 {
    ((299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) + 500) / 1000) as u8
}

/// Luma of all pixels.
pub(super) fn grey(image: &RgbImage) -> GrayImage {
    let mut grey = GrayImage::new(image.width(), image.height());
    for (grey, pixel) in grey.pixels_mut().zip(image.pixels()) {
        *grey = Luma([luma(*pixel)]);
    }
    grey
}
