//! White blood cells, normal ones and lymphoblasts, after their descriptions in haematology
//! atlases: size, nucleus-to-cytoplasm ratio, chromatin, nucleoli, cytoplasm and granules.

use std::f32::consts::TAU;
use std::ops::Range;

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::canvas::{Canvas, Density};
use super::outline::{Outline, Point, coverage};
use super::stain::Palette;
use super::texture::Texture;

/// What kind of white cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Neutrophil,
    Lymphocyte,
    Monocyte,
    Eosinophil,
    Lymphoblast,
}

impl Kind {
    /// A kind that healthy blood has, about as often as it has it.
    pub(crate) fn draw_normal(rng: &mut impl Rng) -> Self {
        match rng.random_range(0..100) {
            0..48 => Self::Neutrophil,
            48..80 => Self::Lymphocyte,
            80..92 => Self::Monocyte,
            _ => Self::Eosinophil,
        }
    }
}

/// No point of a cell is farther from its centre, µm.
#[cfg(test)]
pub(crate) const MAX_REACH: f32 = 11.5;

/// One white cell.
#[derive(Debug, Clone)]
pub(crate) struct Leukocyte {
    cell: Outline,
    nucleus: Nucleus,
    chromatin: Chromatin,
    cytoplasm: Cytoplasm,
    texture: Texture,
}

/// Lobes, joined by strands, less a notch.
#[derive(Debug, Clone)]
struct Nucleus {
    lobes: Vec<Outline>,
    strands: Vec<Strand>,
    notch: Option<Outline>,
    nucleoli: Vec<Outline>,
}

/// A straight bridge between two lobes.
#[derive(Debug, Clone)]
struct Strand {
    from: Point,
    to: Point,
    half_width: f32,
}

#[derive(Debug, Clone)]
struct Chromatin {
    /// Amount, 1 as usual.
    amount: f32,
    /// Width of the clumps, µm.
    grain: f32,
    /// How much denser clumps are than what lies between them, relative.
    contrast: f32,
}

#[derive(Debug, Clone)]
struct Cytoplasm {
    basophilia: f32,
    lilac: f32,
    /// Granules of a stain: amount, and size in µm.
    granules: Option<(Granule, f32, f32)>,
    /// Number of pale vacuoles per µm², as a threshold on texture.
    vacuoles: f32,
}

#[derive(Debug, Clone, Copy)]
enum Granule {
    Neutral,
    Eosinophil,
}

impl Leukocyte {
    pub(crate) fn draw(rng: &mut impl Rng, kind: Kind, centre: Point) -> Self {
        match kind {
            Kind::Neutrophil => neutrophil(rng, centre),
            Kind::Lymphocyte => lymphocyte(rng, centre),
            Kind::Monocyte => monocyte(rng, centre),
            Kind::Eosinophil => eosinophil(rng, centre),
            Kind::Lymphoblast => lymphoblast(rng, centre),
        }
    }

    /// Paints the cell over what lies there and marks the place as filled.
    pub(crate) fn paint(&self, canvas: &mut Canvas, palette: &Palette) {
        let pixel = canvas.pixel();
        let reach = self.cell.reach() + 1.0;
        canvas.each_near(self.cell.centre, reach, |at, spot| {
            let depth = self.cell.depth(at);
            let inside = coverage(depth, pixel.max(0.35));
            let nuclear = coverage(self.nucleus.depth(at), pixel.max(0.25));
            let body = inside.max(nuclear);
            if body > 0.0 {
                let cytoplasm = self.cytoplasm_at(at, depth, palette);
                let colour = cytoplasm.blend(self.chromatin_at(at, palette), nuclear);
                spot.density = spot.density.times(1.0 - body);
                spot.density += colour.times(body);
                spot.filled = spot.filled.max(body);
            }
        });
    }

    fn chromatin_at(&self, at: Point, palette: &Palette) -> Density {
        let Chromatin {
            amount,
            grain,
            contrast,
        } = self.chromatin;
        let coarse = self.texture.at(at.x / grain, at.y / grain);
        let fine = self
            .texture
            .at(at.x / grain * 2.3 + 40.0, at.y / grain * 2.3);
        let clumping = 1.0 + contrast * (0.65 * coarse + 0.35 * fine);
        let mut density = palette.chromatin.times(amount * clumping);
        for nucleolus in &self.nucleus.nucleoli {
            let inside = coverage(nucleolus.depth(at), 0.5);
            if inside > 0.0 {
                let mut pale = density.times(0.62);
                pale += palette.basophilia.times(0.45);
                density = density.blend(pale, inside);
            }
        }
        density
    }

