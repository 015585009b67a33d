//! The spectrum of a picture: how much it varies at each spatial frequency.

use super::super::fourier::{Plane, SIDE};
use super::grey::{Grey, ROUNDING};

/// Number of bands of frequencies.
pub(super) const BANDS: usize = 6;
/// Lower ends of the bands, in cycles per pixel; the last one has no upper end.
const LOW_ENDS: [f32; BANDS] = [
    1.0 / 32.0,
    1.0 / 16.0,
    1.0 / 8.0,
    3.0 / 16.0,
    1.0 / 4.0,
    3.0 / 8.0,
];

/// Logarithm of the power in each band, averaged over all directions and over patches in the four corners. White
/// noise has its variance as power in every band.
pub(super) fn spectrum(grey: &Grey) -> [f32; BANDS] {
    let (width, height) = (grey.width.min(SIDE), grey.height.min(SIDE));
    let windows = [width, height].map(hann);
    let weights = windows[1]
        .iter()
        .flat_map(|y| windows[0].iter().map(move |x| x * y));
    let energy: f32 = weights.clone().map(|weight| weight * weight).sum();
    let (mut sums, mut counts) = ([0.0; BANDS], [0_usize; BANDS]);
    for top in starts(grey.height) {
        for left in starts(grey.width) {
            let rows = (top..top + height).flat_map(|y| {
                let start = y * grey.width + left;
                &grey.values[start..start + width]
            });
            let mean = rows.clone().sum::<f32>() / (width * height) as f32;
            let patch: Vec<f32> = rows
                .zip(weights.clone())
                .map(|(value, weight)| (value - mean) * weight)
                .collect();
            for (at, power) in Plane::spectrum(&patch, width).powers().enumerate() {
                let [x, y] = [at % SIDE, at / SIDE].map(|number| number.min(SIDE - number));
                let frequency = (x as f32).hypot(y as f32) / SIDE as f32;
                let band = LOW_ENDS.partition_point(|low| *low <= frequency);
                if band > 0 {
                    sums[band - 1] += power;
                    counts[band - 1] += 1;
                }
            }
        }
    }
    std::array::from_fn(|band| (sums[band] / (counts[band] as f32 * energy) + ROUNDING).ln())
}

/// Where patches begin along a side.
fn starts(side: usize) -> impl Iterator<Item = usize> + Clone {
    let last = side.saturating_sub(SIDE);
    std::iter::once(0).chain((last > 0).then_some(last))
}

/// A window without its zeros at both ends (Hann).
fn hann(length: usize) -> Vec<f32> {
    let step = std::f32::consts::TAU / (length + 1) as f32;
    (1..=length)
        .map(|at| 0.5 - 0.5 * (step * at as f32).cos())
        .collect()
}
