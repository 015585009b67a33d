//! Random augmentation: how other slides, stains, microscopes and cameras might show the same cells.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageBuffer, ImageFormat, Pixel, RgbImage, imageops};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Normal};

use super::warp::{Affine, Border};
use super::{blur, tone};

/// Magnification; at most 1, since a field may be positive because of one cell, which must not leave
/// the frame.
const ZOOM: (f32, f32) = (0.75, 1.0);
/// Largest rotation in degrees, in addition to quarter turns.
const MAX_ROTATION: f32 = 10.0;
/// Largest translation, as a share of the frame.
const MAX_TRANSLATION: f32 = 0.03;
/// Strength of all dyes, and the largest deviation of a channel.
const STRENGTH: (f32, f32) = (0.8, 1.2);
const CHANNEL_STRENGTH: f32 = 0.05;
/// Largest optical density added to the background.
const TINT: f32 = 0.03;
const BRIGHTNESS: (f32, f32) = (0.9, 1.1);
/// Standard deviation of the blur in thousandths of the frame's width.
const BLUR: (f32, f32) = (1.0, 6.0);
const BLUR_CHANCE: f64 = 0.3;
/// Largest standard deviation of the noise, in levels.
const NOISE: f32 = 6.0;
const QUALITY: (u8, u8) = (40, 95);
const JPEG_CHANCE: f64 = 0.5;

/// Augments the image at random, keeping its size.
pub(crate) fn jitter(image: &RgbImage, rng: &mut impl Rng) -> RgbImage {
    jitter_with_mask(image, None, rng).0
}

/// As [`jitter`], and moves a mask of the same field, which may be of another size, as the image is moved.
pub(crate) fn jitter_with_mask(
    image: &RgbImage,
    mask: Option<&GrayImage>,
    rng: &mut impl Rng,
) -> (RgbImage, Option<GrayImage>) {
    let placement = Placement::draw(image.width() == image.height(), rng);
    let mask = mask.map(|mask| placement.apply(mask));
    let picture = placement.apply(image);
    let strength = rng.random_range(STRENGTH.0..=STRENGTH.1);
    let strength =
        [0; 3].map(|_| strength + rng.random_range(-CHANNEL_STRENGTH..=CHANNEL_STRENGTH));
    let tint = [0; 3].map(|_| rng.random_range(-TINT..=TINT));
    let picture = tone::restain(&picture, strength, tint);
    let mut picture = tone::brighten(&picture, rng.random_range(BRIGHTNESS.0..=BRIGHTNESS.1));
    if rng.random_bool(BLUR_CHANCE) {
        let sigma = rng.random_range(BLUR.0..=BLUR.1) / 1000.0 * picture.width() as f32;
        picture = blur::gaussian(&picture, sigma);
    }
    add_noise(&mut picture, rng);
    if rng.random_bool(JPEG_CHANCE) {
        picture = compress(picture, rng.random_range(QUALITY.0..=QUALITY.1));
    }
    (picture, mask)
}

/// Where a field lies in its frame: moved, scaled and turned, into any orientation since a smear has none.
/// It is mirrored at its edges.
#[derive(Debug, Clone, Copy)]
struct Placement {
    zoom: f32,
    /// Translation to the right and down, as shares of the frame.
    shift: [f32; 2],
    degrees: f32,
    /// Turned by 180 degrees.
    upside_down: bool,
    /// Turned by 90 degrees; square frames only.
    on_its_side: bool,
    flipped: bool,
}

impl Placement {
    fn draw(is_square: bool, rng: &mut impl Rng) -> Self {
        Self {
            zoom: rng.random_range(ZOOM.0.ln()..=ZOOM.1.ln()).exp(),
            shift: [0; 2].map(|_| rng.random_range(-MAX_TRANSLATION..=MAX_TRANSLATION)),
            degrees: rng.random_range(-MAX_ROTATION..=MAX_ROTATION),
            upside_down: rng.random(),
            on_its_side: is_square && rng.random(),
            flipped: rng.random(),
        }
    }

    fn apply<P: Pixel<Subpixel = u8> + 'static>(
        &self,
        image: &ImageBuffer<P, Vec<u8>>,
    ) -> ImageBuffer<P, Vec<u8>> {
        let (width, height) = (image.width() as f32, image.height() as f32);
        // Pixel centres have integer coordinates.
        let centre = ((width - 1.0) / 2.0, (height - 1.0) / 2.0);
        let [right, down] = self.shift;
        let mut placed = Affine::rotation(centre, self.degrees, self.zoom)
            .then_translated(width * right, height * down)
            .apply(image, Border::Mirror);
        if self.upside_down {
            imageops::rotate180_in_place(&mut placed);
        }
        if self.on_its_side {
            placed = imageops::rotate90(&placed);
        }
        if self.flipped != self.on_its_side {
            imageops::flip_vertical_in_place(&mut placed);
        }
        placed
    }
}

fn add_noise(picture: &mut RgbImage, rng: &mut impl Rng) {
    // A finite, non-negative deviation is always valid.
    let Ok(noise) = Normal::new(0.0, rng.random_range(0.0..=NOISE)) else {
        return;
    };
    // Picking from 256 draws is much faster than drawing for each sample, and random enough.
    let draws: [f32; 256] = std::array::from_fn(|_| noise.sample(rng));
    let mut picks = vec![0_u8; picture.len()];
    rng.fill_bytes(&mut picks);
    for (sample, pick) in picture.iter_mut().zip(picks) {
        *sample = (f32::from(*sample) + draws[usize::from(pick)]).round() as u8;
    }
}