    fn cytoplasm_at(&self, at: Point, depth: f32, palette: &Palette) -> Density {
        let Cytoplasm {
            basophilia,
            lilac,
            granules,
            vacuoles,
        } = self.cytoplasm;
        let cloud = 1.0 + 0.22 * self.texture.at(at.x * 0.8 - 70.0, at.y * 0.8);
        // RNA is densest towards the membrane.
        let towards_rim = 1.0 + 0.35 * coverage(1.0 - depth, 2.0);
        let mut density = palette.basophilia.times(basophilia * cloud * towards_rim);
        density += palette.lilac.times(lilac * cloud);
        if let Some((kind, amount, size)) = granules {
            let dotted = self.texture.at(at.x / size, at.y / size + 90.0);
            let stain = match kind {
                Granule::Neutral => palette.lilac,
                Granule::Eosinophil => palette.eosin,
            };
            density += stain.times(amount * coverage(dotted - 0.05, 0.5));
        }
        if vacuoles > 0.0 {
            let bubble = self.texture.at(at.x * 0.9 + 20.0, at.y * 0.9 - 30.0);
            density = density.times(1.0 - 0.7 * coverage(bubble - 1.0 + vacuoles, 0.2));
        }
        density
    }
}

impl Nucleus {
    fn depth(&self, at: Point) -> f32 {
        let lobes = self.lobes.iter().map(|lobe| lobe.depth(at));
        let strands = self.strands.iter().map(|strand| strand.depth(at));
        let union = lobes.chain(strands).fold(f32::NEG_INFINITY, f32::max);
        match &self.notch {
            Some(notch) => union.min(-notch.depth(at)),
            None => union,
        }
    }
}

impl Strand {
    fn depth(&self, at: Point) -> f32 {
        let (dx, dy) = (self.to.x - self.from.x, self.to.y - self.from.y);
        let along =
            ((at.x - self.from.x) * dx + (at.y - self.from.y) * dy) / (dx * dx + dy * dy).max(1e-6);
        let along = along.clamp(0.0, 1.0);
        let nearest = Point {
            x: self.from.x + along * dx,
            y: self.from.y + along * dy,
        };
        self.half_width - at.distance(nearest)
    }
}

/// Small and round; dense clumped chromatin; a rim of sky-blue cytoplasm. Some are large, with
/// more of it.
fn lymphocyte(rng: &mut impl Rng, centre: Point) -> Leukocyte {
    let (radius, share) = if rng.random_bool(0.2) {
        (around(rng, 6.2, 0.5, 5.4..7.4), 0.6..0.74)
    } else {
        (around(rng, 4.6, 0.4, 3.8..5.6), 0.74..0.9)
    };
    let nucleus_radius = radius * rng.random_range(share);
    let middle = off_centre(rng, centre, (radius - nucleus_radius) * 0.8);
    let elongation = rng.random_range(0.0..0.06);
    Leukocyte {
        cell: Outline::draw(rng, centre, radius, elongation, 0.03),
        nucleus: Nucleus {
            lobes: vec![Outline::draw(rng, middle, nucleus_radius, elongation, 0.02)],
            strands: Vec::new(),
            notch: None,
            nucleoli: Vec::new(),
        },
        chromatin: Chromatin {
            amount: around(rng, 1.13, 0.06, 1.0..1.3),
            grain: rng.random_range(1.0..1.6),
            contrast: rng.random_range(0.16..0.30),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.35..0.8),
            lilac: rng.random_range(0.0..0.25),
            granules: None,
            vacuoles: 0.0,
        },
        texture: Texture::draw(rng),
    }
}

/// Two to five lobes joined by thin strands, or an unlobed band; pale lilac granular cytoplasm.
fn neutrophil(rng: &mut impl Rng, centre: Point) -> Leukocyte {
    let radius = around(rng, 6.6, 0.55, 5.5..8.0);
    Leukocyte {
        cell: draw_cell(rng, centre, radius, 0.08),
        nucleus: segmented(rng, centre, radius),
        chromatin: Chromatin {
            amount: around(rng, 1.05, 0.07, 0.88..1.22),
            grain: rng.random_range(0.9..1.5),
            contrast: rng.random_range(0.12..0.28),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.0..0.12),
            lilac: rng.random_range(0.4..0.9),
            granules: Some((
                Granule::Neutral,
                rng.random_range(0.2..0.6),
                rng.random_range(0.22..0.34),
            )),
            vacuoles: 0.0,
        },
        texture: Texture::draw(rng),
    }
}

