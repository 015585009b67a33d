//! What lies on a smear beside cells: smudge cells, stain precipitate, bubbles.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

use super::canvas::{Canvas, Density};
use super::kind::Lookalike;

use super::outline::{Outline, Point, coverage};
use super::random::{log_uniform, poisson};
use super::stain::Palette;
use super::texture::Texture;

/// The debris of one field.
#[derive(Debug, Clone)]
pub(crate) struct Debris {
    smudge_cells: Vec<SmudgeCell>,
    precipitate: Vec<Precipitate>,
    bubbles: Vec<Bubble>,
    texture: Texture,
    /// Heaps of grains, apart from those that form by chance.
    heaps: Vec<Outline>,
}

/// Radius from which a blot or a bubble may be taken for a white cell, µm.
const LARGE: f32 = 1.5;

/// A cell that burst when the smear was spread: a pale streaky blot of chromatin without cytoplasm;
/// or a nucleus that only lost its cytoplasm.
#[derive(Debug, Clone)]
struct SmudgeCell {
    kind: Lookalike,
    outline: Outline,
    /// Amount of chromatin, 1 as in a nucleus.
    amount: f32,
    /// Width of its frayed edge, µm.
    fray: f32,
    /// Direction of the streaks.
    along: [f32; 2],
    /// Length of a streak, relative to its width.
    stretch: f32,
}

/// A grain or a blot of dye that fell out of solution.
#[derive(Debug, Clone)]
struct Precipitate {
    outline: Outline,
    amount: f32,
    /// 0 for the colour of precipitate, 1 for that of chromatin.
    nuclear: f32,
}

/// A refractile droplet: a dark ring, bright within.
#[derive(Debug, Clone)]
struct Bubble {
    outline: Outline,
    ring: f32,
    amount: f32,
}

impl Debris {
    pub(crate) fn draw(rng: &mut impl Rng, extent: [f32; 2]) -> Self {
        let area = extent[0] * extent[1];
        let texture = Texture::draw(rng);
        let smudge_cells = if rng.random_bool(0.4) {
            let fragile = log_uniform(rng, 0.05, 0.6);
            (0..(1 + poisson(rng, area / 1000.0 * fragile)).min(12))
                .map(|_| {
                    let at = anywhere(rng, extent);
                    if rng.random_bool(0.25) {
                        SmudgeCell::bare_nucleus(rng, at)
                    } else {
                        SmudgeCell::draw(rng, at)
                    }
                })
                .collect()
        } else {
            Vec::new()
        };
        let mut precipitate = Vec::new();
        if rng.random_bool(0.25) {
            let dirt = log_uniform(rng, 1.0, 30.0);
            let count = poisson(rng, area / 1000.0 * dirt).min(400);
            scatter_grains(rng, extent, count, &mut precipitate);
        }
        if rng.random_bool(0.25) {
            for _ in 0..rng.random_range(1..6) {
                let radius = log_uniform(rng, 0.6, 3.2);
                let at = anywhere(rng, extent);
                precipitate.push(Precipitate::blot(rng, at, radius));
            }
        }
        let mut heaps = Vec::new();
        if rng.random_bool(0.12) {
            for _ in 0..rng.random_range(1..4) {
                let at = anywhere(rng, extent);
                heaps.push(heap(rng, at, &mut precipitate));
            }
        }
        let bubbles = if rng.random_bool(0.12) {
            (0..rng.random_range(1..8))
                .map(|_| {
                    let radius = log_uniform(rng, 0.8, 6.0);
                    let at = anywhere(rng, extent);
                    Bubble::draw(rng, at, radius)
                })
                .collect()
        } else {
            Vec::new()
        };
        Self {
            smudge_cells,
            precipitate,
            bubbles,
            texture,
            heaps,
        }
    }

    /// The debris as it lies in a part of the field whose upper left corner is at `corner`.
    pub(crate) fn seen_from(mut self, corner: Point) -> Self {
        for outline in self.outlines_mut() {
            outline.centre.x -= corner.x;
            outline.centre.y -= corner.y;
        }
        self
    }

    /// Removes what covers a point or lies beside it.
    pub(crate) fn clear(&mut self, at: Point) {
        /// Width of what is cleared around the point, µm.
        const CLEARANCE: f32 = 3.0;
        let off = |outline: &Outline| outline.centre.distance(at) > outline.reach() + CLEARANCE;
        self.smudge_cells.retain(|cell| off(&cell.outline));
        self.precipitate.retain(|deposit| off(&deposit.outline));
        self.bubbles.retain(|bubble| off(&bubble.outline));
        self.heaps.retain(off);
    }

