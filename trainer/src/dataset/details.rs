//! The details of an image: what is left when the coarse light and shade is subtracted.

use image::{ImageBuffer, Luma, Rgb, RgbImage, imageops};

/// Standard deviation of the blur that is subtracted, in pixels of the small copy.
const BLUR: f32 = 2.0;

/// The details of a small copy of an image, row by row; their mean is 0.
pub(super) fn details(image: &RgbImage, width: u32, height: u32) -> Vec<f32> {
    let small = imageops::thumbnail(image, width, height);
    let grey = ImageBuffer::from_fn(width, height, |x, y| {
        let Rgb([red, green, blue]) = *small.get_pixel(x, y);
        // ITU-R BT.601 luma.
        Luma([0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)])
    });
    let coarse = imageops::blur(&grey, BLUR);
    let mut details: Vec<f32> = grey.iter().zip(coarse.iter()).map(|(a, b)| a - b).collect();
    let mean = details.iter().sum::<f32>() / details.len() as f32;
    for value in &mut details {
        *value -= mean;
    }
    details
}
