//! Red blood cells: biconcave discs, alone, overlapping, or stacked in rouleaux.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::canvas::{Canvas, Density};
use super::outline::{Outline, Point, coverage};
use super::random::sometimes;
use super::stain::Palette;
use super::texture::{Texture, fade};

/// What the red cells of one smear have in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ErythrocyteTraits {
    /// Mean radius, µm.
    pub(crate) radius: f32,
    /// Standard deviation of the radius, relative.
    pub(crate) anisocytosis: f32,
    /// Largest elongation, relative to the radius.
    pub(crate) elongation: f32,
    /// 0 for a full central pallor, 1 for none.
    pub(crate) flatness: f32,
    /// Share of the cells that lie in rouleaux.
    pub(crate) rouleaux: f32,
    /// Share of the cells with refractile drying artefacts.
    pub(crate) artefacts: f32,
    /// How much thinner than usual the middle of the cells is, 0 to 1: hypochromic cells are rings.
    pub(crate) hypochromia: f32,
    /// Optical density of the refractile line around a cell; negative if the line is bright.
    pub(crate) refractile_line: f32,
    /// Where the texture is below this threshold the slide is bare; −1 for nowhere.
    pub(crate) bare_threshold: f32,
    /// Width of bare and crowded places, µm.
    pub(crate) patch_width: f32,
}

impl ErythrocyteTraits {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        Self {
            radius: rng.random_range(3.2..4.2),
            anisocytosis: rng.random_range(0.03..0.14),
            elongation: rng.random_range(0.05..0.3),
            flatness: rng.random_range(0.0..1.0_f32).powf(1.2),
            rouleaux: rng.random_range(0.0..0.6),
            artefacts: sometimes(rng, 0.2, 0.05..0.7),
            hypochromia: sometimes(rng, 0.4, 0.2..1.0),
            refractile_line: sometimes(rng, 0.4, -0.08..0.25),
            bare_threshold: -1.0 + sometimes(rng, 0.4, 0.5..1.3),
            patch_width: rng.random_range(8.0..50.0),
        }
    }
}

/// Half the width of the refractile line around a cell, µm.
const LINE_HALF_WIDTH: f32 = 0.5;
/// How deep in the cell a line of the opposite brightness accompanies it, µm, and how strong it is.
const INNER_LINE: (f32, f32) = (0.9, 0.5);

/// One red cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Erythrocyte {
    outline: Outline,
    flatness: f32,
    hypochromia: f32,
    /// Optical density of the refractile line around the cell.
    refractile_line: f32,
    /// Amount of stained haemoglobin, 1 as usual.
    amount: f32,
    artefacts: Vec<Artefact>,
}

/// A droplet that dried in the cell: dark, with a bright middle.
#[derive(Debug, Clone, PartialEq)]
struct Artefact {
    outline: Outline,
    bright: f32,
}

/// Places enough cells to cover `share` of the slide, then removes those that lie on bare patches.
pub(crate) fn scatter(
    rng: &mut impl Rng,
    traits: &ErythrocyteTraits,
    extent: [f32; 2],
    share: f32,
) -> Vec<Erythrocyte> {
    let cell_area = traits.radius * traits.radius * TAU / 2.0;
    let margin = traits.radius * 2.0;
    let [width, height] = extent.map(|side| side + 2.0 * margin);
    let wanted = (share * width * height / cell_area).round() as usize;
    let patches = Texture::draw(rng);
    let apart = 1.7 * traits.radius;
    let mut cells: Vec<Erythrocyte> = Vec::with_capacity(wanted);
    while cells.len() < wanted {
        let mut at = Point {
            x: rng.random_range(0.0..width) - margin,
            y: rng.random_range(0.0..height) - margin,
        };
        // Most cells lie free; where no free place is found they overlap.
        for _ in 0..6 {
            let crowded = cells
                .iter()
                .any(|cell| cell.outline.centre.square_distance(at) < apart * apart);
            if !crowded {
                break;
            }
            at.x = rng.random_range(0.0..width) - margin;
            at.y = rng.random_range(0.0..height) - margin;
        }
        let stack = if rng.random_bool(f64::from(traits.rouleaux) / 4.0) {
            rng.random_range(3..8)
        } else {
            1
        };
        let mut direction = rng.random_range(0.0..TAU);
        for _ in 0..stack {
            cells.push(Erythrocyte::draw(rng, traits, at));
            direction += rng.random_range(-0.35..0.35);
            at = at.towards(direction, traits.radius * rng.random_range(0.55..1.1));
        }
    }
    cells.retain(|cell| {
        let Point { x, y } = cell.centre();
        patches.at(x / traits.patch_width, y / traits.patch_width) >= traits.bare_threshold
    });
    cells
}

