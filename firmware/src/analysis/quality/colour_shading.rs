//! Colour shading: whether the light has the same colour everywhere in the field.
//!
//! Lens shading of a camera, or a condenser out of centre, tints the rim of a field. The bright tenth of a tile is the
//! background between cells, and colourless, so its colour is that of the light. A quadratic surface through it tells
//! light, which changes slowly, from cells.

use crate::analysis::quality::colour::{Colour, Colours};
use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::tiles;

/// Largest shading where cells are counted: light and lamp are taken out of a picture at each cell.
pub(super) const MAX_AT_CELLS: f32 = 2.3;
/// Largest shading where whole fields are judged: a tinted rim looks like stain to such a model.
pub(super) const MAX_IN_FIELDS: f32 = 1.45;

/// Percentile of a tile's luma that is background.
const BACKGROUND_SHARE: f32 = 0.9;
/// Luma from which a pixel counts as background, as a share of that percentile.
const BACKGROUND_LUMA: f32 = 0.93;
/// Weakest light of a channel, relative to the background.
const MIN_LIGHT: f32 = 0.005;
/// Coefficients of a quadratic surface.
const TERMS: usize = 6;

/// Adds the figure `colour_shading`: the largest ratio of red or blue to green in the light of the field, divided by the
/// smallest; 1 if the light has the same colour everywhere.
pub(super) fn measure(colours: &Colours, most: f32, quality: &mut Quality) {
    let backgrounds = background(colours);
    let ratios: [fn(&Colour) -> f32; 2] = [|colour| colour.red, |colour| colour.blue];
    let shading = ratios
        .into_iter()
        .map(|channel| range(colours, &backgrounds, channel))
        .fold(1.0, f32::max);
    let problem = Problem::ColourShading;
    quality.require_max("colour_shading", shading, most, problem);
}

/// Indices of the pixels that are bright in their tile.
fn background(colours: &Colours) -> Vec<usize> {
    let mut members = vec![Vec::new(); tiles::COUNT];
    for (tile, y, columns) in tiles::runs(colours.width, colours.height()) {
        members[tile].extend(columns.map(|x| y * colours.width + x));
    }
    let bright = members.into_iter().flat_map(|members| {
        let lumas = members.iter().map(|at| colours.pixels[*at].luma);
        let mut lumas: Vec<f32> = lumas.collect();
        let rank = (lumas.len() as f32 * BACKGROUND_SHARE) as usize;
        let limit = (rank < lumas.len())
            .then(|| *lumas.select_nth_unstable_by(rank, f32::total_cmp).1 * BACKGROUND_LUMA);
        let is_bright =
            move |at: &usize| limit.is_some_and(|limit| colours.pixels[*at].luma >= limit);
        members.into_iter().filter(is_bright)
    });
    bright.collect()
}

/// Largest ÷ smallest value of the surface through the ratios of a channel to green.
fn range(colours: &Colours, background: &[usize], channel: fn(&Colour) -> f32) -> f32 {
    let mut squares = [[0.0; TERMS]; TERMS];
    let mut products = [0.0; TERMS];
    for at in background {
        let colour = &colours.pixels[*at];
        let [light, green] = [channel(colour), colour.green].map(|light| light.max(MIN_LIGHT));
        let value = f64::from((light / green).ln());
        let terms = terms(colours, *at);
        for (row, one) in terms.iter().enumerate() {
            products[row] += one * value;
            for (square, other) in squares[row].iter_mut().zip(terms) {
                *square += one * other;
            }
        }
    }
    let coefficients = solve(squares, products);
    let surface = (0..colours.pixels.len()).map(|at| {
        let terms = terms(colours, at).into_iter().zip(coefficients);
        terms
            .map(|(term, coefficient)| term * coefficient)
            .sum::<f64>()
    });
    let [lowest, highest] = surface.fold([f64::MAX, f64::MIN], |[lowest, highest], value| {
        [lowest.min(value), highest.max(value)]
    });
    (highest - lowest).exp() as f32
}

