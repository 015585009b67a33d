//! From optical density to a photograph: illumination, focus, colour, tone, sensor.

use image::RgbImage;
use rand::{Rng, RngExt};

use super::canvas::{Canvas, Density};
use super::outline::{Outline, Point, coverage};
use super::random::log_uniform;
use super::texture::{fade, lerp};

/// How a microscope and its camera take the picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Optics {
    /// Level of the empty background per channel, relative to full scale; above 1 is overexposed.
    background: [f32; 3],
    /// Relative change of the illumination from edge to edge, across and down.
    gradient: [f32; 2],
    /// Relative loss of light towards the corners.
    vignette: f32,
    /// How much more of its light each channel loses towards the corners than by the vignette:
    /// cameras that were not calibrated for their lens have purple or green rims.
    rim: [f32; 3],
    /// Position of the brightest point, relative to the field.
    peak: [f32; 2],
    /// Standard deviation of the defocus, µm.
    defocus: f32,
    /// How far the stage moved during the exposure, µm.
    motion: [f32; 2],
    /// Standard deviation of the blur of sensor and objective in focus, in pixels of a picture 640
    /// pixels wide.
    sensor_blur: f32,
    /// Lateral chromatic aberration: displacement of red and blue from green, in thousandths of the
    /// picture's width.
    fringe: [[f32; 2]; 2],
    /// Colour matrix of the camera: saturation and hue; each row adds up to 1.
    colour: [[f32; 3]; 3],
    tone: Tone,
    sharpening: Option<Sharpening>,
    /// Standard deviation of the sensor noise, in 8-bit levels.
    noise: f32,
    /// Correlation of the noise of neighbouring pixels, 0 to 1: cameras interpolate and smooth.
    noise_correlation: f32,
    pub(crate) compression: Compression,
    dust: Vec<DustGrain>,
}

/// A grain of dust on the sensor.
#[derive(Debug, Clone, PartialEq)]
struct DustGrain {
    /// Position relative to the field.
    position: [f32; 2],
    /// Radius, µm.
    radius: f32,
    /// Optical density.
    density: f32,
}

/// How the picture is compressed as a JPEG file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compression {
    /// JPEG quality, 1 to 100.
    pub(crate) quality: u8,
    /// Whether colour is kept at half the resolution (4:2:0), as most cameras do.
    pub(crate) halves_chroma: bool,
}

/// The camera's tone curve, of light relative to the background.
#[derive(Debug, Clone, PartialEq)]
struct Tone {
    gamma: f32,
    /// Share of a smooth step in the curve, 0 to 1.
    contrast: f32,
    /// Stray light, as a share of the background.
    glare: f32,
}

/// Unsharp masking, which leaves haloes.
#[derive(Debug, Clone, PartialEq)]
struct Sharpening {
    amount: f32,
    /// Standard deviation of the mask, in pixels of a field 640 pixels wide.
    radius: f32,
}

/// Steps of the tone curve: finer than 8 bits, to avoid banding.
const TONES: usize = 4096;
/// Brightest light of the tone curve, relative to the background.
const BRIGHTEST: f32 = 1.5;
/// Largest blur, in pixels of a picture 640 pixels wide: with more no cell can be recognised.
const MAX_BLUR: f32 = 9.0;