impl Erythrocyte {
    pub(crate) fn draw(rng: &mut impl Rng, traits: &ErythrocyteTraits, centre: Point) -> Self {
        let spread: f32 = rng.sample(StandardNormal);
        let radius = traits.radius * (1.0 + traits.anisocytosis * spread.clamp(-2.5, 2.5));
        let elongation = rng.random_range(0.0..traits.elongation);
        let outline = Outline::draw(rng, centre, radius, elongation, 0.03);
        let flatness = (traits.flatness + rng.random_range(-0.3..0.3)).clamp(0.0, 1.0);
        let amount = rng.random_range(0.85..1.15);
        let mut artefacts = Vec::new();
        if rng.random_bool(f64::from(traits.artefacts)) {
            for _ in 0..rng.random_range(1..4) {
                let at = centre.towards(
                    rng.random_range(0.0..TAU),
                    rng.random_range(0.0..0.7) * radius,
                );
                let size = rng.random_range(0.3..0.7);
                artefacts.push(Artefact {
                    outline: Outline::draw(rng, at, size, 0.2, 0.2),
                    bright: rng.random_range(0.0..0.7),
                });
            }
        }
        Self {
            outline,
            flatness,
            hypochromia: traits.hypochromia,
            refractile_line: traits.refractile_line,
            amount,
            artefacts,
        }
    }

    pub(crate) fn centre(&self) -> Point {
        self.outline.centre
    }

    pub(crate) fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Paints the cell except where a leukocyte lies.
    pub(crate) fn paint(&self, canvas: &mut Canvas, palette: &Palette) {
        let edge_width = canvas.pixel().max(0.15);
        let reach = self.outline.reach() + LINE_HALF_WIDTH;
        canvas.each_near(self.outline.centre, reach, |at, spot| {
            let (distance, edge) = self.outline.polar(at);
            let depth = edge - distance;
            if depth < -LINE_HALF_WIDTH {
                return;
            }
            let bare = 1.0 - spot.filled;
            let line = |off: f32| (1.0 - off.abs() / LINE_HALF_WIDTH).max(0.0);
            let (inner, share) = INNER_LINE;
            let lines = line(depth) - share * line(depth - inner);
            spot.density += Density([self.refractile_line * lines * bare; 3]);
            let inside = coverage(depth, edge_width);
            if inside > 0.0 {
                let relative = distance / edge;
                let ring = 1.0 - self.hypochromia * (1.0 - fade((relative / 0.75).min(1.0)));
                let thickness =
                    ring * (biconcave(relative) * (1.0 - self.flatness) + self.flatness * 0.85);
                let free = inside * bare;
                // Cells that dry on top of each other flatten: two are less than twice as dense.
                let added = thickness * self.amount * free / (1.0 + 1.3 * spot.haemoglobin);
                spot.haemoglobin += added;
                spot.density += palette.erythrocyte.times(added);
            }
        });
        for artefact in &self.artefacts {
            artefact.paint(canvas);
        }
    }
}

impl Artefact {
    fn paint(&self, canvas: &mut Canvas) {
        let softness = canvas.pixel().max(0.2);
        canvas.each_near(
            self.outline.centre,
            self.outline.reach() + softness,
            |at, spot| {
                let depth = self.outline.depth(at);
                let dark = coverage(depth, softness);
                let bright = coverage(depth - self.outline.radius * 0.5, softness);
                let free = 1.0 - spot.filled;
                spot.density += Density([0.20, 0.24, 0.16]).times((dark - bright) * free);
                spot.density += Density([-0.06, -0.14, -0.12]).times(bright * self.bright * free);
            },
        );
    }
}

/// Thickness of a red cell at a relative distance from its axis, relative to its rim (Evans and
/// Fung 1972, "Improved measurements of the erythrocyte geometry", at 300 mOsm).
fn biconcave(distance: f32) -> f32 {
    const RIM: f32 = 2.4;
    let square = (distance * distance).min(1.0);
    // Dried cells have a steeper rim than floating ones: a fourth root replaces the square root.
    (1.0 - square).sqrt().sqrt() * (0.81 + 7.83 * square - 4.39 * square * square) / RIM
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_pale_and_the_rim_is_not() {
        assert!(biconcave(0.0) < 0.4);
        assert!(biconcave(0.75) > 0.9);
        assert_eq!(biconcave(1.0), 0.0);
    }
}
