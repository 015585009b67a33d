//! Gaussian blur as SciPy defines it.

use image::{Rgb, RgbImage};

use super::warp::mirrored;

/// Blurs each channel for itself; the kernel ends at 4 σ and the edge is mirrored.
pub(super) fn gaussian(image: &RgbImage, sigma: f32) -> RgbImage {
    let radius = (4.0 * sigma + 0.5) as i64;
    let weights: Vec<f32> = (-radius..=radius)
        .map(|offset| (-0.5 * (offset as f32 / sigma).powi(2)).exp())
        .collect();
    let total: f32 = weights.iter().sum();
    let (width, height) = image.dimensions();
    let weigh = |pixel: &dyn Fn(i64) -> [f32; 3]| -> [f32; 3] {
        let mut sum = [0.0; 3];
        for (offset, weight) in (-radius..=radius).zip(&weights) {
            for (sum, value) in sum.iter_mut().zip(pixel(offset)) {
                *sum += weight / total * value;
            }
        }
        sum
    };
    let mut across = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            across.push(weigh(&|offset| {
                let x = mirrored(i64::from(x) + offset, width.into());
                image.get_pixel(x, y).0.map(f32::from)
            }));
        }
    }
    RgbImage::from_fn(width, height, |x, y| {
        let sum = weigh(&|offset| {
            let y = mirrored(i64::from(y) + offset, height.into());
            across[(y * width + x) as usize]
        });
        Rgb(sum.map(|value| value.round() as u8))
    })
}
