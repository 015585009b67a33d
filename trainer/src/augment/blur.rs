//! Gaussian blur as SciPy defines it.

use image::{Rgb, RgbImage};

use super::warp::mirrored;

/// Blurs each channel; the kernel is cut off at 4 σ and the image is mirrored at its edges.
pub(super) fn gaussian(image: &RgbImage, sigma: f32) -> RgbImage {
    let radius = (4.0 * sigma + 0.5) as i64;
    let weights: Vec<f32> = (-radius..=radius)
        .map(|offset| (-0.5 * (offset as f32 / sigma).powi(2)).exp())
        .collect();
    let total: f32 = weights.iter().sum();
    let (width, height) = image.dimensions();
    let weights: Vec<f32> = weights.iter().map(|weight| weight / total).collect();
    // Positions covered by the windows, from the first pixel's window on.
    let places = |length: u32| -> Vec<u32> {
        let length = i64::from(length);
        let places = -radius..length + radius;
        places.map(|place| mirrored(place, length)).collect()
    };
    let (columns, rows) = (places(width), places(height));
    let mut across = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            let window = columns[x as usize..].iter();
            across.push(weigh(
                &weights,
                window.map(|&x| image.get_pixel(x, y).0.map(f32::from)),
            ));
        }
    }
    RgbImage::from_fn(width, height, |x, y| {
        let window = rows[y as usize..].iter();
        let sum = weigh(&weights, window.map(|&y| across[(y * width + x) as usize]));
        Rgb(sum.map(|value| value.round() as u8))
    })
}

/// Weighted sum of a window.
fn weigh(weights: &[f32], window: impl Iterator<Item = [f32; 3]>) -> [f32; 3] {
    let mut sums = [0.0; 3];
    for (weight, pixel) in weights.iter().zip(window) {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += weight * value;
        }
    }
    sums
}