/// 1, x, y, x², y², xy of a pixel, with x and y from −1 to 1.
fn terms(colours: &Colours, at: usize) -> [f64; TERMS] {
    let place = |at: usize, length: usize| 2.0 * at as f64 / length as f64 - 1.0;
    let x = place(at % colours.width, colours.width);
    let y = place(at / colours.width, colours.height());
    [1.0, x, y, x * x, y * y, x * y]
}

/// The solution of a symmetric system of linear equations that has no negative eigenvalue, by elimination. A place
/// without information gets 0.
fn solve(mut rows: [[f64; TERMS]; TERMS], mut values: [f64; TERMS]) -> [f64; TERMS] {
    let scale = rows[0][0];
    for pivot in 0..TERMS {
        if rows[pivot][pivot] <= 1e-9 * scale {
            rows[pivot] = [0.0; TERMS];
            rows[pivot][pivot] = 1.0;
            values[pivot] = 0.0;
        }
        let (row, value) = (rows[pivot], values[pivot]);
        for other in (0..TERMS).filter(|other| *other != pivot) {
            let factor = rows[other][pivot] / row[pivot];
            for (target, source) in rows[other].iter_mut().zip(row) {
                *target -= factor * source;
            }
            values[other] -= factor * value;
        }
    }
    std::array::from_fn(|at| values[at] / rows[at][at])
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    /// The figure of a field with red cells whose light at place (x, y), each from −1 to 1, is this.
    fn shading(light: impl Fn(f32, f32) -> [f32; 3]) -> f32 {
        let image = RgbImage::from_fn(96, 72, |x, y| {
            let is_cell = (x % 12).abs_diff(6).pow(2) + (y % 12).abs_diff(6).pow(2) < 20;
            let cell = if is_cell { [0.95, 0.7, 0.75] } else { [1.0; 3] };
            let place = |at: u32, length: f32| 2.0 * at as f32 / length - 1.0;
            let light = light(place(x, 96.0), place(y, 72.0));
            Rgb(std::array::from_fn(|channel| {
                (200.0 * light[channel] * cell[channel]).round() as u8
            }))
        });
        let mut quality = Quality::default();
        measure(&Colours::of(&image, 200.0), MAX_AT_CELLS, &mut quality);
        quality.figures()[0].value
    }

    #[test]
    fn even_and_merely_darker_light_has_no_colour_shading() {
        assert!((shading(|_, _| [1.0; 3]) - 1.0).abs() < 0.001);
        assert!((shading(|_, _| [0.6, 1.0, 0.8]) - 1.0).abs() < 0.001);
        let darker = shading(|x, y| [1.0 - 0.15 * (x * x + y * y); 3]);
        assert!((1.0..1.02).contains(&darker), "{darker}");
    }

    #[test]
    fn tinted_rims_and_sides_are_measured() {
        // exp(0.15 · (x² + y²)) is 1 in the middle and 1.35 in the corners.
        let purple = shading(|x, y| [0.9, 0.9 * (-0.15 * (x * x + y * y)).exp(), 0.9]);
        assert!((1.33..1.37).contains(&purple), "{purple}");
        let green = shading(|x, y| {
            let rim = 0.9 * (-0.15 * (x * x + y * y)).exp();
            [rim, 0.9, rim]
        });
        assert!((1.33..1.37).contains(&green), "{green}");
        // From exp(−0.4) to exp(0.4) is a factor of 2.2.
        let red_side = shading(|x, _| [0.6 * (0.4 * x).exp(), 0.6, 0.6]);
        assert!((2.19..2.26).contains(&red_side), "{red_side}");
    }

    #[test]
    fn fields_without_light_have_a_figure() {
        assert!((shading(|_, _| [0.0; 3]) - 1.0).abs() < 1e-6);
        let black = Colours::of(&RgbImage::new(1, 1), 0.0);
        let mut quality = Quality::default();
        measure(&black, MAX_AT_CELLS, &mut quality);
        assert!((quality.figures()[0].value - 1.0).abs() < 1e-6);
    }
}
