//! The diameters of red cells by their edges.
//!
//! A finder's diameters scatter. An edge lies where it lies: first a circle is found across which the density falls off,
//! then the edge along rays from its centre.

use super::cell_site::CellSite;
use crate::image::density::DensityField;

/// Directions in which the edge is looked for.
const RAYS: usize = 32;
/// How far from the finder's centre that of the circle may lie, in usual diameters, and how many places are tried on the
/// way, in each direction.
const REACH: f32 = 0.18;
const PLACES: i32 = 2;
/// Smallest and largest radius of the circle, in usual diameters.
const RADII: [f32; 2] = [0.36, 0.68];
/// Steps between radii that are tried, in usual diameters: coarse ones, and fine ones as far as `NEAR` around the best.
const STEPS: [f32; 2] = [1.0 / 40.0, 1.0 / 80.0];
const NEAR: f32 = 1.0 / 15.0;
/// Half the width over which an edge falls off, in usual diameters.
const SLOPE: f32 = 1.0 / 16.0;
/// Range of the differences of density across an edge; more is another cell.
const DIFFERENCES: [f32; 2] = [-0.03, 0.12];
/// Smallest mean difference across the circle; less is noise.
const LEAST_DIFFERENCE: f32 = 0.01;
/// The diameter of the edge relative to that of the circle, about which rays look for it.
const OUTWARDS: f32 = 1.08;
/// Where rays begin and end, and their steps, in diameters.
const FIRST: f32 = 0.2;
const LAST: f32 = 0.75;
const STEP: f32 = 1.0 / 56.0;
/// How far from the centre the rim is looked for, the densest part of a red cell, in diameters.
const RIM_WITHIN: f32 = 0.5;
/// Smallest density of a rim; less is noise.
const LEAST_RIM: f32 = 0.02;
/// Share of the rim's density at which the edge lies.
const EDGE: f32 = 0.35;
/// Smallest share of the rays on which there is an edge.
const LEAST_RAYS: f32 = 0.4;
/// Largest distance of the quartiles of the rays, relative to their median: more is no round cell, or several.
const MAX_QUARTILES: f32 = 0.35;
/// What people draw as a cell's width, relative to the diameter of the edge: 1.09 on BCCD, 1.13 on BCD and 1.05 on PBC, in
/// the median of their fields. Scales by boxes are those that real cells have in training, so red cells give the same ones.
const DRAWN_WIDTH: f32 = 1.0 / 0.915;

/// The cells that have a clear edge in green light on enough of their sides, with the diameters that it has, in pixels of the field.
pub(super) fn measured(field: &DensityField, cells: &[CellSite]) -> Vec<CellSite> {
    let mut diameters: Vec<f32> = cells.iter().map(|cell| cell.diameter).collect();
    diameters.sort_unstable_by(f32::total_cmp);
    let Some(usual) = diameters.get(diameters.len() / 2) else {
        return Vec::new();
    };
    let rays = Rays {
        field,
        directions: std::array::from_fn(|ray| {
            let angle = std::f32::consts::TAU * ray as f32 / RAYS as f32;
            [angle.cos(), angle.sin()]
        }),
        usual: *usual,
    };
    let measured = |cell: &CellSite| {
        Some(CellSite {
            diameter: rays.diameter(cell)? * DRAWN_WIDTH,
            ..*cell
        })
    };
    cells.iter().filter_map(measured).collect()
}

#[derive(Debug, Clone, Copy)]
struct Circle {
    centre: [f32; 2],
    radius: f32,
}

/// Rays from the centres of a field's red cells.
struct Rays<'a> {
    field: &'a DensityField,
    directions: [[f32; 2]; RAYS],
    /// The usual diameter of red cells here.
    usual: f32,
}