impl Optics {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        let out_of_focus: f32 = rng.random_range(0.0..1.0);
        let fringed = rng.random_bool(0.3);
        Self {
            background: background(rng),
            gradient: [0; 2].map(|_| 0.12 * rng.random_range(-1.0..1.0_f32).powi(3)),
            vignette: 0.3 * rng.random_range(0.0..1.0_f32).powi(2),
            rim: rim(rng),
            peak: [0; 2].map(|_| rng.random_range(0.3..0.7)),
            defocus: 0.05 + 0.75 * out_of_focus.powi(4),
            motion: motion(rng),
            sensor_blur: log_uniform(rng, 0.25, 0.9),
            fringe: [0; 2].map(|_| {
                [0; 2].map(|_| {
                    if fringed {
                        rng.random_range(-3.0..3.0)
                    } else {
                        0.0
                    }
                })
            }),
            colour: rendering(
                log_uniform(rng, 0.65, 1.9),
                rng.random_range(-12.0..12.0_f32).to_radians(),
            ),
            tone: Tone {
                gamma: log_uniform(rng, 0.75, 1.35),
                contrast: rng.random_range(-0.5..0.6_f32).max(0.0),
                glare: rng.random_range(-0.08..0.12_f32).max(0.0),
            },
            sharpening: rng.random_bool(0.3).then(|| Sharpening {
                amount: rng.random_range(0.3..1.3),
                radius: rng.random_range(0.8..3.0),
            }),
            noise: log_uniform(rng, 0.3, 6.0),
            noise_correlation: rng.random_range(-0.6..0.8_f32).max(0.0),
            compression: Compression {
                quality: rng.random_range(55..=96),
                halves_chroma: rng.random_bool(0.7),
            },
            dust: (0..rng.random_range(0..6))
                .map(|_| DustGrain {
                    position: [0; 2].map(|_| rng.random_range(0.0..1.0)),
                    radius: rng.random_range(0.3..1.4),
                    density: rng.random_range(0.02..0.2),
                })
                .collect(),
        }
    }

    /// The same optics for a window of the picture, a square of `share` of the picture's width and
    /// height: the light changes as much less from edge to edge.
    pub(crate) fn in_window(mut self, rng: &mut impl Rng, share: f32) -> Self {
        let start = [0; 2].map(|_| rng.random_range(0.0..1.0 - share));
        let within = |at: [f32; 2]| [0, 1].map(|axis| (at[axis] - start[axis]) / share);
        for grain in &mut self.dust {
            grain.position = within(grain.position);
        }
        Self {
            gradient: self.gradient.map(|change| change * share),
            vignette: self.vignette * share * share,
            rim: self.rim.map(|loss| loss * share * share),
            peak: within(self.peak),
            ..self
        }
    }

    /// Takes the picture. Blur, fringes and sharpening are those of a picture `camera_width` pixels
    /// wide, from which the canvas may be cropped.
    pub(crate) fn photograph(
        &self,
        canvas: &mut Canvas,
        camera_width: usize,
        rng: &mut impl Rng,
    ) -> RgbImage {
        self.paint_dust(canvas, rng);
        let (width, height) = canvas.size();
        let mut light = self.transmit(canvas, camera_width);
        blur(&mut light, width, self.blur(canvas, camera_width));
        smear(
            &mut light,
            width,
            self.motion.map(|shift| shift / canvas.pixel()),
        );
        self.sharpen(&mut light, width, camera_width);
        let tone = self.tone.curve();
        let mut noise = Noise::new(width, self.noise, self.noise_correlation);
        let mut picture = RgbImage::new(width as u32, height as u32);
        for (pixel, light) in picture.pixels_mut().zip(light) {
            for (channel, sample) in pixel.0.iter_mut().enumerate() {
                let mixed: f32 = light
                    .iter()
                    .zip(self.colour[channel])
                    .map(|(light, share)| light * share)
                    .sum();
                let step = mixed.clamp(0.0, BRIGHTEST) / BRIGHTEST * TONES as f32;
                let level = tone[step as usize] * self.background[channel] * 255.0;
                *sample = (level + noise.next(channel, rng) + 0.5) as u8;
            }
        }
        picture
    }

    /// Standard deviation of the blur, in pixels.
    fn blur(&self, canvas: &Canvas, camera_width: usize) -> f32 {
        let scale = camera_width as f32 / 640.0;
        (self.sensor_blur * scale)
            .hypot(self.defocus / canvas.pixel())
            .min(MAX_BLUR * scale)
    }

    /// How far a change of the smear reaches in the picture, µm.
    #[cfg(test)]
    pub(crate) fn reach(&self, canvas: &Canvas) -> f32 {
        let width = canvas.size().0 as f32;
        let mask = self
            .sharpening
            .as_ref()
            .map_or(0.0, |mask| mask.radius * width / 640.0);
        let fringe = self
            .fringe
            .as_flattened()
            .iter()
            .fold(0.0_f32, |most, shift| most.max(shift.abs()));
        let pixels = kernel_reach(self.blur(canvas, canvas.size().0)) + kernel_reach(mask);
        let [x, y] = self.motion;
        x.hypot(y) + (pixels as f32 + fringe * width / 1000.0 + 3.0) * canvas.pixel()
    }

    fn sharpen(&self, light: &mut [[f32; 3]], width: usize, camera_width: usize) {
        if let Some(Sharpening { amount, radius }) = self.sharpening {
            let mut mask = light.to_vec();
            blur(&mut mask, width, radius * camera_width as f32 / 640.0);
            for (sample, mask) in light.as_flattened_mut().iter_mut().zip(mask.as_flattened()) {
                *sample += amount * (*sample - mask);
            }
        }
    }

    fn paint_dust(&self, canvas: &mut Canvas, rng: &mut impl Rng) {
        let [width, height] = canvas.extent();
        for grain in &self.dust {
            let [x, y] = grain.position;
            let at = Point {
                x: x * width,
                y: y * height,
            };
            let outline = Outline::draw(rng, at, grain.radius, 0.15, 0.1);
            canvas.each_near(at, outline.reach() + 1.0, |at, spot| {
                spot.density += Density([grain.density; 3]).times(coverage(outline.depth(at), 0.8));
            });
        }
    }

    /// Transmitted light, relative to the empty middle of the field.
    fn transmit(&self, canvas: &Canvas, camera_width: usize) -> Vec<[f32; 3]> {
        let (width, height) = canvas.size();
        let spots = canvas.spots();
        let pixels = |shift: f32| (shift * camera_width as f32 / 1000.0) as isize;
        let shift = |[x, y]: [f32; 2]| [x, y].map(pixels);
        let [red, blue] = self.fringe.map(shift);
        let shifts = [red, [0, 0], blue];
        let mut light = Vec::with_capacity(width * height);
        for row in 0..height {
            let y = row as f32 / height as f32;
            let lines = shifts.map(|[_, down]| {
                let row = row.saturating_add_signed(down).min(height - 1);
                &spots[row * width..][..width]
            });
            for column in 0..width {
                let x = column as f32 / width as f32;
                let (dx, dy) = (x - self.peak[0], y - self.peak[1]);
                let lamp = 1.0 + self.gradient[0] * (x - 0.5) + self.gradient[1] * (y - 0.5)
                    - self.vignette * (dx * dx + dy * dy) * 2.0;
                let outside = 2.0 * (dx * dx + dy * dy);
                light.push(std::array::from_fn(|channel| {
                    let lamp = lamp - self.rim[channel] * outside;
                    let [across, _] = shifts[channel];
                    let column = column.saturating_add_signed(across).min(width - 1);
                    let density = lines[channel][column].density.0[channel];
                    // 10^-density
                    lamp * (-std::f32::consts::LN_10 * density).exp()
                }));
            }
        }
        light
    }
}

