//! An evidence map drawn over its image.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Rgb, RgbImage};

use super::evidence::{EvidenceMap, ImagePosition};

/// Vermilion for evidence for the positive class, blue for evidence against it: colour-blind people can
/// tell them apart (Okabe and Ito 2008).
const FOR: Rgb<u8> = Rgb([213, 94, 0]);
const AGAINST: Rgb<u8> = Rgb([0, 114, 178]);
/// Opacity of the strongest evidence, 0 to 1.
const MAX_OPACITY: f32 = 0.85;
/// Radii of a ring as shares of the image's shorter side: its inner edge, the border between its light
/// inner and its dark outer half, and its outer edge. One of the halves contrasts with any background.
const RING_RADII: [f32; 3] = [0.08, 0.088, 0.096];

impl ImagePosition {
    /// Draws a ring around the position.
    pub fn draw_ring(self, image: &mut RgbImage) {
        let (width, height) = (image.width() as f32, image.height() as f32);
        let [inner, middle, outer] = RING_RADII.map(|share| share * width.min(height));
        for (x, y, pixel) in image.enumerate_pixels_mut() {
            let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
            let distance = (x - self.x * width).hypot(y - self.y * height);
            if (inner..middle).contains(&distance) {
                *pixel = Rgb([255; 3]);
            } else if (middle..outer).contains(&distance) {
                *pixel = Rgb([0; 3]);
            }
        }
    }
}

impl EvidenceMap {
    /// The image in grey with the map over it: vermilion where the evidence is for the positive class,
    /// blue where it is against it. Opacity is proportional to the evidence, relative to the strongest
    /// of the map. The map is stretched over the whole image.
    pub fn paint(&self, image: &RgbImage) -> RgbImage {
        let strongest = self
            .values
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        // `resize` keeps samples between 0 and 1.
        let shares = self
            .values
            .iter()
            .map(|value| 0.5 + 0.5 * value / strongest.max(f32::MIN_POSITIVE))
            .collect();
        let grey = imageops::grayscale(image);
        let (width, height) = grey.dimensions();
        let map: Option<ImageBuffer<Luma<f32>, Vec<f32>>> =
            ImageBuffer::from_raw(self.width as u32, self.height as u32, shares);
        let shares = map.map(|map| imageops::resize(&map, width, height, FilterType::Triangle));
        RgbImage::from_fn(width, height, |x, y| {
            let share = shares.as_ref().map_or(0.5, |map| map.get_pixel(x, y).0[0]);
            let evidence = 2.0 * share - 1.0;
            let tint = if evidence > 0.0 { FOR } else { AGAINST };
            let opacity = MAX_OPACITY * evidence.abs();
            let ground = f32::from(grey.get_pixel(x, y).0[0]);
            Rgb(tint
                .0
                .map(|tint| (ground + opacity * (f32::from(tint) - ground)).round() as u8))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUND: Rgb<u8> = Rgb([200, 200, 200]);

    fn painted(values: Vec<f32>) -> RgbImage {
        let map = EvidenceMap {
            width: 2,
            height: 1,
            values,
        };
        map.paint(&RgbImage::from_pixel(40, 30, GROUND))
    }

    #[test]
    fn evidence_for_is_vermilion_and_evidence_against_blue() {
        let painted = painted(vec![4.0, -2.0]);
        assert_eq!(painted.dimensions(), (40, 30));
        // The middles of the outer quarters lie beyond the middles of the two positions.
        let blend =
            |tint: u8, opacity: f32| (200.0 + opacity * (f32::from(tint) - 200.0)).round() as u8;
        assert_eq!(
            painted.get_pixel(2, 15),
            &Rgb(FOR.0.map(|t| blend(t, MAX_OPACITY)))
        );
        assert_eq!(
            painted.get_pixel(37, 15),
            &Rgb(AGAINST.0.map(|t| blend(t, 0.5 * MAX_OPACITY)))
        );
    }

    #[test]
    fn the_paint_lies_around_the_strongest_position() {
        let mut map = EvidenceMap {
            width: 20,
            height: 20,
            values: vec![0.0; 400],
        };
        map.values[7 * 20 + 12] = 2.0;
        let painted = map.paint(&RgbImage::from_pixel(160, 120, GROUND));
        let mut sums = [0.0_f32; 3];
        for (x, y, pixel) in painted.enumerate_pixels() {
            let paint = f32::from(GROUND.0[2].abs_diff(pixel.0[2]));
            for (sum, factor) in sums.iter_mut().zip([x as f32 + 0.5, y as f32 + 0.5, 1.0]) {
                *sum += factor * paint;
            }
        }
        let strongest = map.strongest().unwrap();
        let [x, y] = [sums[0], sums[1]].map(|sum| sum / sums[2]);
        // A tenth of a pixel: the paint is rounded to whole levels.
        assert!((x - 160.0 * strongest.x).abs() < 0.1, "{x}");
        assert!((y - 120.0 * strongest.y).abs() < 0.1, "{y}");
    }

    #[test]
    fn no_evidence_leaves_the_image_grey() {
        for values in [vec![0.0, 0.0], vec![1.0]] {
            let painted = painted(values);
            assert!(painted.pixels().all(|pixel| *pixel == GROUND));
        }
    }

    #[test]
    fn a_ring_is_light_inside_and_dark_outside() {
        let mut image = RgbImage::from_pixel(400, 200, GROUND);
        ImagePosition { x: 0.625, y: 0.75 }.draw_ring(&mut image);
        // The centre is (250, 150); the radii are 16, 17.6 and 19.2 pixels.
        assert_eq!(image.get_pixel(250, 150), &GROUND);
        assert_eq!(image.get_pixel(266, 150), &Rgb([255; 3]));
        assert_eq!(image.get_pixel(268, 150), &Rgb([0; 3]));
        assert_eq!(image.get_pixel(271, 150), &GROUND);
    }
}
