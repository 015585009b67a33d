//! Detection of near-duplicates.
//!
//! Smear fields look alike at large scale (a bright background with round cells) and differ in detail.
//! An image is therefore reduced to 32×32 grey values, their blur is subtracted, and the rest is
//! correlated in all eight orientations. Between distinct images of the BCCD set, and of single cells
//! cut from it, the correlation is at most 0.75. For copies that were recompressed, scaled, brightened,
//! blurred (σ 5), made noisy, turned or reflected it is at least 0.88, and for copies with an equalised
//! histogram mostly above 0.8.

use image::RgbImage;

use super::details::details;

const SIDE: usize = 32;
/// Smallest correlation of near-duplicates.
const NEAR: f32 = 0.8;
/// Number of different signs above which pairs are not correlated, to save time. Of normally
/// distributed values with correlation ρ, a share arccos(ρ)/π differs in sign: 0.2 at 0.8.
const MAX_SIGNS: u32 = 300;

/// The details of an image, independent of its size and brightness.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fingerprint {
    /// Details with mean 0 and length 1; all zeros for an image without details.
    details: Vec<f32>,
    signs: Signs,
}

type Signs = [u64; SIDE * SIDE / 64];

impl Fingerprint {
    pub(crate) fn of(image: &RgbImage) -> Self {
        let mut details = details(image, SIDE as u32, SIDE as u32);
        let length = details
            .iter()
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt();
        // Anything smaller is rounding error of a few pixels.
        let scale = if length > 1.0 { length.recip() } else { 0.0 };
        for value in &mut details {
            *value *= scale;
        }
        Self::from_details(details)
    }

    fn from_details(details: Vec<f32>) -> Self {
        let mut signs = Signs::default();
        for (index, _) in details
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0.0)
        {
            signs[index / 64] |= 1 << (index % 64);
        }
        Self { details, signs }
    }

    /// The image in all eight orientations.
    pub(crate) fn orientations(&self) -> [Self; 8] {
        std::array::from_fn(|orientation| {
            let flip = |reversed: bool, at: usize| if reversed { SIDE - 1 - at } else { at };
            let details = (0..SIDE * SIDE)
                .map(|index| {
                    let (mut row, mut column) = (index / SIDE, index % SIDE);
                    if orientation & 4 != 0 {
                        (row, column) = (column, row);
                    }
                    let row = flip(orientation & 1 != 0, row);
                    let column = flip(orientation & 2 != 0, column);
                    self.details[row * SIDE + column]
                })
                .collect();
            Self::from_details(details)
        })
    }

    /// Whether the images are near-duplicates in their present orientation.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        let signs = self.signs.iter().zip(&other.signs);
        let different: u32 = signs.map(|(a, b)| (a ^ b).count_ones()).sum();
        different <= MAX_SIGNS && self.correlation(other) >= NEAR
    }

    fn correlation(&self, other: &Self) -> f32 {
        let pairs = self.details.iter().zip(&other.details);
        pairs.map(|(a, b)| a * b).sum()
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, imageops};

    use super::*;
    use crate::synth::example_field as field;

    fn are_near(a: &RgbImage, b: &RgbImage) -> bool {
        let b = Fingerprint::of(b);
        let orientations = Fingerprint::of(a).orientations();
        orientations.iter().any(|a| a.is_near(&b))
    }

    #[test]
    fn altered_copies_are_near() {
        let original = field(1, 320, 240);
        let half = imageops::resize(&original, 160, 120, imageops::FilterType::Triangle);
        let mut dim = original.clone();
        for sample in dim.iter_mut() {
            *sample = (f32::from(*sample) * 0.8) as u8 + 10;
        }
        for (name, copy) in [
            ("half", half),
            ("dim", dim),
            ("blurred", imageops::blur(&original, 2.5)),
            ("turned", imageops::rotate90(&original)),
            ("turned thrice", imageops::rotate270(&original)),
            ("upside down", imageops::rotate180(&original)),
            ("reflected", imageops::flip_horizontal(&original)),
            (
                "both",
                imageops::flip_vertical(&imageops::rotate90(&original)),
            ),
        ] {
            assert!(are_near(&original, &copy), "{name}");
        }
    }

    #[test]
    fn distinct_fields_are_not_near() {
        let fields: Vec<RgbImage> = (0..12).map(|index| field(index, 320, 240)).collect();
        for (index, a) in fields.iter().enumerate() {
            for b in &fields[..index] {
                assert!(!are_near(a, b));
            }
        }
    }

    #[test]
    fn images_without_details_have_no_near_duplicates() {
        let flat = RgbImage::from_pixel(64, 64, Rgb([120, 130, 140]));
        assert!(!are_near(&flat, &flat));
    }
}
