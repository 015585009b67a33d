//! Everything about a field that does not depend on its class.
//!
//! None of these functions is told the class, so none of it can give the class away.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Poisson};

use super::erythrocytes::{self, Erythrocyte, Habit};
use super::optics::Optics;
use super::outline::Point;
use super::platelets::{self, Platelet};
use super::stain::Palette;

/// One field without its white cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    pub(crate) pixels_per_um: f32,
    pub(crate) palette: Palette,
    pub(crate) optics: Optics,
    pub(crate) plasma: f32,
    pub(crate) erythrocytes: Vec<Erythrocyte>,
    pub(crate) platelets: Vec<Platelet>,
    /// Centres of the white cells.
    pub(crate) sites: Vec<Point>,
}

/// Most white cells in a field.
const MOST_SITES: usize = 14;

impl Scene {
    pub(crate) fn draw(rng: &mut impl Rng, width: usize, height: usize) -> Self {
        // From many small cells to a few large ones.
        let magnification = log_uniform(rng, 6.5, 14.0);
        let pixels_per_um = magnification * width as f32 / 640.0;
        let extent = [width, height].map(|side| side as f32 / pixels_per_um);
        let area = extent[0] * extent[1];

        let palette = Palette::draw(rng);
        let optics = Optics::draw(rng);
        let plasma = rng.random_range(0.0..1.2);
        let sites = place_sites(rng, extent, area);
        let habit = Habit {
            radius: rng.random_range(3.2..4.3),
            anisocytosis: rng.random_range(0.03..0.12),
            elongation: rng.random_range(0.06..0.22),
            flatness: rng.random_range(0.0..1.0),
            stacked: rng.random_range(0.0..0.6),
            artefacts: if rng.random_bool(0.2) {
                rng.random_range(0.05..0.7)
            } else {
                0.0
            },
        };
        let covered = rng.random_range(0.12..0.75);
        let mut erythrocytes = erythrocytes::scatter(rng, &habit, extent, covered);
        // White cells push red ones aside; how far is drawn before anyone knows which cell comes.
        let clearances: Vec<f32> = sites.iter().map(|_| rng.random_range(5.0..8.0)).collect();
        erythrocytes.retain(|cell| {
            sites.iter().zip(&clearances).all(|(site, clearance)| {
                cell.centre().distance(*site) > clearance + 0.6 * habit.radius
            })
        });
        let crowding = log_uniform(rng, 0.2, 4.0);
        let count = poisson(rng, area / 1000.0 * crowding);
        let platelets = platelets::scatter(rng, extent, count.min(80));
        Self {
            pixels_per_um,
            palette,
            optics,
            plasma,
            erythrocytes,
            platelets,
            sites,
        }
    }
}

/// At least one site, all of them in view and none upon another.
fn place_sites(rng: &mut impl Rng, extent: [f32; 2], area: f32) -> Vec<Point> {
    const MARGIN: f32 = 4.0;
    const APART: f32 = 14.0;
    let crowding = log_uniform(rng, 0.1, 1.2);
    let wanted = 1 + poisson(rng, area / 1000.0 * crowding).min(MOST_SITES - 1);
    let mut sites: Vec<Point> = Vec::with_capacity(wanted);
    for _ in 0..wanted * 8 {
        if sites.len() == wanted {
            break;
        }
        let [x, y] = extent.map(|side| {
            let margin = MARGIN.min(side / 4.0);
            rng.random_range(margin..side - margin)
        });
        let site = Point { x, y };
        if sites.iter().all(|other| other.distance(site) > APART) {
            sites.push(site);
        }
    }
    sites
}

fn log_uniform(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    rng.random_range(low.ln()..high.ln()).exp()
}

fn poisson(rng: &mut impl Rng, mean: f32) -> usize {
    Poisson::new(mean).map_or(0, |distribution| distribution.sample(rng) as usize)
}
