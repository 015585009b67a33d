//! Gaussian blur. It works row by row, so that the compiler can vectorise it, and gives the values of
//! `image::imageops::blur`.

use smearscope_artifacts::weighted_sum;

use crate::analysis::quality::luma::Luma32;

/// Blurs with a standard deviation of `sigma` ≥ 1 pixels. The pixels at the edges are repeated beyond them.
pub(super) fn blur(image: &Luma32, sigma: f32) -> Luma32 {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut blurred = Luma32::new(image.width(), image.height());
    if width == 0 || height == 0 {
        return blurred;
    }
    let kernel = kernel(sigma);
    let radius = kernel.len() / 2;
    // A vertically blurred row, with its first and last pixel repeated.
    let mut row = vec![0.0; width + 2 * radius];
    for (y, sums) in blurred.chunks_exact_mut(width).enumerate() {
        let rows = (0..kernel.len()).map(|shift| {
            let y = (y + shift).saturating_sub(radius).min(height - 1);
            &image.as_raw()[y * width..][..width]
        });
        let middle = radius..radius + width;
        weighted_sum(&mut row[middle], rows.zip(kernel.iter().copied()));
        let [first, last] = [row[radius], row[radius + width - 1]];
        row[..radius].fill(first);
        row[radius + width..].fill(last);
        weighted_sum(sums, row.windows(width).zip(kernel.iter().copied()));
    }
    blurred
}

/// Weights that sum to 1. Their number is OpenCV's default
/// (`getGaussianKernel`: radius (σ − 0.8) ÷ 0.3 + 1).
fn kernel(sigma: f32) -> Vec<f32> {
    let radius = ((sigma - 0.8) / 0.3 + 1.0).round() as i32;
    let weights = (-radius..=radius).map(|at| (-((at * at) as f32) / (2.0 * sigma * sigma)).exp());
    let mut weights: Vec<f32> = weights.collect();
    let sum: f32 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= sum;
    }
    weights
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;

    #[test]
    fn values_match_the_image_crate() {
        for (width, height) in [(61, 47), (3, 200), (1, 1)] {
            let image = Luma32::from_fn(width, height, |x, y| {
                Luma([((x * 7 + y * y * 13) % 97) as f32 / 97.0])
            });
            for sigma in [1.0, 2.5] {
                let theirs = image::imageops::blur(&image, sigma);
                let ours = blur(&image, sigma);
                for (one, other) in ours.iter().zip(theirs.iter()) {
                    // The order of fifteen additions of numbers below 1 differs.
                    assert!((one - other).abs() < 1e-5, "{one} {other}");
                }
            }
        }
    }
}
