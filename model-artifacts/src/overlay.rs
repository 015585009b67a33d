//! An evidence map painted over its image.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Rgb, RgbImage};
use serde::Serialize;

use crate::EvidenceMap;

/// Colours that the colour-blind can tell apart (Okabe and Ito 2008): vermilion speaks for the
/// positive class, blue against it.
const FOR: Rgb<u8> = Rgb([213, 94, 0]);
const AGAINST: Rgb<u8> = Rgb([0, 114, 178]);
/// How much of the image the strongest evidence hides, 0 to 1.
const MOST: f32 = 0.85;
/// Inner and outer radius of a mark, as shares of the image's shorter side, and the middle between
/// its dark rim and its light one: one of them shows on any ground.
const MARK: [f32; 3] = [0.08, 0.088, 0.096];

/// A place in an image, from 0 (left, top) to 1 (right, bottom).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Place {
    /// Share of the width.
    pub x: f32,
    /// Share of the height.
    pub y: f32,
}

impl Place {
    /// Draws a ring around the place.
    pub fn mark(self, image: &mut RgbImage) {
        let (width, height) = (image.width() as f32, image.height() as f32);
        let [inner, middle, outer] = MARK.map(|share| share * width.min(height));
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
    /// The middle of the position that speaks loudest for the positive class; `None` if none does.
    pub fn strongest(&self) -> Option<Place> {
        let (index, _) = self
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0.0)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some(Place {
            x: ((index % self.width) as f32 + 0.5) / self.width as f32,
            y: ((index / self.width) as f32 + 0.5) / self.height as f32,
        })
    }

    /// The image in grey, in vermilion where the map speaks for the positive class and in blue where
    /// it speaks against it. The strongest position of the map has the strongest colour, and a map
    /// without evidence has none. The map covers the whole image, whatever its proportions.
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
            let opacity = MOST * evidence.abs();
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
            &Rgb(FOR.0.map(|t| blend(t, MOST)))
        );
        assert_eq!(
            painted.get_pixel(37, 15),
            &Rgb(AGAINST.0.map(|t| blend(t, 0.5 * MOST)))
        );
    }

    #[test]
    fn no_evidence_leaves_the_image_grey() {
        for values in [vec![0.0, 0.0], vec![1.0]] {
            let painted = painted(values);
            assert!(painted.pixels().all(|pixel| *pixel == GROUND));
        }
    }

    #[test]
    fn the_strongest_position_is_found_and_marked() {
        let map = EvidenceMap {
            width: 4,
            height: 2,
            values: vec![0.1, -9.0, 0.0, 0.2, 0.3, 0.0, 2.0, f32::NEG_INFINITY],
        };
        let place = map.strongest().unwrap();
        assert_eq!(place, Place { x: 0.625, y: 0.75 });
        let mut image = RgbImage::from_pixel(400, 200, GROUND);
        place.mark(&mut image);
        // The middle is (250, 150); rings of 16 to 17.6 and to 19.2 pixels.
        assert_eq!(image.get_pixel(250, 150), &GROUND);
        assert_eq!(image.get_pixel(266, 150), &Rgb([255; 3]));
        assert_eq!(image.get_pixel(268, 150), &Rgb([0; 3]));
        assert_eq!(image.get_pixel(271, 150), &GROUND);
        let silent = EvidenceMap {
            values: vec![-1.0; 8],
            ..map
        };
        assert_eq!(silent.strongest(), None);
    }
}
