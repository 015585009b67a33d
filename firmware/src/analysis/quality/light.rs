//! Brightness, contrast and evenness of the light.

use image::GrayImage;

use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::tiles;

const MIN_HIGHLIGHTS: f32 = 80.0;
/// A washed-out background hides no cells, but the cells must not be washed out.
const MAX_CLIPPED: f32 = 0.9;
const MIN_CONTRAST: f32 = 20.0;
const MIN_EVENNESS: f32 = 0.25;

/// Luma from which the sensor may be saturated.
const SATURATED: u8 = 250;

type Histogram = [u32; 256];

/// Adds the figures of the light. Returns the 95th percentile of the luma.
pub(super) fn measure(luma: &GrayImage, quality: &mut Quality) -> f32 {
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    // The brightest tenth of a tile is the background between cells.
    let mut histograms = [[0_u32; 256]; tiles::COUNT];
    for (tile, y, columns) in tiles::runs(width, height) {
        let histogram = &mut histograms[tile];
        for luma in &luma.as_raw()[y * width..][columns] {
            histogram[usize::from(*luma)] += 1;
        }
    }
    let all: Histogram = std::array::from_fn(|bin| histograms.iter().map(|tile| tile[bin]).sum());
    let highlights = percentile(&all, 0.95);
    let contrast = highlights - percentile(&all, 0.05);
    let saturated: u32 = all[usize::from(SATURATED)..].iter().sum();
    let backgrounds = histograms.map(|tile| percentile(&tile, 0.9));
    let evenness = backgrounds.into_iter().fold(f32::MAX, f32::min)
        / backgrounds.into_iter().fold(f32::MIN_POSITIVE, f32::max);

    quality.require_min("highlights", highlights, MIN_HIGHLIGHTS, Problem::TooDark);
    let clipped = saturated as f32 / luma.len() as f32;
    quality.require_max("clipped", clipped, MAX_CLIPPED, Problem::TooBright);
    // A washed-out picture is flat, too.
    let flat = if clipped > 0.5 {
        Problem::TooBright
    } else {
        Problem::Flat
    };
    quality.require_min("contrast", contrast, MIN_CONTRAST, flat);
    quality.require_min("evenness", evenness, MIN_EVENNESS, Problem::Uneven);
    highlights
}

/// The lowest bin that, with the bins below it, holds `share` of all counts.
fn percentile(histogram: &Histogram, share: f64) -> f32 {
    let wanted = share * f64::from(histogram.iter().sum::<u32>());
    let mut sum = 0;
    let bin = histogram.iter().position(|count| {
        sum += count;
        f64::from(sum) >= wanted
    });
    bin.unwrap_or_default() as f32
}
