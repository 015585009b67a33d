//! What a field looks like without its lamp and without the strength of its stain.

use image::RgbImage;

use super::background::{Background, relative};
use super::contract::Colour;
use super::logarithms::Logarithms;

/// The share of a field's pixels whose density is its strength, or less: the value of Macenko et al. 2009,
/// "A method for normalizing histology slides for quantitative analysis".
const QUANTILE: f64 = 0.99;
/// Smallest strength, so that noise in a field without cells is not taken for them.
const LEAST_STRENGTH: f32 = 0.1;

/// Relative density of each pixel in red, green and blue light, row by row from the top.
///
/// It is the optical density relative to the light of the field's empty places ([`Background`]), over the 99th
/// percentile of that density in the field, for each colour by itself: about 0 where nothing is, and 1 in the
/// densest places. Neither lamp, shading and camera nor the strength of the stain are left.
///
/// # Panics
/// If the image has no pixels.
pub(super) fn relative_density(image: &RgbImage) -> [Vec<f32>; 3] {
    let background = Background::fit(image);
    let logarithms = Logarithms::new();
    let (width, height) = image.dimensions();
    let mut planes = [(); 3].map(|()| Vec::with_capacity((width * height) as usize));
    for (y, row) in image.rows().enumerate() {
        let light = background.row(relative(y as f32, height as f32));
        for (x, pixel) in row.enumerate() {
            let light = light.at(relative(x as f32, width as f32));
            let density = logarithms.density(light, pixel.0);
            for (plane, density) in planes.iter_mut().zip(density) {
                plane.push(density);
            }
        }
    }
    let [low, high] = Colour::DENSITIES;
    let mut sorted = Vec::new();
    for plane in &mut planes {
        sorted.clone_from(plane);
        let at = (QUANTILE * (sorted.len() - 1) as f64).round() as usize;
        let (_, strength, _) = sorted.select_nth_unstable_by(at, f32::total_cmp);
        let strength = strength.max(LEAST_STRENGTH);
        for density in plane {
            *density = (*density / strength).clamp(low, high);
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// Red cells, and a nucleus on 2 % of the area, under a lamp that falls off to the right.
    fn field(lamp: [f32; 3], stain: f32) -> RgbImage {
        RgbImage::from_fn(160, 160, |x, y| {
            let density = if (60..83).contains(&x) && (60..83).contains(&y) {
                [0.5, 0.6, 0.3]
            } else if x % 20 < 8 && y % 20 < 8 {
                [0.05, 0.15, 0.2]
            } else {
                [0.0; 3]
            };
            let slope = 1.0 - 0.2 * x as f32 / 160.0;
            let light = lamp.into_iter().zip(density);
            let samples: Vec<u8> = light
                .map(|(lamp, density)| {
                    (lamp * slope * 10.0_f32.powf(-stain * density)).round() as u8
                })
                .collect();
            Rgb([samples[0], samples[1], samples[2]])
        })
    }

    #[test]
    fn neither_lamp_nor_strength_of_the_stain_is_left() {
        let first = relative_density(&field([230.0, 225.0, 240.0], 1.0));
        let nucleus = 70 * 160 + 70;
        let red_cell = 24 * 160 + 24;
        let expected = [
            [1.0, 0.05 / 0.5, 0.0],
            [1.0, 0.15 / 0.6, 0.0],
            [1.0, 0.2 / 0.3, 0.0],
        ];
        for (plane, expected) in first.iter().zip(expected) {
            for (at, expected) in [nucleus, red_cell, 15 * 160 + 15].into_iter().zip(expected) {
                // Half a level of 60, the darkest samples, is 0.004 in density, over a strength of 0.3.
                assert!(
                    (plane[at] - expected).abs() < 0.03,
                    "{} {expected}",
                    plane[at]
                );
            }
        }
        let second = relative_density(&field([150.0, 180.0, 120.0], 0.7));
        for (first, second) in first.iter().zip(&second) {
            let pairs = first.iter().zip(second);
            let farthest = pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            // Twice the lamp's rounding, over a strength of 0.2.
            assert!(farthest < 0.05, "{farthest}");
        }
    }

    #[test]
    fn noise_is_not_taken_for_cells() {
        let noise = RgbImage::from_fn(64, 48, |x, y| Rgb([198 + ((x * 7 + y * 13) % 5) as u8; 3]));
        for plane in relative_density(&noise) {
            assert!(plane.iter().all(|density| density.abs() < 0.15));
        }
        for plane in relative_density(&RgbImage::new(1, 1)) {
            assert!(plane[0].abs() < 0.01, "{plane:?}");
        }
    }
}