fn segmented(rng: &mut impl Rng, centre: Point, radius: f32) -> Nucleus {
    let band = rng.random_bool(0.2);
    let count = if band { 4 } else { rng.random_range(2..6) };
    let arc = rng.random_range(0.45..0.75) * TAU * count as f32 / 5.0;
    let start = rng.random_range(0.0..TAU);
    let lobes: Vec<Outline> = (0..count)
        .map(|lobe| {
            let angle = start + arc * (lobe as f32 / (count - 1) as f32);
            let distance = radius * rng.random_range(0.36..0.5);
            let size = radius * rng.random_range(0.25..0.37) * if band { 0.85 } else { 1.0 };
            let elongation = rng.random_range(0.0..0.18);
            Outline::draw(rng, centre.towards(angle, distance), size, elongation, 0.08)
        })
        .collect();
    let half_width = radius
        * if band {
            0.22
        } else {
            rng.random_range(0.04..0.12)
        };
    Nucleus {
        strands: lobes
            .windows(2)
            .map(|pair| Strand {
                from: pair[0].centre,
                to: pair[1].centre,
                half_width,
            })
            .collect(),
        lobes,
        notch: None,
        nucleoli: Vec::new(),
    }
}

/// Large; kidney-shaped nucleus of lacy chromatin; grey-blue cytoplasm, some with vacuoles.
fn monocyte(rng: &mut impl Rng, centre: Point) -> Leukocyte {
    let radius = around(rng, 8.0, 0.8, 6.5..9.6);
    let nucleus_radius = radius * rng.random_range(0.62..0.74);
    let middle = off_centre(rng, centre, radius * 0.15);
    let mut lobe = Outline::draw(rng, middle, nucleus_radius, 0.12, 0.06);
    let side = rng.random_range(0.0..TAU);
    let notch_radius = nucleus_radius * rng.random_range(0.35..0.6);
    let notch_at = middle.towards(side, nucleus_radius * rng.random_range(0.95..1.15));
    let notch = Outline::draw(rng, notch_at, notch_radius, 0.1, 0.05);
    lobe.centre = middle.towards(side, -0.06 * radius);
    Leukocyte {
        cell: draw_cell(rng, centre, radius, 0.1),
        nucleus: Nucleus {
            lobes: vec![lobe],
            strands: Vec::new(),
            notch: Some(notch),
            nucleoli: Vec::new(),
        },
        chromatin: Chromatin {
            amount: around(rng, 0.85, 0.06, 0.72..1.0),
            grain: rng.random_range(0.9..1.5),
            contrast: rng.random_range(0.18..0.34),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.3..0.6),
            lilac: rng.random_range(0.25..0.6),
            granules: None,
            vacuoles: rng.random_range(0.0..0.5),
        },
        texture: Texture::draw(rng),
    }
}

/// Two lobes; cytoplasm full of coarse orange-red granules.
fn eosinophil(rng: &mut impl Rng, centre: Point) -> Leukocyte {
    let radius = around(rng, 6.8, 0.5, 5.8..8.2);
    let axis = rng.random_range(0.0..TAU);
    let lobes = [1.0, -1.0].map(|side: f32| {
        let at = centre.towards(axis, side * radius * rng.random_range(0.34..0.46));
        let size = radius * rng.random_range(0.32..0.42);
        Outline::draw(rng, at, size, 0.1, 0.05)
    });
    Leukocyte {
        cell: draw_cell(rng, centre, radius, 0.07),
        nucleus: Nucleus {
            strands: vec![Strand {
                from: lobes[0].centre,
                to: lobes[1].centre,
                half_width: radius * 0.08,
            }],
            lobes: lobes.to_vec(),
            notch: None,
            nucleoli: Vec::new(),
        },
        chromatin: Chromatin {
            amount: around(rng, 0.98, 0.07, 0.82..1.15),
            grain: rng.random_range(0.9..1.5),
            contrast: rng.random_range(0.12..0.28),
        },
        cytoplasm: Cytoplasm {
            basophilia: 0.05,
            lilac: rng.random_range(0.1..0.3),
            granules: Some((
                Granule::Eosinophil,
                rng.random_range(0.8..1.3),
                rng.random_range(0.6..0.85),
            )),
            vacuoles: 0.0,
        },
        texture: Texture::draw(rng),
    }
}