    fn outlines_mut(&mut self) -> impl Iterator<Item = &mut Outline> {
        let smudge_cells = self.smudge_cells.iter_mut().map(|cell| &mut cell.outline);
        let precipitate = self.precipitate.iter_mut();
        let precipitate = precipitate.map(|deposit| &mut deposit.outline);
        let bubbles = self.bubbles.iter_mut().map(|bubble| &mut bubble.outline);
        smudge_cells
            .chain(precipitate)
            .chain(bubbles)
            .chain(&mut self.heaps)
    }

    /// Adds what may be taken for a white cell, if it is debris, around a point.
    pub(crate) fn place(&mut self, rng: &mut impl Rng, lookalike: Lookalike, at: Point) {
        match lookalike {
            Lookalike::SmudgeCell => self.smudge_cells.push(SmudgeCell::draw(rng, at)),
            Lookalike::BareNucleus => self.smudge_cells.push(SmudgeCell::bare_nucleus(rng, at)),
            Lookalike::Blot => {
                let radius = log_uniform(rng, LARGE, 4.5);
                self.precipitate.push(Precipitate::blot(rng, at, radius));
            }
            Lookalike::Precipitate => {
                let heap = heap(rng, at, &mut self.precipitate);
                self.heaps.push(heap);
            }
            Lookalike::Bubble => {
                let radius = log_uniform(rng, LARGE, 6.0);
                self.bubbles.push(Bubble::draw(rng, at, radius));
            }
            Lookalike::PlateletClump
            | Lookalike::RedCell
            | Lookalike::Platelet
            | Lookalike::Background => {}
        }
    }

    /// What may be taken for a white cell.
    pub(crate) fn lookalikes(&self) -> impl Iterator<Item = (Lookalike, &Outline)> {
        let smudge_cells = self
            .smudge_cells
            .iter()
            .map(|cell| (cell.kind, &cell.outline));
        let blots = self
            .precipitate
            .iter()
            .map(|blot| (Lookalike::Blot, &blot.outline));
        let bubbles = self
            .bubbles
            .iter()
            .map(|bubble| (Lookalike::Bubble, &bubble.outline));
        let heaps = self.heaps.iter().map(|heap| (Lookalike::Precipitate, heap));
        smudge_cells
            .chain(
                blots
                    .chain(bubbles)
                    .filter(|(_, outline)| outline.radius >= LARGE),
            )
            .chain(heaps)
    }

    /// Paints what lies below the cells.
    pub(crate) fn paint_below(&self, canvas: &mut Canvas, palette: &Palette) {
        for smudge_cell in &self.smudge_cells {
            smudge_cell.paint(canvas, palette, self.texture);
        }
    }

    /// Paints what lies on top of the cells.
    pub(crate) fn paint_above(&self, canvas: &mut Canvas, palette: &Palette) {
        for deposit in &self.precipitate {
            deposit.paint(canvas, palette);
        }
        for bubble in &self.bubbles {
            bubble.paint(canvas);
        }
    }
}

/// Draws single grains and heaps of grains.
fn scatter_grains(
    rng: &mut impl Rng,
    extent: [f32; 2],
    count: usize,
    precipitate: &mut Vec<Precipitate>,
) {
    let heaped = rng.random_range(0.0..0.95);
    let size = log_uniform(rng, 0.15, 0.5);
    let amount = rng.random_range(0.4..1.6);
    let mut at = anywhere(rng, extent);
    for _ in 0..count {
        at = if rng.random_bool(heaped) {
            at.towards(rng.random_range(0.0..TAU), rng.random_range(0.0..2.0))
        } else {
            anywhere(rng, extent)
        };
        precipitate.push(Precipitate::grain(rng, at, size, amount));
    }
}

/// Draws a heap of grains around a point, and gives its outline.
fn heap(rng: &mut impl Rng, centre: Point, precipitate: &mut Vec<Precipitate>) -> Outline {
    let radius = rng.random_range(2.0..5.5);
    let size = log_uniform(rng, 0.2, 0.7);
    let amount = rng.random_range(0.4..1.6);
    for _ in 0..rng.random_range(12..90) {
        // Denser in the middle.
        let distance = radius * rng.random_range(0.0..1.0_f32);
        let at = centre.towards(rng.random_range(0.0..TAU), distance);
        precipitate.push(Precipitate::grain(rng, at, size, amount));
    }
    Outline::circle(centre, radius)
}

