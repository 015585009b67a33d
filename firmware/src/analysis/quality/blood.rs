//! Blood: whether a picture that has the colours of a smear shows blood cells, and not something else.
//!
//! Photographs of faces, cats and motorcycles have pixels as pink as red cells and as purple as nuclei, and often a
//! bright part that could be background. Three facts of a stained smear in transmitted light tell them apart:
//!
//! - All its dyes, and haemoglobin, absorb green most. Whatever is dark is therefore a nucleus or a thick part of a
//!   red cell, with less green than red and blue (the optical densities of stains after Ruifrok and Johnston 2001).
//!   Shadows, metal, hair and foliage are dark in other colours.
//! - Pink cells absorb green more than the mean of the channels. Skin, wood and fur absorb blue most. Where stain and
//!   pH leave red cells grey to blue, there are no pink ones, and the nuclei and the background must tell.
//! - A nucleus is darker than what is next to it. Purple skies, walls and shadows merge with the rest.
//! - Between the cells there is only the light of the lamp, so the bright part is even.

use crate::analysis::quality::colour::{Colour, Colours};
use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::mask::Mask;
use crate::analysis::quality::stain::MIN_RED_CELLS;

/// Share of pixels that are dark without absorbing green most.
const MAX_UNSTAINED_DARK: f32 = 0.03;
/// Share of green in the optical density of the median red cell.
const MIN_RED_CELL_GREEN: f32 = 0.335;
/// Standard deviation of the bright pixels, relative to the background.
const MAX_BACKGROUND_SPREAD: f32 = 0.16;
/// Median luma next to the nuclei − median luma of the nuclei, relative to the background.
const MIN_NUCLEUS_CONTRAST: f32 = 0.04;

/// Pixels around a nucleus in which its edge lies.
const NUCLEUS_EDGE: usize = 1;
/// Pixels around a nucleus that are next to it.
const NUCLEUS_SURROUNDINGS: usize = 2;

/// Luma below which a pixel is dark.
const DARK_LUMA: f32 = 0.4;
/// Weakest light of a channel that has an optical density.
const MIN_TRANSMISSION: f32 = 1.0 / 255.0;

/// Adds the figures of the blood cells.
pub(super) fn measure(colours: &Colours, quality: &mut Quality) {
    let problem = Problem::NoBloodCells;
    let dark = unstained_dark(colours);
    quality.require_max("unstained_dark", dark, MAX_UNSTAINED_DARK, problem);
    // Grey-blue red cells tell less: those absorb all channels nearly alike.
    if colours.share(Colour::is_red_cell) >= MIN_RED_CELLS {
        let green = red_cell_green(colours);
        quality.require_min("red_cell_green", green, MIN_RED_CELL_GREEN, problem);
    }
    let spread = background_spread(colours);
    quality.require_max("background_spread", spread, MAX_BACKGROUND_SPREAD, problem);
    if let Some(contrast) = nucleus_contrast(colours) {
        quality.require_min("nucleus_contrast", contrast, MIN_NUCLEUS_CONTRAST, problem);
    }
}

/// Share of the pixels that are dark although another channel is weaker than green.
fn unstained_dark(colours: &Colours) -> f32 {
    colours.share(|colour| colour.luma < DARK_LUMA && colour.green > colour.red.min(colour.blue))
}

/// The part of green in the optical density of the median pink pixel; a third if it absorbs all channels alike, 0 if
/// there is none.
fn red_cell_green(colours: &Colours) -> f32 {
    let cells = || colours.pixels.iter().filter(|colour| colour.is_red_cell());
    let densities = [0, 1, 2].map(|channel| {
        let mut samples: Vec<f32> = cells().map(|cell| cell.channels()[channel]).collect();
        let middle = samples.len() / 2;
        let median = (!samples.is_empty())
            .then(|| *samples.select_nth_unstable_by(middle, f32::total_cmp).1);
        (1.0 / median.unwrap_or(1.0).clamp(MIN_TRANSMISSION, 1.0)).ln()
    });
    densities[1] / densities.iter().sum::<f32>().max(0.01)
}

/// How much darker nuclei are than what is next to them, 0 if there is nothing else; `None` if there is no nucleus.
fn nucleus_contrast(colours: &Colours) -> Option<f32> {
    let nuclei = Mask::of(colours, Colour::is_nucleus);
    let [edge, surroundings] =
        [NUCLEUS_EDGE, NUCLEUS_SURROUNDINGS].map(|radius| nuclei.grown(radius));
    let median = |is_counted: &dyn Fn(usize) -> bool| {
        let pixels = colours.pixels.iter().enumerate();
        let lumas = pixels.filter(|(at, _)| is_counted(*at));
        let mut lumas: Vec<f32> = lumas.map(|(_, colour)| colour.luma).collect();
        let middle = lumas.len() / 2;
        (!lumas.is_empty()).then(|| *lumas.select_nth_unstable_by(middle, f32::total_cmp).1)
    };
    let around = median(&|at| surroundings.pixels()[at] && !edge.pixels()[at]);
    let within = median(&|at| nuclei.pixels()[at])?;
    Some(around.map_or(0.0, |around| around - within))
}