impl Tone {
    fn curve(&self) -> Vec<f32> {
        let Self {
            gamma,
            contrast,
            glare,
        } = *self;
        (0..=TONES)
            .map(|step| {
                let light = step as f32 / TONES as f32 * BRIGHTEST;
                let bent = light.powf(gamma);
                let steep = fade(bent.min(1.0)) + (bent - 1.0).max(0.0);
                glare + (1.0 - glare) * lerp(bent, steep, contrast)
            })
            .collect()
    }
}

/// Loss of light of each channel towards the corners, in a third of the cameras.
fn rim(rng: &mut impl Rng) -> [f32; 3] {
    if rng.random_bool(0.35) {
        [0; 3].map(|_| rng.random_range(0.0..0.45))
    } else {
        [0.0; 3]
    }
}

/// How far the stage moves during the exposure, µm: not at all, as a rule.
fn motion(rng: &mut impl Rng) -> [f32; 2] {
    if rng.random_bool(0.12) {
        let distance = log_uniform(rng, 0.3, 1.8);
        let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
        [distance * cos, distance * sin]
    } else {
        [0.0; 2]
    }
}

/// Colour of an empty slide, which lamp, filters, exposure and white balance determine: white, grey,
/// beige, yellowish, bluish, greenish or pink.
fn background(rng: &mut impl Rng) -> [f32; 3] {
    let exposure: f32 = rng.random_range(0.0..1.0);
    let brightness = 0.52 + 0.50 * exposure.powf(0.5);
    // Of the lamp, from incandescent to daylight; most cameras nearly balance it.
    let warmth: f32 = rng.random_range(-1.0..1.0);
    let warmth = 0.03 + 0.16 * warmth * warmth.abs();
    let green = if rng.random_bool(0.2) {
        rng.random_range(-0.22..-0.05)
    } else {
        rng.random_range(-0.05..0.05)
    };
    let tint = [1.0 + warmth, 1.0 + green, 1.0 - warmth];
    let brightest = tint.iter().fold(0.0_f32, |most, &tint| most.max(tint));
    tint.map(|tint| brightness * tint / brightest)
}

/// Colour matrix that turns colours about grey by `hue` (radians) and scales their saturation.
fn rendering(saturation: f32, hue: f32) -> [[f32; 3]; 3] {
    let (sin, cos) = (hue.sin() * saturation, hue.cos() * saturation);
    // Rodrigues' rotation about the grey axis.
    let along = (1.0 - cos) / 3.0;
    let across = sin / 3.0_f32.sqrt();
    [
        [along + cos, along - across, along + across],
        [along + across, along + cos, along - across],
        [along - across, along + across, along + cos],
    ]
}