/// Compresses and decompresses the image as JPEG.
fn compress(picture: RgbImage, quality: u8) -> RgbImage {
    let mut bytes = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&picture);
    // In memory this does not fail; if it did, the image would stay uncompressed.
    encoded
        .and_then(|()| {
            image::ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg).decode()
        })
        .map_or(picture, |image| image.to_rgb8())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_each_draw_differs() {
        let image = crate::synth::example_field(1, 96, 72);
        let draw = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            [jitter(&image, &mut rng), jitter(&image, &mut rng)]
        };
        let first = draw(1);
        assert_eq!(first, draw(1));
        assert_ne!(first, draw(2));
        assert_ne!(first[0], first[1]);
        assert_eq!(first[0].dimensions(), (96, 72));
    }

    #[test]
    fn a_cell_near_a_corner_stays_in_the_frame() {
        // A dark cell as wide as a fifth of the frame, its rim a twentieth from two edges.
        let image = RgbImage::from_fn(100, 100, |x, y| {
            let off = (x as f32 - 15.0).hypot(y as f32 - 15.0);
            image::Rgb([if off < 10.0 { 20 } else { 220 }; 3])
        });
        let dark = |image: &RgbImage| image.pixels().filter(|pixel| pixel[0] < 120).count();
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for _ in 0..100 {
            // All of it, as the magnification leaves it, but for a tenth.
            let smallest = dark(&image) as f32 * ZOOM.0.powi(2) * 0.9;
            let kept = dark(&Placement::draw(true, &mut rng).apply(&image));
            assert!(kept as f32 > smallest, "{kept} of {}", dark(&image));
        }
    }

    #[test]
    fn a_mask_moves_with_its_cells() {
        // Two dark cells of different sizes, one of them near an edge.
        let is_cell =
            |x: f32, y: f32| (x - 0.7).hypot(y - 0.3) < 0.12 || (x - 0.12).hypot(y - 0.55) < 0.08;
        let inside = |x: u32, y: u32, side: u32| {
            let [x, y] = [x, y].map(|at| (at as f32 + 0.5) / side as f32);
            is_cell(x, y)
        };
        let image = RgbImage::from_fn(160, 160, |x, y| {
            image::Rgb([if inside(x, y, 160) { 40 } else { 220 }; 3])
        });
        let mask = GrayImage::from_fn(80, 80, |x, y| {
            image::Luma([if inside(x, y, 80) { 255 } else { 0 }])
        });
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for _ in 0..40 {
            let (picture, mask) = jitter_with_mask(&image, Some(&mask), &mut rng);
            let mask = mask.unwrap();
            assert_eq!(mask.dimensions(), (80, 80));
            let differing = mask.enumerate_pixels().filter(|(x, y, inside)| {
                // Away from outlines, which blur and noise move.
                let dark = picture.get_pixel(2 * x, 2 * y).0[1] < 130;
                [0, 255].contains(&inside.0[0]) && dark != (inside.0[0] == 255)
            });
            // The cells cover some 420 of 6,400 pixels, a perimeter of some 100.
            let differing = differing.count();
            assert!(differing < 30, "{differing}");
        }
    }

    #[test]
    fn every_orientation_is_drawn() {
        let mut image = RgbImage::new(40, 40);
        for (x, y) in [(12, 8), (13, 8), (12, 9), (13, 9)] {
            image.put_pixel(x, y, image::Rgb([255; 3]));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut octants = std::collections::HashSet::new();
        for _ in 0..200 {
            let picture = Placement::draw(true, &mut rng).apply(&image);
            let brightest = picture
                .enumerate_pixels()
                .max_by_key(|(_, _, pixel)| pixel[0]);
            let (x, y, _) = brightest.unwrap();
            let (x, y) = (f64::from(x) - 19.5, f64::from(y) - 19.5);
            octants.insert((x > 0.0, y > 0.0, x.abs() > y.abs()));
        }
        assert_eq!(octants.len(), 8);
    }

    #[test]
    fn a_flat_ground_keeps_its_colour_within_the_stated_ranges() {
        // Nothing moves on a flat picture, and noise averages out: stain and brightness are left.
        let ground = 200.0_f32;
        let image = RgbImage::from_pixel(64, 64, image::Rgb([ground as u8; 3]));
        let density = -((ground + 1.0) / 256.0).ln();
        let after = |strength: f32, tint: f32, brightness: f32| {
            ((-(density * strength + tint)).exp() * 256.0 - 1.0) * brightness
        };
        let darkest = after(STRENGTH.1 + CHANNEL_STRENGTH, TINT, BRIGHTNESS.0);
        let brightest = after(STRENGTH.0 - CHANNEL_STRENGTH, -TINT, BRIGHTNESS.1);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut means = Vec::new();
        for _ in 0..100 {
            let drawn = jitter(&image, &mut rng);
            let sum: f32 = drawn.pixels().map(|pixel| f32::from(pixel[1])).sum();
            means.push(sum / (64.0 * 64.0));
        }
        // One level for rounding and what noise and JPEG leave of it.
        let inside = |mean: &&f32| (darkest - 1.0..=brightest.min(255.0) + 1.0).contains(*mean);
        assert!(means.iter().all(|mean| inside(&mean)), "{means:?}");
        let spread = means.iter().copied().fold(f32::MIN, f32::max)
            - means.iter().copied().fold(f32::MAX, f32::min);
        assert!(spread > 20.0, "{spread}");
    }
}
