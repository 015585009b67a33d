//! Colours of a field, relative to its background.
//!
//! Lamps and cameras tint the whole field, so colours are measured relative to the background between the
//! cells, which is colourless.

use image::RgbImage;

use crate::analysis::quality::luma::luma;

/// Luma from which a pixel may be background, as a share of the 95th percentile.
const BACKGROUND_LUMA: f32 = 0.8;

/// A pixel relative to the background: each channel divided by the background's.
pub(super) struct Colour {
    pub(super) red: f32,
    pub(super) green: f32,
    pub(super) blue: f32,
    pub(super) luma: f32,
    /// Whether it is bright enough to be background.
    pub(super) is_bright: bool,
}

impl Colour {
    /// Difference between the strongest and the weakest channel.
    pub(super) fn spread(&self) -> f32 {
        let max = self.red.max(self.green).max(self.blue);
        max - self.red.min(self.green).min(self.blue)
    }

    /// Purple: azure and eosin transmit blue and nearly as much red, but no green.
    pub(super) fn is_nucleus(&self) -> bool {
        self.blue - self.green > 0.12 && self.blue >= self.red - 0.05 && self.luma < 0.8
    }

    /// Pink to lilac and brick red: eosin and haemoglobin absorb green most.
    pub(super) fn is_red_cell(&self) -> bool {
        self.red - self.green > 0.04 && (0.3..0.97).contains(&self.luma) && !self.is_nucleus()
    }

    /// Grey to blue, as red cells become in some stains: without haemoglobin's red, but never yellow or green.
    pub(super) fn is_grey_cell(&self) -> bool {
        self.blue - self.green >= -0.02 && (0.3..0.92).contains(&self.luma) && !self.is_nucleus()
    }

    /// A nucleus or a cell, but nothing as dark as dust.
    pub(super) fn is_stained(&self) -> bool {
        let is_coloured = self.spread() > 0.06 && self.red.max(self.blue) - self.green > 0.03;
        let is_cell = is_coloured && (0.25..0.93).contains(&self.luma);
        is_cell || self.is_nucleus() || self.is_grey_cell()
    }

    /// Red, green and blue.
    pub(super) fn channels(&self) -> [f32; 3] {
        [self.red, self.green, self.blue]
    }
}

/// The colours of a picture.
pub(super) struct Colours {
    /// Median colour of the bright pixels.
    pub(super) background: [f32; 3],
    /// Row by row.
    pub(super) pixels: Vec<Colour>,
    /// Number of columns.
    pub(super) width: usize,
}

impl Colours {
    /// `image` is downscaled; `highlights` is the 95th percentile of its luma.
    pub(super) fn of(image: &RgbImage, highlights: f32) -> Self {
        let is_bright =
            |pixel: &image::Rgb<u8>| f32::from(luma(*pixel)) > BACKGROUND_LUMA * highlights;
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
        let pixels = image.pixels().map(|pixel| {
            let [red, green, blue] = [0, 1, 2].map(|c| f32::from(pixel[c]) / background[c]);
            Colour {
                red,
                green,
                blue,
                luma: 0.299 * red + 0.587 * green + 0.114 * blue,
                is_bright: is_bright(pixel),
            }
        });
        Self {
            background,
            pixels: pixels.collect(),
            width: image.width() as usize,
        }
    }

    /// Number of rows.
    pub(super) fn height(&self) -> usize {
        self.pixels.len() / self.width.max(1)
    }

    /// Share of the pixels that match.
    pub(super) fn share(&self, matches: impl Fn(&Colour) -> bool) -> f32 {
        self.pixels.iter().filter(|colour| matches(colour)).count() as f32
            / self.pixels.len() as f32
    }
}