/// Gaussian blur with the edge pixels repeated outside; `sigma` in pixels.
fn blur(light: &mut [[f32; 3]], width: usize, sigma: f32) {
    let reach = kernel_reach(sigma);
    if reach == 0 {
        return;
    }
    let weights: Vec<f32> = (0..=2 * reach)
        .map(|tap| {
            let offset = (tap as f32 - reach as f32) / sigma;
            (-0.5 * offset * offset).exp()
        })
        .collect();
    let total: f32 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|weight| weight / total).collect();
    let height = light.len() / width;

    // Sums run over whole lines, so that the compiler vectorises them.
    let accumulate = |target: &mut [[f32; 3]], source: &[[f32; 3]], weight: f32| {
        let samples = source.as_flattened();
        for (sum, sample) in target.as_flattened_mut().iter_mut().zip(samples) {
            *sum += sample * weight;
        }
    };
    let mut padded = vec![[0.0; 3]; width + 2 * reach];
    for line in light.chunks_exact_mut(width) {
        padded[..reach].fill(line[0]);
        padded[reach..reach + width].copy_from_slice(line);
        padded[reach + width..].fill(line[width - 1]);
        line.fill([0.0; 3]);
        for (tap, &weight) in weights.iter().enumerate() {
            accumulate(line, &padded[tap..tap + width], weight);
        }
    }
    let source = light.to_vec();
    for (row, line) in light.chunks_exact_mut(width).enumerate() {
        line.fill([0.0; 3]);
        for (tap, &weight) in weights.iter().enumerate() {
            let at = (row + tap).saturating_sub(reach).min(height - 1);
            accumulate(line, &source[at * width..][..width], weight);
        }
    }
}

/// Blur by a motion of so many pixels across and down during the exposure, at even speed.
fn smear(light: &mut [[f32; 3]], width: usize, motion: [f32; 2]) {
    let length = motion[0].hypot(motion[1]).ceil() as usize;
    if length < 1 {
        return;
    }
    let height = light.len() / width;
    let source = light.to_vec();
    let shifts: Vec<[isize; 2]> = (0..=length)
        .map(|step| {
            let share = step as f32 / length as f32 - 0.5;
            motion.map(|side| (side * share).round() as isize)
        })
        .collect();
    let weight = 1.0 / shifts.len() as f32;
    for (row, line) in light.chunks_exact_mut(width).enumerate() {
        for (column, pixel) in line.iter_mut().enumerate() {
            *pixel = [0.0; 3];
            for &[across, down] in &shifts {
                let x = column.saturating_add_signed(across).min(width - 1);
                let y = row.saturating_add_signed(down).min(height - 1);
                for (sum, sample) in pixel.iter_mut().zip(source[y * width + x]) {
                    *sum += weight * sample;
                }
            }
        }
    }
}

/// Sensor noise whose neighbours are correlated, pixel by pixel: a separable autoregressive process
/// of first order.
struct Noise {
    deviation: f32,
    correlation: f32,
    /// The values of the row so far, and of the rest of the row above.
    row: Vec<[f32; 3]>,
    column: usize,
    /// The values of the left neighbour, and of the left neighbour's upper one.
    left: [[f32; 2]; 3],
}

impl Noise {
    fn new(width: usize, deviation: f32, correlation: f32) -> Self {
        Self {
            deviation,
            correlation,
            row: vec![[0.0; 3]; width],
            column: 0,
            left: [[0.0; 2]; 3],
        }
    }

    /// The value of the next sample; channels follow each other in their order.
    fn next(&mut self, channel: usize, rng: &mut impl Rng) -> f32 {
        let rho = self.correlation;
        let [left, upper_left] = self.left[channel];
        let upper = self.row[self.column][channel];
        // The first few rows and columns have less noise: none surrounds the picture.
        let fresh = (1.0 - rho * rho) * rough_normal(rng);
        let value = rho * (left + upper) - rho * rho * upper_left + fresh;
        self.row[self.column][channel] = value;
        self.left[channel] = [value, upper];
        if channel == 2 {
            self.column += 1;
            if self.column == self.row.len() {
                self.column = 0;
                self.left = [[0.0; 2]; 3];
            }
        }
        self.deviation * value
    }
}

/// Pixels on either side that a Gaussian of `sigma` pixels covers; none if it is narrower than a
/// pixel.
fn kernel_reach(sigma: f32) -> usize {
    if sigma < 0.3 {
        0
    } else {
        (3.0 * sigma).ceil() as usize
    }
}

