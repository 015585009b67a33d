//! From optical density to a photograph: illumination, focus, sensor and white balance.

use image::RgbImage;
use rand::{Rng, RngExt};

use super::canvas::{Canvas, Density};
use super::outline::{Outline, Point, coverage};
use super::texture::Texture;

/// How a microscope and its camera take the picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Optics {
    /// Share of full scale that empty background gives, per channel.
    background: [f32; 3],
    /// Relative change of the illumination from edge to edge, across and down.
    gradient: [f32; 2],
    /// Relative loss towards the corners.
    vignette: f32,
    /// Where the illumination peaks, relative to the field.
    peak: [f32; 2],
    /// Standard deviation of the blur, in pixels of a field 640 pixels wide.
    blur: f32,
    /// Exponent of the camera's tone curve.
    gamma: f32,
    /// Standard deviation of the sensor noise, in 8-bit levels.
    noise: f32,
    /// JPEG quality.
    pub(crate) quality: u8,
    /// Dust on the sensor: position relative to the field, size in µm, density.
    dust: Vec<([f32; 2], f32, f32)>,
}

/// Steps of the tone curve: finer than 8 bits, so that it leaves no bands.
const TONES: usize = 4096;

impl Optics {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        let brightness = rng.random_range(0.76..0.92);
        let tint = [0.05_f32, 0.04, 0.07].map(|range| 1.0 + rng.random_range(-range..range));
        let defocus: f32 = rng.random_range(0.0..1.0);
        Self {
            background: tint.map(|tint| (brightness * tint).min(0.97)),
            gradient: [0; 2].map(|_| rng.random_range(-0.1..0.1)),
            vignette: rng.random_range(0.0..0.18),
            peak: [0; 2].map(|_| rng.random_range(0.35..0.65)),
            blur: 0.45 + 0.95 * defocus * defocus,
            gamma: rng.random_range(0.9..1.15),
            noise: rng.random_range(0.5..3.5),
            quality: rng.random_range(72..=95),
            dust: (0..rng.random_range(0..5))
                .map(|_| {
                    (
                        [0; 2].map(|_| rng.random_range(0.0..1.0)),
                        rng.random_range(0.3..1.0),
                        rng.random_range(0.02..0.12),
                    )
                })
                .collect(),
        }
    }

    /// Takes the picture.
    pub(crate) fn photograph(&self, canvas: &mut Canvas, rng: &mut impl Rng) -> RgbImage {
        self.drop_dust(canvas, rng);
        let (width, height) = canvas.size();
        let mut light = self.transmit(canvas);
        blur(&mut light, width, self.blur * width as f32 / 640.0);
        let tone: Vec<f32> = (0..=TONES)
            .map(|tone| (tone as f32 / TONES as f32).powf(self.gamma) * 255.0)
            .collect();
        let mut picture = RgbImage::new(width as u32, height as u32);
        for (sample, light) in picture.iter_mut().zip(light.as_flattened()) {
            let level = tone[(light.clamp(0.0, 1.0) * TONES as f32) as usize];
            *sample = (level + self.noise * rough_normal(rng) + 0.5) as u8;
        }
        picture
    }

    fn drop_dust(&self, canvas: &mut Canvas, rng: &mut impl Rng) {
        let [width, height] = canvas.extent();
        for &([x, y], radius, amount) in &self.dust {
            let at = Point {
                x: x * width,
                y: y * height,
            };
            let mote = Outline::draw(rng, at, radius, 0.15, 0.1);
            canvas.each_near(at, mote.reach() + 1.0, |at, spot| {
                spot.density += Density([amount; 3]).times(coverage(mote.depth(at), 0.8));
            });
        }
    }

    /// Light that comes through, as a share of full scale.
    fn transmit(&self, canvas: &Canvas) -> Vec<[f32; 3]> {
        let (width, height) = canvas.size();
        let mut light = Vec::with_capacity(width * height);
        for (index, spot) in canvas.spots().iter().enumerate() {
            let x = (index % width) as f32 / width as f32;
            let y = (index / width) as f32 / height as f32;
            let (dx, dy) = (x - self.peak[0], y - self.peak[1]);
            let lamp = 1.0 + self.gradient[0] * (x - 0.5) + self.gradient[1] * (y - 0.5)
                - self.vignette * (dx * dx + dy * dy) * 2.0;
            light.push(std::array::from_fn(|channel| {
                // 10^-density
                let passed = (-std::f32::consts::LN_10 * spot.density.0[channel]).exp();
                self.background[channel] * lamp * passed
            }));
        }
        light
    }
}