/// Standard deviation of the bright pixels in the channel in which it is largest.
fn background_spread(colours: &Colours) -> f32 {
    let bright = || colours.pixels.iter().filter(|colour| colour.is_bright);
    let count = bright().count().max(1) as f32;
    let deviations = [0, 1, 2].map(|channel| {
        let sample = |colour: &Colour| colour.channels()[channel];
        let mean = bright().map(sample).sum::<f32>() / count;
        let squares = bright().map(|colour| (sample(colour) - mean).powi(2));
        (squares.sum::<f32>() / count).sqrt()
    });
    deviations.into_iter().fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    /// Names of the figures that fail.
    fn failures(pixel: impl Fn(u32, u32) -> [u8; 3]) -> Vec<&'static str> {
        let image = RgbImage::from_fn(96, 72, |x, y| Rgb(pixel(x, y)));
        let mut quality = Quality::default();
        measure(&Colours::of(&image, 220.0), &mut quality);
        let failed = quality.figures().iter().filter(|figure| !figure.passed());
        failed.map(|figure| figure.name).collect()
    }

    fn contrast(pixel: impl Fn(u32, u32) -> [u8; 3]) -> f32 {
        let image = RgbImage::from_fn(96, 72, |x, y| Rgb(pixel(x, y)));
        nucleus_contrast(&Colours::of(&image, 220.0)).unwrap()
    }

    fn is_in_disc(x: u32, y: u32, spacing: u32, radius: u32) -> bool {
        let [x, y] = [x, y].map(|at| (at % spacing).abs_diff(spacing / 2));
        x * x + y * y < radius * radius
    }

    const LIGHT: [u8; 3] = [222, 218, 224];
    const PINK: [u8; 3] = [205, 150, 160];
    const PURPLE: [u8; 3] = [95, 45, 140];

    /// Red cells of one colour, and in some of them the dark disc of a nucleus of another.
    fn smear(nucleus: [u8; 3], cell: [u8; 3]) -> impl Fn(u32, u32) -> [u8; 3] {
        move |x, y| {
            if is_in_disc(x, y, 48, 8) {
                nucleus
            } else if is_in_disc(x, y, 12, 5) {
                cell
            } else {
                LIGHT
            }
        }
    }

    #[test]
    fn drawn_smears_pass() {
        assert_eq!(failures(smear(PURPLE, PINK)), [""; 0]);
        assert_eq!(failures(smear([40, 8, 70], PINK)), [""; 0], "dark nuclei");
        assert_eq!(failures(smear([0; 3], PINK)), [""; 0], "clipped to black");
    }

    #[test]
    fn grey_blue_red_cells_pass() {
        for cell in [[170, 172, 182], [172, 170, 180], [165, 165, 168]] {
            let picture = smear(PURPLE, cell);
            assert_eq!(failures(&picture), [""; 0], "{cell:?}");
            let image = RgbImage::from_fn(96, 72, |x, y| Rgb(picture(x, y)));
            let colours = Colours::of(&image, 220.0);
            assert!(!colours.pixels.iter().any(Colour::is_red_cell), "{cell:?}");
            assert!(colours.share(Colour::is_grey_cell) > 0.3, "{cell:?}");
        }
    }

    #[test]
    fn purple_things_that_are_not_darker_than_the_rest_are_no_nuclei() {
        let wall = |x, y| match y {
            0..36 => LIGHT,
            _ if is_in_disc(x, y, 12, 4) => [150, 110, 190],
            _ => [131; 3],
        };
        let pattern = contrast(wall);
        assert!(pattern.abs() < 0.02, "{pattern}");
        assert!(failures(wall).contains(&"nucleus_contrast"));
        let nuclei = contrast(smear(PURPLE, PINK));
        assert!((0.3..0.7).contains(&nuclei), "{nuclei}");
    }

    #[test]
    fn dark_things_of_other_colours_are_not_nuclei() {
        for (name, colour) in [
            ("foliage", [40, 70, 30]),
            ("hair", [60, 45, 35]),
            ("metal", [60, 62, 66]),
            ("night sky", [20, 40, 80]),
        ] {
            assert_eq!(failures(smear(colour, PINK)), ["unstained_dark"], "{name}");
        }
    }

    #[test]
    fn skin_and_wood_are_not_red_cells() {
        for colour in [[205, 160, 120], [180, 130, 80]] {
            let picture = |x, y| {
                if is_in_disc(x, y, 12, 5) {
                    colour
                } else {
                    LIGHT
                }
            };
            assert_eq!(failures(picture), ["red_cell_green"], "{colour:?}");
        }
    }

    #[test]
    fn a_sky_or_a_wall_is_not_a_background() {
        // From blue to white and yellow, with pink clouds.
        let picture = |x: u32, y: u32| {
            if is_in_disc(x, y, 24, 6) {
                PINK
            } else {
                let step = (y * 2) as u8;
                [110 + step, 190 + step / 4, 255 - step]
            }
        };
        assert_eq!(failures(picture), ["background_spread"]);
    }
}
