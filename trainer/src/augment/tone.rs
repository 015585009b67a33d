//! Brightness and colour, pixel by pixel.

use image::{Rgb, RgbImage};

/// ITU-R BT.601 luma, 0 to 255.
fn luma(pixel: Rgb<u8>) -> f32 {
    let [red, green, blue] = pixel.0.map(f32::from);
    0.299 * red + 0.587 * green + 0.114 * blue
}

fn map(image: &RgbImage, change: impl Fn(Rgb<u8>) -> [f32; 3]) -> RgbImage {
    let mut changed = image.clone();
    for pixel in changed.pixels_mut() {
        // `as` saturates.
        *pixel = Rgb(change(*pixel).map(|value| value.round() as u8));
    }
    changed
}

/// Like [`map`], for changes that treat each channel separately: every level is computed once.
fn map_levels(image: &RgbImage, change: impl Fn(usize, f32) -> f32) -> RgbImage {
    let levels: [[u8; 256]; 3] = std::array::from_fn(|channel| {
        // `as` saturates.
        std::array::from_fn(|level| change(channel, level as f32).round() as u8)
    });
    let mut changed = image.clone();
    for pixel in changed.pixels_mut() {
        for (level, levels) in pixel.0.iter_mut().zip(&levels) {
            *level = levels[usize::from(*level)];
        }
    }
    changed
}

/// Sets all three channels to the luma.
pub(super) fn grey(image: &RgbImage) -> RgbImage {
    map(image, |pixel| [luma(pixel); 3])
}

/// Equalises the histogram of the luma and keeps the colour differences.
pub(super) fn equalise_luma(image: &RgbImage) -> RgbImage {
    let mut histogram = [0_u32; 256];
    for pixel in image.pixels() {
        histogram[luma(*pixel).round() as usize] += 1;
    }
    let darkest = histogram.iter().position(|&count| count > 0).unwrap_or(0);
    let brighter = image.width() * image.height() - histogram[darkest];
    if brighter == 0 {
        return image.clone();
    }
    let mut below = 0;
    let mut levels = [0.0; 256];
    for level in darkest + 1..256 {
        below += histogram[level];
        levels[level] = (f64::from(below) * 255.0 / f64::from(brighter)).round() as f32;
    }
    map(image, |pixel| {
        let luma = luma(pixel);
        let gain = levels[luma.round() as usize] - luma;
        pixel.0.map(|value| f32::from(value) + gain)
    })
}

/// Multiplies all channels.
pub(super) fn brighten(image: &RgbImage, factor: f32) -> RgbImage {
    map_levels(image, |_, level| level * factor)
}

/// Changes the amount of dye: by the Beer–Lambert law, the optical density of each channel scales with
/// `strength`; `tint` is added to it.
///
/// This is done per channel, not along the haematoxylin and eosin axes of Tellez et al. 2018, since
/// smears are stained with Romanowsky dyes.
pub(super) fn restain(image: &RgbImage, strength: [f32; 3], tint: [f32; 3]) -> RgbImage {
    map_levels(image, |channel, level| {
        // Levels from 1 to 256, so that black has a finite density.
        let density = -((level + 1.0) / 256.0).ln();
        let density = density * strength[channel] + tint[channel];
        (-density).exp() * 256.0 - 1.0
    })
}
