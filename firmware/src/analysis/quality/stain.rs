//! Stain: whether the colours are those of a Romanowsky-stained smear.
//!
//! Lamps and cameras tint the whole field, so colours are measured relative to the background between the
//! cells, which is colourless.

use image::RgbImage;

use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::luma::luma;

const MAX_CAST: f32 = 1.8;
const MAX_GARISH: f32 = 0.2;
const MIN_NUCLEI: f32 = 0.002;
const MIN_RED_CELLS: f32 = 0.01;
const MAX_COVERAGE: f32 = 0.95;

/// Luma from which a pixel may be background, as a share of the 95th percentile.
const BACKGROUND_LUMA: f32 = 0.8;
/// Largest difference between the channels of background, relative to its median colour.
const BACKGROUND_SPREAD: f32 = 0.25;

/// A pixel relative to the background: each channel divided by the background's.
struct Colour {
    red: f32,
    green: f32,
    blue: f32,
    luma: f32,
}

impl Colour {
    /// Difference between the strongest and the weakest channel.
    fn spread(&self) -> f32 {
        let max = self.red.max(self.green).max(self.blue);
        max - self.red.min(self.green).min(self.blue)
    }

    /// Purple: azure and eosin transmit blue and nearly as much red, but no green.
    fn is_nucleus(&self) -> bool {
        self.blue - self.green > 0.12 && self.blue >= self.red - 0.05 && self.luma < 0.8
    }

    /// Pink to lilac and brick red: eosin and haemoglobin absorb green most.
    fn is_red_cell(&self) -> bool {
        self.red - self.green > 0.04 && (0.3..0.97).contains(&self.luma) && !self.is_nucleus()
    }
}

/// Adds the figures of the stain. `image` is downscaled; `highlights` is the 95th percentile of its luma.
pub(super) fn measure(image: &RgbImage, highlights: f32, quality: &mut Quality) {
    let is_bright = |pixel: &image::Rgb<u8>| f32::from(luma(*pixel)) > BACKGROUND_LUMA * highlights;
    let background: [f32; 3] = std::array::from_fn(|channel| {
        let mut samples: Vec<u8> = image
            .pixels()
            .filter(|pixel| is_bright(pixel))
            .map(|pixel| pixel[channel])
            .collect();
        let middle = samples.len() / 2;
        let median = (!samples.is_empty()).then(|| *samples.select_nth_unstable(middle).1);
        f32::from(median.unwrap_or(1).max(1))
    });
    let colours: Vec<(Colour, bool)> = image
        .pixels()
        .map(|pixel| {
            let [red, green, blue] = [0, 1, 2].map(|c| f32::from(pixel[c]) / background[c]);
            let colour = Colour {
                red,
                green,
                blue,
                luma: 0.299 * red + 0.587 * green + 0.114 * blue,
            };
            (colour, is_bright(pixel))
        })
        .collect();
    let share = |matches: &dyn Fn(&(Colour, bool)) -> bool| {
        colours.iter().filter(|colour| matches(colour)).count() as f32 / colours.len() as f32
    };
    let [brightest, darkest] = [f32::max, f32::min].map(|pick| {
        let [red, green, blue] = background;
        pick(pick(red, green), blue)
    });
    let coverage =
        1.0 - share(&|(colour, is_bright)| *is_bright && colour.spread() < BACKGROUND_SPREAD);

    quality.require_max(
        "garish",
        share(&|(c, _)| c.spread() > 0.7),
        MAX_GARISH,
        Problem::NotASmear,
    );
    quality.require_max("coverage", coverage, MAX_COVERAGE, Problem::TooThick);
    let red_cells = share(&|(colour, _)| colour.is_red_cell());
    quality.require_min("red_cells", red_cells, MIN_RED_CELLS, Problem::NotASmear);
    let nuclei = share(&|(colour, _)| colour.is_nucleus());
    quality.require_min("nuclei", nuclei, MIN_NUCLEI, Problem::NoWhiteCells);
    quality.require_max("cast", brightest / darkest, MAX_CAST, Problem::ColourCast);
}