/// Large; the nucleus fills it nearly; fine even chromatin with nucleoli; a scant rim of deep blue
/// cytoplasm (FAB L1 to L2).
fn lymphoblast(rng: &mut impl Rng, centre: Point) -> Leukocyte {
    let radius = around(rng, 7.0, 0.8, 5.6..9.0);
    let nucleus_radius = radius * rng.random_range(0.85..0.95);
    let middle = off_centre(rng, centre, (radius - nucleus_radius) * 0.9);
    let elongation = rng.random_range(0.0..0.1);
    let notch = rng.random_bool(0.25).then(|| {
        let cleft = middle.towards(rng.random_range(0.0..TAU), nucleus_radius);
        let size = nucleus_radius * rng.random_range(0.15..0.25);
        Outline::draw(rng, cleft, size, 0.1, 0.1)
    });
    let nucleoli = (0..rng.random_range(1..4))
        .map(|_| {
            let at = off_centre(rng, middle, nucleus_radius * 0.6);
            let size = rng.random_range(0.7..1.4);
            Outline::draw(rng, at, size, 0.1, 0.05)
        })
        .collect();
    Leukocyte {
        cell: draw_cell(rng, centre, radius, elongation),
        nucleus: Nucleus {
            lobes: vec![Outline::draw(rng, middle, nucleus_radius, elongation, 0.05)],
            strands: Vec::new(),
            notch,
            nucleoli,
        },
        chromatin: Chromatin {
            amount: around(rng, 0.86, 0.06, 0.72..1.0),
            grain: rng.random_range(0.45..0.7),
            contrast: rng.random_range(0.06..0.14),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.8..1.5),
            lilac: rng.random_range(0.0..0.2),
            granules: None,
            vacuoles: 0.0,
        },
        texture: Texture::draw(rng),
    }
}

fn draw_cell(rng: &mut impl Rng, centre: Point, radius: f32, elongation: f32) -> Outline {
    let elongation = rng.random_range(0.0..=elongation);
    Outline::draw(rng, centre, radius, elongation, 0.05)
}

fn off_centre(rng: &mut impl Rng, centre: Point, distance: f32) -> Point {
    centre.towards(
        rng.random_range(0.0..TAU),
        rng.random_range(0.0..=1.0) * distance,
    )
}

/// Normally distributed, cut to a range.
fn around(rng: &mut impl Rng, mean: f32, deviation: f32, range: Range<f32>) -> f32 {
    let normal: f32 = rng.sample(StandardNormal);
    (mean + deviation * normal).clamp(range.start, range.end)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const CENTRE: Point = Point { x: 15.0, y: 15.0 };

    fn draw_many(kind: Kind) -> Vec<Leukocyte> {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        (0..200)
            .map(|_| Leukocyte::draw(&mut rng, kind, CENTRE))
            .collect()
    }

    /// Share of the cell's area that its nucleus takes, averaged.
    fn nuclear_share(cells: &[Leukocyte]) -> f32 {
        let (mut cell_area, mut nucleus_area) = (0_u32, 0_u32);
        for cell in cells {
            for step in 0..3600 {
                let at = Point {
                    x: (step % 60) as f32 * 0.5,
                    y: (step / 60) as f32 * 0.5,
                };
                cell_area += u32::from(cell.cell.depth(at) > 0.0);
                nucleus_area += u32::from(cell.nucleus.depth(at) > 0.0);
            }
        }
        nucleus_area as f32 / cell_area as f32
    }

    #[test]
    fn every_kind_stays_within_its_reach() {
        for kind in [
            Kind::Neutrophil,
            Kind::Lymphocyte,
            Kind::Monocyte,
            Kind::Eosinophil,
            Kind::Lymphoblast,
        ] {
            for cell in draw_many(kind) {
                assert!(
                    cell.cell.reach() <= MAX_REACH,
                    "{kind:?}: {}",
                    cell.cell.reach()
                );
            }
        }
    }

    #[test]
    fn blasts_are_large_with_scant_cytoplasm() {
        let blasts = draw_many(Kind::Lymphoblast);
        let lymphocytes = draw_many(Kind::Lymphocyte);
        let size = |cells: &[Leukocyte]| {
            cells.iter().map(|cell| cell.cell.radius).sum::<f32>() / cells.len() as f32
        };
        assert!(size(&blasts) > 1.3 * size(&lymphocytes));
        assert!(nuclear_share(&blasts) > 0.72);
        assert!(nuclear_share(&draw_many(Kind::Neutrophil)) < 0.55);
        assert!(nuclear_share(&draw_many(Kind::Monocyte)) < 0.55);
        assert!(
            blasts
                .iter()
                .all(|blast| !blast.nucleus.nucleoli.is_empty())
        );
    }
}