fn anywhere(rng: &mut impl Rng, extent: [f32; 2]) -> Point {
    let [x, y] = extent.map(|side| rng.random_range(0.0..side));
    Point { x, y }
}

impl SmudgeCell {
    fn draw(rng: &mut impl Rng, at: Point) -> Self {
        let radius = rng.random_range(4.0..9.5);
        let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
        let elongation = rng.random_range(0.05..0.35);
        Self {
            kind: Lookalike::SmudgeCell,
            outline: Outline::draw(rng, at, radius, elongation, 0.2),
            amount: log_uniform(rng, 0.2, 0.8),
            fray: rng.random_range(1.0..5.0),
            along: [cos, sin],
            stretch: rng.random_range(1.2..4.0),
        }
    }

    fn bare_nucleus(rng: &mut impl Rng, at: Point) -> Self {
        let radius = rng.random_range(3.4..6.2);
        let elongation = rng.random_range(0.0..0.2);
        Self {
            kind: Lookalike::BareNucleus,
            outline: Outline::draw(rng, at, radius, elongation, 0.1),
            amount: rng.random_range(0.6..1.0),
            fray: rng.random_range(0.6..1.6),
            along: [1.0, 0.0],
            stretch: 1.0,
        }
    }

    fn paint(&self, canvas: &mut Canvas, palette: &Palette, texture: Texture) {
        let [cos, sin] = self.along;
        let centre = self.outline.centre;
        canvas.each_near(centre, self.outline.reach() + self.fray, |at, spot| {
            let along = (at.x * cos + at.y * sin) * 0.7 / self.stretch;
            let across = (at.y * cos - at.x * sin) * 0.7;
            let fine = texture.at(along * 2.6 + 30.0, across * 2.6);
            let streak = 0.65 * texture.at(along, across) + 0.35 * fine;
            let frayed = self.outline.depth(at) + 0.4 * self.fray * streak;
            let inside = coverage(frayed, self.fray);
            if inside > 0.0 {
                let amount = self.amount * inside * (1.0 + 0.4 * streak);
                spot.density += palette.chromatin.times(amount);
            }
        });
    }
}

impl Precipitate {
    fn grain(rng: &mut impl Rng, at: Point, size: f32, amount: f32) -> Self {
        let radius = size * rng.random_range(0.6..1.6);
        Self {
            outline: Outline::draw(rng, at, radius, 0.15, 0.15),
            amount,
            nuclear: 0.0,
        }
    }

    fn blot(rng: &mut impl Rng, at: Point, radius: f32) -> Self {
        let elongation = rng.random_range(0.0..0.3);
        Self {
            outline: Outline::draw(rng, at, radius, elongation, 0.3),
            amount: rng.random_range(0.4..1.3),
            nuclear: rng.random_range(0.0..1.0),
        }
    }

    fn paint(&self, canvas: &mut Canvas, palette: &Palette) {
        let softness = canvas.pixel().max(0.3);
        let colour = palette.precipitate.blend(palette.chromatin, self.nuclear);
        let reach = self.outline.reach() + softness;
        canvas.each_near(self.outline.centre, reach, |at, spot| {
            let inside = coverage(self.outline.depth(at), softness);
            if inside > 0.0 {
                spot.density += colour.times(self.amount * inside);
            }
        });
    }
}

impl Bubble {
    fn draw(rng: &mut impl Rng, at: Point, radius: f32) -> Self {
        Self {
            outline: Outline::draw(rng, at, radius, 0.05, 0.03),
            ring: rng.random_range(0.3..0.9),
            amount: rng.random_range(0.1..0.6),
        }
    }

    fn paint(&self, canvas: &mut Canvas) {
        let reach = self.outline.reach() + 1.0;
        canvas.each_near(self.outline.centre, reach, |at, spot| {
            let depth = self.outline.depth(at);
            let within = coverage(depth, 0.5);
            let bright = coverage(depth - self.ring, 0.5);
            let grey = self.amount * (within - bright);
            spot.density += Density([grey; 3]);
            spot.density = spot.density.times(1.0 - 0.6 * bright * self.amount);
        });
    }
}
