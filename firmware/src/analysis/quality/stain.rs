//! Stain: whether the colours are those of a Romanowsky-stained smear.

use crate::analysis::quality::colour::{Colour, Colours};
use crate::analysis::quality::figure::{Problem, Quality};

const MAX_CAST: f32 = 1.8;
const MAX_GARISH: f32 = 0.2;
const MIN_NUCLEI: f32 = 0.002;
/// Also the share of pink pixels from which they tell the stain.
pub(super) const MIN_RED_CELLS: f32 = 0.01;
const MAX_COVERAGE: f32 = 0.8;

/// Largest difference between the channels of background, relative to its median colour.
const BACKGROUND_SPREAD: f32 = 0.25;

/// Adds the figures of the stain.
pub(super) fn measure(colours: &Colours, quality: &mut Quality) {
    let [brightest, darkest] = [f32::max, f32::min].map(|pick| {
        let [red, green, blue] = colours.background;
        pick(pick(red, green), blue)
    });
    let coverage =
        1.0 - colours.share(|colour| colour.is_bright && colour.spread() < BACKGROUND_SPREAD);

    quality.require_max(
        "garish",
        colours.share(|colour| colour.spread() > 0.7),
        MAX_GARISH,
        Problem::NotASmear,
    );
    quality.require_max("coverage", coverage, MAX_COVERAGE, Problem::TooThick);
    let red_cells = colours.share(|colour| colour.is_red_cell() || colour.is_grey_cell());
    quality.require_min("red_cells", red_cells, MIN_RED_CELLS, Problem::NotASmear);
    let nuclei = colours.share(Colour::is_nucleus);
    quality.require_min("nuclei", nuclei, MIN_NUCLEI, Problem::NoWhiteCells);
    quality.require_max("cast", brightest / darkest, MAX_CAST, Problem::ColourCast);
}