/// Normally distributed to a few percent, with unit variance: the sum of four uniform bytes, fast
/// because every pixel needs three.
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
    fn noise_has_its_deviation_and_its_correlation() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let (width, height) = (120, 120);
        let mut noise = Noise::new(width, 3.0, 0.5);
        let values: Vec<f32> = (0..3 * width * height)
            .map(|sample| noise.next(sample % 3, &mut rng))
            .collect();
        let green = |x: usize, y: usize| values[3 * (y * width + x) + 1];
        // The mean product of values `across` and `down` apart, away from the first rows.
        let covariance = |across: usize, down: usize| {
            let inner = (10..110).flat_map(|y| (10..110).map(move |x| (x, y)));
            let sum: f32 = inner
                .map(|(x, y)| green(x, y) * green(x + across, y + down))
                .sum();
            sum / 10_000.0
        };
        let variance = covariance(0, 0);
        // Six standard errors or so.
        assert!((variance / 9.0 - 1.0).abs() < 0.15, "{variance}");
        for (across, down, expected) in [(1, 0, 0.5), (0, 1, 0.5), (1, 1, 0.25), (2, 0, 0.25)] {
            let correlation = covariance(across, down) / variance;
            assert!((correlation - expected).abs() < 0.08, "{correlation}");
        }
    }

    #[test]
    fn motion_spreads_a_point_along_its_path_and_keeps_the_light() {
        let (width, height) = (21, 21);
        let mut light = vec![[0.0; 3]; width * height];
        light[10 * width + 10] = [1.0; 3];
        smear(&mut light, width, [4.0, 0.0]);
        let row: Vec<f32> = (7..14).map(|x| light[10 * width + x][2]).collect();
        assert_eq!(row, [0.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.0]);
        let mut still = light.clone();
        smear(&mut still, width, [0.0; 2]);
        assert_eq!(still, light);
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

    #[test]
    fn backgrounds_are_white_grey_beige_and_bluish() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let backgrounds: Vec<[f32; 3]> = (0..1000).map(|_| background(&mut rng)).collect();
        let count = |which: &dyn Fn([f32; 3]) -> bool| {
            backgrounds.iter().filter(|&&colour| which(colour)).count()
        };
        assert!(count(&|[red, green, blue]| red.min(green).min(blue) > 0.9) > 40);
        // The usual border colour of ALL-IDB1, (162, 159, 144), within 8 %.
        let beige = [162.0, 159.0, 144.0];
        let near = |colour: [f32; 3]| {
            let pairs = colour.into_iter().zip(beige);
            pairs
                .into_iter()
                .all(|(ours, theirs): (f32, f32)| (ours * 255.0 / theirs - 1.0).abs() < 0.08)
        };
        assert!(count(&near) > 10);
        assert!(count(&|[red, _, blue]| blue > 1.03 * red) > 100);
        assert!(count(&|[red, _, blue]| blue < 0.8 * red) > 100);
        for colour in backgrounds {
            assert!(
                colour.iter().all(|level| (0.3..1.03).contains(level)),
                "{colour:?}"
            );
        }
    }

    #[test]
    fn rendering_keeps_grey_and_scales_saturation() {
        for (saturation, hue) in [(1.0, 0.0), (1.5, 0.2), (0.6, -0.2)] {
            let matrix = rendering(saturation, hue);
            let apply = |colour: [f32; 3]| {
                matrix.map(|row| row.iter().zip(colour).map(|(a, b)| a * b).sum::<f32>())
            };
            for level in apply([0.7; 3]) {
                assert!((level - 0.7).abs() < 1e-6);
            }
            let length = |colour: [f32; 3]| {
                let mean = colour.iter().sum::<f32>() / 3.0;
                colour
                    .iter()
                    .map(|level| (level - mean).powi(2))
                    .sum::<f32>()
                    .sqrt()
            };
            let colour = [0.5, 0.2, 0.6];
            let ratio = length(apply(colour)) / length(colour);
            assert!((ratio - saturation).abs() < 1e-5, "{ratio}");
        }
    }

    #[test]
    fn tone_curves_rise_and_keep_the_background() {
        for (gamma, contrast, glare) in [(1.0, 0.0, 0.0), (0.75, 0.6, 0.12), (1.35, 0.3, 0.05)] {
            let curve = Tone {
                gamma,
                contrast,
                glare,
            }
            .curve();
            assert!(curve.windows(2).all(|pair| pair[1] >= pair[0]));
            assert!((curve[0] - glare).abs() < 1e-6);
            let background = curve[(TONES as f32 / BRIGHTEST).round() as usize];
            assert!((background - 1.0).abs() < 1e-3);
        }
    }
}
