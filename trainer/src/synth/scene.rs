//! Everything about a field that does not depend on its class.
//!
//! No function here knows the class, so nothing drawn here can give it away.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};
use serde::Serialize;

use super::debris::Debris;
use super::erythrocytes::{self, Erythrocyte, ErythrocyteTraits};
use super::kind::Lookalike;
use super::optics::Optics;
use super::outline::{Outline, Point};
use super::platelets::{self, Platelet};
use super::random::{log_uniform, poisson};
use super::stain::{Palette, StainFamily};
use crate::cell_kind::CellKind;

/// One field without its white cells, except for where they lie.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) view: View,
    pub(crate) pixels_per_um: f32,
    pub(crate) palette: Palette,
    pub(crate) optics: Optics,
    /// Density of the plasma film, 1 as usual.
    pub(crate) plasma: f32,
    pub(crate) erythrocytes: Vec<Erythrocyte>,
    pub(crate) platelets: Vec<Platelet>,
    /// Outlines of clumps of platelets.
    pub(crate) clumps: Vec<Outline>,
    pub(crate) debris: Debris,
    /// Centres of the white cells. The first is well in view.
    pub(crate) sites: Vec<Point>,
    traits: ErythrocyteTraits,
    /// Width of the surroundings that are cut out with a cell, µm; negative if its rim is cut off.
    pub(crate) cut_out_margin: f32,
    /// Factor by which white cells are wider than usual: where the smear is thin they dry flat.
    pub(crate) spread: f32,
}

/// What the picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum View {
    /// A whole field of view: one white cell to sixty.
    Field,
    /// The surroundings of one white cell, as in ALL-IDB2.
    Crop,
    /// One white cell cut out, on a black background, as in C-NMC.
    CutOut,
    /// One cell in the middle, as the appliance crops it from a field.
    Cell,
}

/// Largest number of white cells in a field.
const MAX_SITES: f32 = 60.0;

impl View {
    fn draw(rng: &mut impl Rng) -> Self {
        match rng.random_range(0..100) {
            0..72 => Self::Field,
            72..92 => Self::Crop,
            _ => Self::CutOut,
        }
    }

    /// Smallest and largest side of a square with the area of the picture, µm.
    fn sides(self) -> [f32; 2] {
        match self {
            Self::Field => [36.0, 190.0],
            Self::Crop | Self::Cell => [16.0, 36.0],
            Self::CutOut => [15.0, 28.0],
        }
    }

    fn count_sites(self, rng: &mut impl Rng) -> usize {
        match self {
            Self::Field => log_uniform(rng, 1.0, MAX_SITES + 1.0) as usize,
            Self::Crop | Self::Cell => 1 + poisson(rng, 0.7),
            Self::CutOut => 1,
        }
    }
}

impl Scene {
    /// Draws a scene with a stain of one of some families, or of all if none is named.
    pub(crate) fn draw(
        rng: &mut impl Rng,
        width: usize,
        height: usize,
        families: &[StainFamily],
    ) -> Self {
        let view = View::draw(rng);
        let [shortest, longest] = view.sides();
        let side = log_uniform(rng, shortest, longest);
        let pixels_per_um = ((width * height) as f32).sqrt() / side;
        Self::of_view(rng, view, [width, height], pixels_per_um, families, 0)
    }

    /// Draws a square with a site for a white cell in the middle, or with something else there.
    pub(crate) fn of_cell(
        rng: &mut impl Rng,
        side: usize,
        pixels_per_um: f32,
        families: &[StainFamily],
        instead: Option<Lookalike>,
    ) -> Self {
        let pushes = instead.is_none_or(|object| object.kind() == CellKind::Artefact);
        let first = usize::from(!pushes);
        let square = [side; 2];
        let mut scene = Self::of_view(rng, View::Cell, square, pixels_per_um, families, first);
        if let Some(lookalike) = instead {
            let middle = scene.sites.remove(0);
            scene.debris.clear(middle);
            scene.place(rng, lookalike, middle);
        }
        scene
    }