impl Rays<'_> {
    /// The diameter of a cell's edge.
    fn diameter(&self, cell: &CellSite) -> Option<f32> {
        let circle = self.circle(cell)?;
        let directions = self.directions.iter();
        let mut radii: Vec<f32> = directions
            .filter_map(|direction| self.edge(circle, *direction))
            .collect();
        if (radii.len() as f32) < LEAST_RAYS * RAYS as f32 {
            return None;
        }
        radii.sort_unstable_by(f32::total_cmp);
        let quartile = |number: usize| radii[number * (radii.len() - 1) / 4];
        let is_round = quartile(3) - quartile(1) <= MAX_QUARTILES * quartile(2);
        is_round.then_some(2.0 * quartile(2))
    }

    /// The circle near a cell across which the density falls off most (Daugman 1993, "High confidence visual recognition
    /// of persons by a test of statistical independence": the integro-differential operator).
    fn circle(&self, cell: &CellSite) -> Option<Circle> {
        let place = REACH / PLACES as f32;
        let [coarse, fine] = STEPS;
        let around = self.best([cell.x, cell.y], (PLACES, place), RADII, coarse)?;
        let radius = around.radius / self.usual;
        let [smallest, largest] = RADII;
        let near = [(radius - NEAR).max(smallest), (radius + NEAR).min(largest)];
        self.best(around.centre, (1, place / 2.0), near, fine)
    }

    /// The best circle with one of these radii about a place that lies up to so many steps of this size from a centre; sizes
    /// are in usual diameters.
    fn best(
        &self,
        [x, y]: [f32; 2],
        (places, step): (i32, f32),
        [smallest, largest]: [f32; 2],
        radii: f32,
    ) -> Option<Circle> {
        let mut best = (LEAST_DIFFERENCE, None);
        let step = step * self.usual;
        let count = ((largest - smallest) / radii).round() as usize;
        for down in -places..=places {
            for across in -places..=places {
                let centre = [x + across as f32 * step, y + down as f32 * step];
                for number in 0..=count {
                    let radius = (smallest + number as f32 * radii) * self.usual;
                    let circle = Circle { centre, radius };
                    let difference = self.difference(circle);
                    if difference > best.0 {
                        best = (difference, Some(circle));
                    }
                }
            }
        }
        best.1
    }

    /// Mean difference of density across a circle.
    fn difference(&self, circle: Circle) -> f32 {
        let [least, most] = DIFFERENCES;
        let slope = SLOPE * self.usual;
        let across = |direction: &[f32; 2]| {
            let at = |radius| self.density(circle.centre, *direction, radius);
            (at(circle.radius - slope) - at(circle.radius + slope)).clamp(least, most)
        };
        self.directions.iter().map(across).sum::<f32>() / RAYS as f32
    }

    /// Distance of the edge from the centre of a circle in a direction.
    fn edge(&self, circle: Circle, direction: [f32; 2]) -> Option<f32> {
        let diameter = 2.0 * circle.radius * OUTWARDS;
        let distance = |step: usize| (FIRST + STEP * step as f32) * diameter;
        let at = |step: usize| self.density(circle.centre, direction, distance(step));
        let steps = |share: f32| ((share - FIRST) / STEP) as usize;
        let (rim, density) = (0..steps(RIM_WITHIN))
            .map(|step| (step, at(step)))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        if density < LEAST_RIM {
            return None;
        }
        let level = EDGE * density;
        let mut before = density;
        for step in rim + 1..=steps(LAST) {
            let here = at(step);
            if here < level {
                let share = (before - level) / (before - here);
                return Some(distance(step - 1) + share * STEP * diameter);
            }
            before = here;
        }
        None
    }

    /// Density in green light at a distance from a centre, between the middles of pixels; beyond the field, that of its
    /// border.
    fn density(&self, [x, y]: [f32; 2], direction: [f32; 2], distance: f32) -> f32 {
        let DensityField { width, height, .. } = *self.field;
        let along = |at: f32, length: usize| {
            let at = (at - 0.5).clamp(0.0, (length - 1) as f32);
            let first = at as usize;
            (first, (first + 1).min(length - 1), at - first as f32)
        };
        let (left, right, across) = along(x + distance * direction[0], width);
        let (top, bottom, down) = along(y + distance * direction[1], height);
        let row = |row: usize| {
            let values = &self.field.green[row * width..][..width];
            values[left] + across * (values[right] - values[left])
        };
        let (above, below) = (row(top), row(bottom));
        above + down * (below - above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 60;

    /// A field with a red cell of this diameter about (30.2, 24.7), pale in its middle, whose edge falls off over two
    /// pixels, and a neighbour that touches it.
    fn field(diameter: f32, density: f32) -> DensityField {
        let green: Vec<f32> = (0..SIDE * SIDE)
            .map(|at| {
                let (x, y) = ((at % SIDE) as f32 + 0.5, (at / SIDE) as f32 + 0.5);
                let cell = |left: f32| {
                    let from_edge = (diameter / 2.0 - (x - left).hypot(y - 24.7)) / 2.0;
                    let paleness = if from_edge > 2.0 { 0.6 } else { 1.0 };
                    paleness * (from_edge + 0.5).clamp(0.0, 1.0)
                };
                density * cell(30.2).max(cell(30.2 + diameter))
            })
            .collect();
        DensityField {
            width: SIDE,
            height: SIDE,
            red: vec![0.0; green.len()],
            green,
        }
    }

    fn of(field: &DensityField, diameter: f32) -> Option<f32> {
        let cell = CellSite {
            x: 31.0,
            y: 24.0,
            diameter,
            score: 0.8,
        };
        let found = measured(field, &[cell]);
        found.first().map(|cell| cell.diameter)
    }

    #[test]
    fn the_edge_is_found_whatever_the_finder_takes_for_the_diameter() {
        for diameter in [12.0, 14.0, 20.0] {
            for error in [0.88, 1.0, 1.12] {
                let found = of(&field(diameter, 0.3), error * diameter).unwrap();
                // The edge at 0.35 of the density lies 0.3 pixels farther out than half of it.
                let expected = (diameter + 2.0 * 0.3) * 1.093;
                assert!(
                    (found / expected - 1.0).abs() < 0.04,
                    "{found} {expected} {error}"
                );
            }
        }
    }

    #[test]
    fn what_has_no_edge_is_not_measured() {
        assert_eq!(of(&field(14.0, 0.01), 14.0), None);
        let mut even = field(14.0, 0.3);
        even.green.fill(0.3);
        assert_eq!(of(&even, 14.0), None);
        assert_eq!(measured(&even, &[]), []);
        for diameter in [f32::NAN, f32::INFINITY, 0.0] {
            assert_eq!(of(&field(14.0, 0.3), diameter), None, "{diameter}");
        }
    }
}
