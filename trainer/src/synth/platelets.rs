//! Platelets: small purple granular fragments, mostly between the cells.

use std::f32::consts::{PI, TAU};

use rand::{Rng, RngExt};

use super::canvas::Canvas;
use super::outline::{Outline, Point, coverage};
use super::stain::Palette;
use super::texture::Texture;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Platelet {
    outline: Outline,
    amount: f32,
}

/// Places `count` platelets, some of them in clumps.
pub(crate) fn scatter(rng: &mut impl Rng, extent: [f32; 2], count: usize) -> Vec<Platelet> {
    let mut platelets: Vec<Platelet> = Vec::with_capacity(count);
    for _ in 0..count {
        let neighbour = platelets.last().map(|last| last.outline.centre);
        let at = match neighbour {
            Some(near) if rng.random_bool(0.25) => {
                near.towards(rng.random_range(0.0..6.3), rng.random_range(1.5..3.5))
            }
            _ => Point {
                x: rng.random_range(0.0..extent[0]),
                y: rng.random_range(0.0..extent[1]),
            },
        };
        platelets.push(Platelet::draw(rng, at));
    }
    platelets
}

/// Draws a clump of platelets around a point, at most `radius` µm from it.
pub(crate) fn clump(rng: &mut impl Rng, centre: Point, radius: f32) -> Vec<Platelet> {
    /// Area of the clump for one platelet, µm²: they touch and overlap.
    const AREA: f32 = 3.0;
    let count = (PI * radius * radius / AREA).ceil() as usize;
    (0..count)
        .map(|_| {
            let distance = radius * rng.random_range(0.0..1.0_f32).sqrt();
            let at = centre.towards(rng.random_range(0.0..TAU), distance);
            Platelet::draw(rng, at)
        })
        .collect()
}

impl Platelet {
    pub(crate) fn draw(rng: &mut impl Rng, centre: Point) -> Self {
        // A few are giant platelets, as large as a red cell.
        let radius = if rng.random_bool(0.04) {
            rng.random_range(1.7..3.8)
        } else {
            rng.random_range(0.8..1.7)
        };
        let elongation = rng.random_range(0.0..0.25);
        Self {
            outline: Outline::draw(rng, centre, radius, elongation, 0.22),
            amount: rng.random_range(0.5..1.2),
        }
    }

    pub(crate) fn outline(&self) -> &Outline {
        &self.outline
    }

    pub(crate) fn paint(&self, canvas: &mut Canvas, palette: &Palette, grain: Texture) {
        let softness = canvas.pixel().max(0.3);
        canvas.each_near(
            self.outline.centre,
            self.outline.reach() + softness,
            |at, spot| {
                let inside = coverage(self.outline.depth(at), softness);
                if inside > 0.0 {
                    let granules = 0.3 + 0.25 * grain.at(at.x * 2.2, at.y * 2.2);
                    let free = inside * self.amount * (1.0 - spot.filled);
                    spot.density += palette.chromatin.times(granules * free);
                    spot.density += palette.basophilia.times(0.4 * free);
                }
            },
        );
    }
}