/// Uneven film of dried plasma under everything else.
pub(crate) fn paint_plasma(canvas: &mut Canvas, plasma: Density, amount: f32, texture: Texture) {
    let [width, height] = canvas.extent();
    let middle = Point {
        x: width / 2.0,
        y: height / 2.0,
    };
    canvas.each_near(middle, width.max(height), |at, spot| {
        let broad = texture.at(at.x / 14.0, at.y / 14.0);
        let narrow = texture.at(at.x / 2.5 + 60.0, at.y / 2.5);
        spot.density += plasma.times(amount * (1.0 + 0.6 * broad + 0.25 * narrow));
    });
}

/// Gaussian blur with the edge pixels repeated outside; `sigma` in pixels.
fn blur(light: &mut [[f32; 3]], width: usize, sigma: f32) {
    if sigma < 0.3 {
        return;
    }
    let reach = (3.0 * sigma).ceil() as usize;
    let weights: Vec<f32> = (0..=2 * reach)
        .map(|tap| {
            let offset = (tap as f32 - reach as f32) / sigma;
            (-0.5 * offset * offset).exp()
        })
        .collect();
    let total: f32 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|weight| weight / total).collect();
    let height = light.len() / width;
    let mut source = light.to_vec();

    let accumulate = |target: &mut [f32; 3], pixel: [f32; 3], weight: f32| {
        for (sum, sample) in target.iter_mut().zip(pixel) {
            *sum += sample * weight;
        }
    };
    for (row, line) in light.chunks_exact_mut(width).enumerate() {
        let from = &source[row * width..][..width];
        for (column, target) in line.iter_mut().enumerate() {
            *target = [0.0; 3];
            for (tap, &weight) in weights.iter().enumerate() {
                let at = (column + tap).saturating_sub(reach).min(width - 1);
                accumulate(target, from[at], weight);
            }
        }
    }
    source.copy_from_slice(light);
    for (row, line) in light.chunks_exact_mut(width).enumerate() {
        line.fill([0.0; 3]);
        for (tap, &weight) in weights.iter().enumerate() {
            let at = (row + tap).saturating_sub(reach).min(height - 1);
            for (target, &pixel) in line.iter_mut().zip(&source[at * width..]) {
                accumulate(target, pixel, weight);
            }
        }
    }
}

/// Normal to a few percent (sum of four uniform bytes, unit variance): three per pixel are needed.
fn rough_normal(rng: &mut impl Rng) -> f32 {
    const MEAN: f32 = 4.0 * 127.5;
    const DEVIATION: f32 = 147.8;
    let sum: u16 = rng
        .next_u32()
        .to_le_bytes()
        .into_iter()
        .map(u16::from)
        .sum();
    (f32::from(sum) - MEAN) / DEVIATION
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn rough_normal_has_unit_variance() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let values: Vec<f32> = (0..20_000).map(|_| rough_normal(&mut rng)).collect();
        let mean = values.iter().sum::<f32>() / 20_000.0;
        let variance = values.iter().map(|value| value * value).sum::<f32>() / 20_000.0;
        // Six standard errors of each.
        assert!(mean.abs() < 0.043, "{mean}");
        assert!((variance - 1.0).abs() < 0.06, "{variance}");
    }

    #[test]
    fn blur_spreads_a_point_into_a_gaussian_and_keeps_the_light() {
        let (width, height) = (21, 21);
        let mut light = vec![[0.0; 3]; width * height];
        light[10 * width + 10] = [1.0; 3];
        blur(&mut light, width, 1.5);
        let total: f32 = light.iter().map(|pixel| pixel[0]).sum();
        assert!((total - 1.0).abs() < 1e-4);
        // Three pixels away a Gaussian of σ = 1.5 falls to e^-2.
        let ratio = light[10 * width + 13][1] / light[10 * width + 10][1];
        assert!((ratio - (-2.0_f32).exp()).abs() < 1e-4);
    }
}