    fn place(&mut self, rng: &mut impl Rng, lookalike: Lookalike, at: Point) {
        match lookalike {
            Lookalike::PlateletClump => {
                add_clump(rng, at, &mut self.platelets, &mut self.clumps);
            }
            Lookalike::RedCell => {
                let apart = 1.7 * self.traits.radius;
                self.erythrocytes
                    .retain(|cell| cell.centre().distance(at) > apart);
                self.erythrocytes
                    .push(Erythrocyte::draw(rng, &self.traits, at));
            }
            Lookalike::Platelet => self.platelets.push(Platelet::draw(rng, at)),
            _ => self.debris.place(rng, lookalike, at),
        }
    }

    /// The first `unpushed` sites push no red cells aside.
    fn of_view(
        rng: &mut impl Rng,
        view: View,
        size: [usize; 2],
        pixels_per_um: f32,
        families: &[StainFamily],
        unpushed: usize,
    ) -> Self {
        let extent = size.map(|side| side as f32 / pixels_per_um);
        let area = extent[0] * extent[1];

        let palette = Palette::draw(rng, families);
        let optics = Optics::draw(rng);
        let plasma = rng.random_range(0.0..1.5);
        let sites = place_sites(rng, view, extent);
        let traits = ErythrocyteTraits::draw(rng);
        let covered = match rng.random_range(0..100) {
            0..8 => rng.random_range(0.0..0.1),
            8..70 => rng.random_range(0.1..0.7),
            _ => rng.random_range(0.7..1.3),
        };
        let mut erythrocytes = erythrocytes::scatter(rng, &traits, extent, covered);
        // White cells push red ones aside; how far does not depend on the kind of white cell.
        let clearances: Vec<f32> = sites.iter().map(|_| rng.random_range(3.5..8.0)).collect();
        erythrocytes.retain(|cell| {
            let mut pushing = sites.iter().zip(&clearances).skip(unpushed);
            pushing.all(|(site, clearance)| {
                cell.centre().distance(*site) > clearance + 0.6 * traits.radius
            })
        });
        let crowding = log_uniform(rng, 0.2, 4.0);
        let count = poisson(rng, area / 1000.0 * crowding);
        let mut platelets = platelets::scatter(rng, extent, count.min(120));
        let mut clumps = Vec::new();
        if view == View::Field && rng.random_bool(0.12) {
            for _ in 0..rng.random_range(1..4) {
                let [x, y] = extent.map(|side| rng.random_range(0.0..side));
                add_clump(rng, Point { x, y }, &mut platelets, &mut clumps);
            }
        }
        let debris = if view == View::Cell {
            // As rare as in a field of this width, in µm.
            let field = extent[0] + rng.random_range(40.0..130.0);
            let [x, y] = extent.map(|side| rng.random_range(0.0..field - side));
            Debris::draw(rng, [field; 2]).seen_from(Point { x, y })
        } else {
            Debris::draw(rng, extent)
        };
        Self {
            view,
            pixels_per_um,
            palette,
            optics,
            plasma,
            erythrocytes,
            platelets,
            clumps,
            debris,
            sites,
            cut_out_margin: rng.random_range(-0.6..0.25),
            spread: log_uniform(rng, 0.9, 1.12),
            traits,
        }
    }
}

/// Adds a clump of platelets around a point.
fn add_clump(
    rng: &mut impl Rng,
    at: Point,
    platelets: &mut Vec<Platelet>,
    clumps: &mut Vec<Outline>,
) {
    let radius = rng.random_range(2.5..6.5);
    platelets.extend(platelets::clump(rng, at, radius));
    clumps.push(Outline::circle(at, radius));
}

