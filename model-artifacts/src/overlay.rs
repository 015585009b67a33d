//! An evidence map painted over its image.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Rgb, RgbImage};

use crate::EvidenceMap;

/// Colours that the colour-blind can tell apart (Okabe and Ito 2008): vermilion speaks for the
/// positive class, blue against it.
const FOR: Rgb<u8> = Rgb([213, 94, 0]);
const AGAINST: Rgb<u8> = Rgb([0, 114, 178]);
/// How much of the image the strongest evidence hides, 0 to 1.
const MOST: f32 = 0.85;

impl EvidenceMap {
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
}
