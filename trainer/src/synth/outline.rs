//! Outlines of cells and nuclei.

use rand::{Rng, RngExt};

use super::texture::fade;

/// A position on the slide, in µm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

impl Point {
    /// The point `distance` µm away at an angle in radians.
    pub(crate) fn towards(self, angle: f32, distance: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self {
            x: self.x + cos * distance,
            y: self.y + sin * distance,
        }
    }

    pub(crate) fn square_distance(self, other: Self) -> f32 {
        let (x, y) = (self.x - other.x, self.y - other.y);
        x * x + y * y
    }

    pub(crate) fn distance(self, other: Self) -> f32 {
        self.square_distance(other).sqrt()
    }
}

/// Lowest Fourier order of an outline: order 1 would only move it.
const FIRST_ORDER: i32 = 2;

/// A closed curve around a centre: a circle whose radius is modulated by the Fourier orders 2
/// (elongation) to 5 (lobulation).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    pub(crate) centre: Point,
    /// Mean radius, µm.
    pub(crate) radius: f32,
    /// Cosine and sine coefficient of each order, relative to the radius.
    harmonics: [[f32; 2]; 4],
}

impl Outline {
    /// Draws an outline with an elongation and an irregularity, both relative to the radius.
    pub(crate) fn draw(
        rng: &mut impl Rng,
        centre: Point,
        radius: f32,
        elongation: f32,
        irregularity: f32,
    ) -> Self {
        let mut order = FIRST_ORDER - 1;
        let harmonics = std::array::from_fn(|_| {
            order += 1;
            let amplitude = if order == FIRST_ORDER {
                elongation
            } else {
                irregularity * rng.random_range(0.3..1.0) * 2.0 / order as f32
            };
            let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
            [amplitude * cos, amplitude * sin]
        });
        Self {
            centre,
            radius,
            harmonics,
        }
    }

    /// A circle.
    pub(crate) fn circle(centre: Point, radius: f32) -> Self {
        Self {
            centre,
            radius,
            harmonics: [[0.0; 2]; 4],
        }
    }

    /// Diameter of the circle with the same area, µm.
    pub(crate) fn diameter(&self) -> f32 {
        // By Parseval's theorem: the area is half the integral of the squared radius.
        let squares: f32 = self.harmonics.iter().map(|[a, b]| a * a + b * b).sum();
        2.0 * self.radius * (1.0 + squares / 2.0).sqrt()
    }

    /// Distance from the centre to a point, and to the outline in the same direction.
    pub(crate) fn polar(&self, at: Point) -> (f32, f32) {
        let (dx, dy) = (at.x - self.centre.x, at.y - self.centre.y);
        let distance = (dx * dx + dy * dy).sqrt().max(1e-6);
        let (cos, sin) = (dx / distance, dy / distance);
        // Angle addition is faster than trigonometry; this runs for every pixel of every cell.
        let (mut cos_n, mut sin_n) = (cos, sin);
        let mut modulation = 1.0;
        for [a, b] in self.harmonics {
            (cos_n, sin_n) = (cos_n * cos - sin_n * sin, sin_n * cos + cos_n * sin);
            modulation += a * cos_n + b * sin_n;
        }
        (distance, self.radius * modulation)
    }

    /// How far inside the outline a point lies, in µm along its radius; negative outside.
    pub(crate) fn depth(&self, at: Point) -> f32 {
        let (distance, edge) = self.polar(at);
        edge - distance
    }

    /// Largest distance of the outline from its centre, µm.
    pub(crate) fn reach(&self) -> f32 {
        let swing: f32 = self.harmonics.iter().map(|[a, b]| a.hypot(*b)).sum();
        self.radius * (1.0 + swing)
    }
}

/// Share of a pixel that lies inside an edge `softness` µm wide, 0 to 1.
pub(crate) fn coverage(depth: f32, softness: f32) -> f32 {
    fade((depth / softness + 0.5).clamp(0.0, 1.0))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_plain_outline_is_a_circle() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let centre = Point { x: 5.0, y: 7.0 };
        let circle = Outline::draw(&mut rng, centre, 2.0, 0.0, 0.0);
        assert_eq!(circle, Outline::circle(centre, 2.0));
        assert_eq!(circle.diameter(), 4.0);
        for angle in [0.0, 1.0, 2.5, 4.0] {
            assert!(circle.depth(centre.towards(angle, 2.0)).abs() < 1e-5);
            assert!((circle.depth(centre.towards(angle, 0.5)) - 1.5).abs() < 1e-5);
        }
        assert!((circle.reach() - 2.0).abs() < 1e-6);
    }

    #[test]
    fn reach_bounds_every_direction() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let centre = Point { x: 0.0, y: 0.0 };
        let outline = Outline::draw(&mut rng, centre, 3.0, 0.2, 0.1);
        let edges = (0..360).map(|degree| {
            let (_, edge) = outline.polar(centre.towards((degree as f32).to_radians(), 1.0));
            edge
        });
        let widest = edges.fold(0.0, f32::max);
        assert!(widest > 3.3 && widest <= outline.reach());
    }

    #[test]
    fn coverage_is_half_at_the_edge() {
        assert_eq!(coverage(0.0, 0.2), 0.5);
        assert_eq!(coverage(0.2, 0.2), 1.0);
        assert_eq!(coverage(-0.2, 0.2), 0.0);
    }
}