/// Draws where the white cells lie, scattered or in packs: at least one, the first well in view.
fn place_sites(rng: &mut impl Rng, view: View, extent: [f32; 2]) -> Vec<Point> {
    /// Distance of the first cell from the frame, µm: a cell of usual size is wholly in view.
    const MARGIN: f32 = 7.0;
    /// Largest distance of a centre outside the frame, µm: the frame cuts these cells.
    const OUTSIDE: f32 = 4.0;
    /// Largest distance of a single cell from the middle of its crop, µm: as far as a finder errs.
    const OFF_CENTRE: f32 = 1.0;
    let first = extent.map(|side| match view {
        View::Field => {
            let margin = MARGIN.min(side / 2.2);
            rng.random_range(margin..side - margin)
        }
        View::Crop | View::CutOut => {
            let shift = (side / 2.0 - MARGIN).clamp(0.02 * side, 0.1 * side);
            side / 2.0 + rng.random_range(-shift..shift)
        }
        View::Cell => side / 2.0,
    });
    let mut first = Point {
        x: first[0],
        y: first[1],
    };
    if view == View::Cell {
        let distance = OFF_CENTRE * rng.random_range(0.0..1.0_f32).sqrt();
        first = first.towards(rng.random_range(0.0..TAU), distance);
    }
    let mut sites = vec![first];
    let wanted = view.count_sites(rng);
    let mut apart = rng.random_range(8.0..15.0);
    if view == View::Cell {
        // No neighbour reaches the middle.
        apart = f32::max(apart, 11.0);
    }
    // Chance that a cell lies beside another.
    let packing = rng.random_range(-0.5..1.0_f64).max(0.0);
    for _ in 0..wanted * 4 {
        if sites.len() >= wanted {
            break;
        }
        let beside = sites[rng.random_range(0..sites.len())];
        let site = if rng.random_bool(packing) {
            let distance = apart * rng.random_range(1.0..1.4);
            beside.towards(rng.random_range(0.0..TAU), distance)
        } else {
            let [x, y] = extent.map(|side| rng.random_range(-OUTSIDE..side + OUTSIDE));
            Point { x, y }
        };
        let within = |at: f32, side: f32| (-OUTSIDE..side + OUTSIDE).contains(&at);
        let in_view = within(site.x, extent[0]) && within(site.y, extent[1]);
        if in_view && sites.iter().all(|other| other.distance(site) > apart) {
            sites.push(site);
        }
    }
    sites
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn scenes() -> Vec<Scene> {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        (0..300)
            .map(|_| Scene::draw(&mut rng, 320, 240, &[]))
            .collect()
    }

    fn count(scenes: &[Scene], which: impl Fn(&Scene) -> bool) -> usize {
        scenes.iter().filter(|scene| which(scene)).count()
    }

    #[test]
    fn fields_show_one_white_cell_or_sixty() {
        let scenes = scenes();
        let sites = |scene: &Scene| scene.sites.len();
        assert!(count(&scenes, |scene| sites(scene) == 1) > 30);
        assert!(count(&scenes, |scene| sites(scene) > 20) > 20);
        assert!(count(&scenes, |scene| sites(scene) > 40) > 0);
        assert_eq!(count(&scenes, |scene| sites(scene) > 60), 0);
    }

    #[test]
    fn views_range_from_one_cell_to_a_fifth_of_a_millimetre() {
        let scenes = scenes();
        let height = |scene: &Scene| 240.0 / scene.pixels_per_um;
        assert!(count(&scenes, |scene| height(scene) < 24.0) > 30);
        assert!(count(&scenes, |scene| height(scene) > 120.0) > 20);
        assert!(count(&scenes, |scene| scene.view == View::Crop) > 40);
        assert!(count(&scenes, |scene| scene.view == View::CutOut) > 10);
    }

    #[test]
    fn the_first_white_cell_lies_well_in_view() {
        for scene in scenes() {
            let Point { x, y } = scene.sites[0];
            let [width, height] = [320.0, 240.0].map(|side| side / scene.pixels_per_um);
            let margin = x.min(width - x).min(y.min(height - y));
            assert!(margin >= 0.37 * height.min(18.0), "{margin} of {height}");
        }
    }

    #[test]
    fn smears_are_bare_thin_and_thick() {
        let scenes = scenes();
        let covered = |scene: &Scene| {
            let area = 320.0 * 240.0 / (scene.pixels_per_um * scene.pixels_per_um);
            scene.erythrocytes.len() as f32 * 44.0 / area
        };
        assert!(count(&scenes, |scene| covered(scene) < 0.1) > 15);
        assert!(count(&scenes, |scene| covered(scene) > 0.8) > 15);
    }
}
