//! What lies on a smear beside cells: smudge cells, stain precipitate, bubbles.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

use super::canvas::{Canvas, Density};
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
}

/// A cell that burst when the smear was spread: a pale streaky blot of chromatin without cytoplasm.
#[derive(Debug, Clone)]
struct SmudgeCell {
    outline: Outline,
    /// Amount of chromatin, 1 as in a nucleus.
    amount: f32,
    /// Width of its frayed edge, µm.
    fray: f32,
    /// Direction of the streaks.
    along: [f32; 2],
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
                .map(|_| SmudgeCell::draw(rng, extent))
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
                precipitate.push(Precipitate::blot(rng, extent));
            }
        }
        let bubbles = if rng.random_bool(0.12) {
            (0..rng.random_range(1..8))
                .map(|_| Bubble::draw(rng, extent))
                .collect()
        } else {
            Vec::new()
        };
        Self {
            smudge_cells,
            precipitate,
            bubbles,
            texture,
        }
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
        let radius = size * rng.random_range(0.6..1.6);
        precipitate.push(Precipitate {
            outline: Outline::draw(rng, at, radius, 0.15, 0.15),
            amount,
            nuclear: 0.0,
        });
    }
}

fn anywhere(rng: &mut impl Rng, extent: [f32; 2]) -> Point {
    let [x, y] = extent.map(|side| rng.random_range(0.0..side));
    Point { x, y }
}

impl SmudgeCell {
    fn draw(rng: &mut impl Rng, extent: [f32; 2]) -> Self {
        let radius = rng.random_range(4.0..9.5);
        let at = anywhere(rng, extent);
        let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
        let elongation = rng.random_range(0.05..0.35);
        Self {
            outline: Outline::draw(rng, at, radius, elongation, 0.2),
            amount: log_uniform(rng, 0.2, 0.8),
            fray: rng.random_range(1.0..5.0),
            along: [cos, sin],
        }
    }

    fn paint(&self, canvas: &mut Canvas, palette: &Palette, texture: Texture) {
        let [cos, sin] = self.along;
        let centre = self.outline.centre;
        canvas.each_near(centre, self.outline.reach() + self.fray, |at, spot| {
            // Streaks are four times as long as they are wide.
            let along = (at.x * cos + at.y * sin) * 0.2;
            let across = (at.y * cos - at.x * sin) * 0.8;
            let streak = texture.at(along, across);
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
    /// Draws a blot as large as a platelet or a small nucleus.
    fn blot(rng: &mut impl Rng, extent: [f32; 2]) -> Self {
        let radius = log_uniform(rng, 0.6, 3.2);
        let at = anywhere(rng, extent);
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
    fn draw(rng: &mut impl Rng, extent: [f32; 2]) -> Self {
        let radius = log_uniform(rng, 0.8, 6.0);
        let at = anywhere(rng, extent);
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
