//! What each kind of white cell looks like, after descriptions in haematology atlases: size,
//! nucleus-to-cytoplasm ratio, chromatin, nucleoli, cytoplasm and granules; lymphoblasts after the
//! FAB classification (Bennett et al. 1976).
//!
//! Erythrocytes, about 7.2 µm wide, are the ruler: nuclei of small lymphocytes are as wide, those of
//! blasts half as wide again. Kinds overlap in every single trait, as they do in blood.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

use super::leukocytes::{Chromatin, Cytoplasm, Granule, Granules, Leukocyte, Nucleus, Strand};
use super::outline::{Outline, Point};
use super::random::around;
use super::texture::Texture;

/// What kind of white cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Neutrophil,
    Eosinophil,
    Basophil,
    Monocyte,
    /// The usual small one.
    Lymphocyte,
    /// With azurophil granules or without.
    LargeLymphocyte,
    /// Activated by an infection.
    ReactiveLymphocyte,
    LymphoblastL1,
    LymphoblastL2,
    LymphoblastL3,
}

/// No point of a cell at its usual spread is farther from its centre, µm.
#[cfg(test)]
pub(crate) const MAX_REACH: f32 = 12.5;

impl Kind {
    #[cfg(test)]
    pub(crate) fn is_blast(self) -> bool {
        matches!(
            self,
            Self::LymphoblastL1 | Self::LymphoblastL2 | Self::LymphoblastL3
        )
    }

    /// Draws a cell. `spread` is how far cells of this smear dried flat, 1 as usual: it scales
    /// their width.
    pub(crate) fn draw(self, rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
        match self {
            Self::Neutrophil => neutrophil(rng, centre, spread),
            Self::Eosinophil => eosinophil(rng, centre, spread),
            Self::Basophil => basophil(rng, centre, spread),
            Self::Monocyte => monocyte(rng, centre, spread),
            Self::Lymphocyte => lymphocyte(rng, centre, spread),
            Self::LargeLymphocyte => large_lymphocyte(rng, centre, spread),
            Self::ReactiveLymphocyte => reactive_lymphocyte(rng, centre, spread),
            Self::LymphoblastL1 => lymphoblast_l1(rng, centre, spread),
            Self::LymphoblastL2 => lymphoblast_l2(rng, centre, spread),
            Self::LymphoblastL3 => lymphoblast_l3(rng, centre, spread),
        }
    }
}

/// Small and round; dense clumped chromatin; a rim of sky-blue cytoplasm.
fn lymphocyte(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 4.5, 0.4, 3.6..5.5);
    let nucleus_radius = radius * rng.random_range(0.76..0.93);
    let middle = off_centre(rng, centre, (radius - nucleus_radius) * 0.8);
    let elongation = rng.random_range(0.0..0.08);
    let mut nucleus = single(rng, middle, nucleus_radius, elongation, 0.03);
    if rng.random_bool(0.15) {
        let notch = notch(rng, middle, nucleus_radius, 0.2..0.35);
        nucleus.notches.push(notch);
    }
    Leukocyte {
        cell: Outline::draw(rng, centre, radius, elongation, 0.04),
        nucleus,
        chromatin: Chromatin {
            amount: around(rng, 1.1, 0.09, 0.9..1.35),
            grain: rng.random_range(1.0..1.8),
            contrast: rng.random_range(0.14..0.32),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.3..0.85),
            lilac: rng.random_range(0.0..0.25),
            granules: None,
            vacuoles: 0.0,
            yields: false,
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

/// Abundant pale cytoplasm, in half of them with a few azurophil granules.
fn large_lymphocyte(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 6.6, 0.6, 5.4..8.0);
    let nucleus_radius = radius * rng.random_range(0.58..0.72);
    let middle = off_centre(rng, centre, (radius - nucleus_radius) * 0.9);
    let elongation = rng.random_range(0.0..0.14);
    let granules = rng.random_bool(0.5).then(|| Granules {
        stain: Granule::Azurophil,
        amount: rng.random_range(0.3..0.7),
        size: rng.random_range(0.4..0.7),
        sparsity: 0.75,
    });
    Leukocyte {
        cell: draw_cell(rng, centre, radius, 0.12),
        nucleus: single(rng, middle, nucleus_radius, elongation, 0.04),
        chromatin: Chromatin {
            amount: around(rng, 1.04, 0.09, 0.85..1.3),
            grain: rng.random_range(0.9..1.7),
            contrast: rng.random_range(0.14..0.3),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.2..0.6),
            lilac: rng.random_range(0.0..0.25),
            granules,
            vacuoles: 0.0,
            yields: rng.random_bool(0.3),
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

/// Very large and ragged; abundant cytoplasm, blue towards the rim, that red cells dent; some with a
/// nucleolus.
fn reactive_lymphocyte(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 7.9, 0.8, 6.3..9.4);
    let nucleus_radius = radius * rng.random_range(0.52..0.68);
    let middle = off_centre(rng, centre, (radius - nucleus_radius) * 0.8);
    let elongation = rng.random_range(0.02..0.2);
    let mut nucleus = single(rng, middle, nucleus_radius, elongation, 0.07);
    if rng.random_bool(0.3) {
        let nucleolus = nucleolus(rng, middle, nucleus_radius);
        nucleus.nucleoli.push(nucleolus);
    }
    let stretched = rng.random_range(0.0..0.14);
    Leukocyte {
        cell: Outline::draw(rng, centre, radius, stretched, 0.1),
        nucleus,
        chromatin: Chromatin {
            amount: around(rng, 0.98, 0.09, 0.8..1.2),
            grain: rng.random_range(0.8..1.5),
            contrast: rng.random_range(0.12..0.28),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.4..1.1),
            lilac: rng.random_range(0.0..0.2),
            granules: None,
            vacuoles: if rng.random_bool(0.2) {
                rng.random_range(0.1..0.4)
            } else {
                0.0
            },
            yields: rng.random_bool(0.8),
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

/// Two to five lobes joined by thin strands, or an unlobed band; pale lilac granular cytoplasm.
fn neutrophil(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 6.5, 0.6, 5.2..8.0);
    Leukocyte {
        cell: draw_cell(rng, centre, radius, 0.1),
        nucleus: segmented(rng, centre, radius),
        chromatin: Chromatin {
            amount: around(rng, 1.05, 0.08, 0.86..1.25),
            grain: rng.random_range(0.9..1.6),
            contrast: rng.random_range(0.12..0.3),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.0..0.15),
            lilac: rng.random_range(0.2..0.9),
            granules: Some(Granules {
                stain: Granule::Neutral,
                amount: rng.random_range(0.1..0.7),
                size: rng.random_range(0.22..0.4),
                sparsity: 0.05,
            }),
            vacuoles: 0.0,
            yields: false,
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

fn segmented(rng: &mut impl Rng, centre: Point, radius: f32) -> Nucleus {
    let band = rng.random_bool(0.25);
    let count = if band { 4 } else { rng.random_range(2..6) };
    let arc = rng.random_range(0.45..0.75) * TAU * count as f32 / 5.0;
    let start = rng.random_range(0.0..TAU);
    // Lobes of some cells lie upon each other.
    let crowding = rng.random_range(0.75..1.0);
    let lobes: Vec<Outline> = (0..count)
        .map(|lobe| {
            let angle = start + arc * (lobe as f32 / (count - 1) as f32);
            let distance = crowding * radius * rng.random_range(0.36..0.52);
            let size = radius * rng.random_range(0.25..0.38) * if band { 0.85 } else { 1.0 };
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
        ..Nucleus::default()
    }
}

/// Large; kidney-shaped nucleus of lacy chromatin; grey-blue cytoplasm, some with vacuoles.
fn monocyte(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 8.0, 0.8, 6.5..9.6);
    let nucleus_radius = radius * rng.random_range(0.6..0.74);
    let middle = off_centre(rng, centre, radius * 0.15);
    let mut nucleus = single(rng, middle, nucleus_radius, 0.14, 0.07);
    let notch = notch(rng, middle, nucleus_radius, 0.35..0.65);
    nucleus.notches.push(notch);
    Leukocyte {
        cell: draw_cell(rng, centre, radius, 0.12),
        nucleus,
        chromatin: Chromatin {
            amount: around(rng, 0.85, 0.08, 0.68..1.05),
            grain: rng.random_range(0.9..1.6),
            contrast: rng.random_range(0.18..0.34),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.25..0.65),
            lilac: rng.random_range(0.25..0.6),
            granules: None,
            vacuoles: rng.random_range(0.0..0.5),
            yields: rng.random_bool(0.2),
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

/// Two lobes; cytoplasm full of coarse orange-red granules.
fn eosinophil(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 6.8, 0.5, 5.6..8.2);
    let nucleus = two_lobes(rng, centre, radius);
    Leukocyte {
        cell: draw_cell(rng, centre, radius, 0.08),
        nucleus,
        chromatin: Chromatin {
            amount: around(rng, 0.98, 0.07, 0.82..1.15),
            grain: rng.random_range(0.9..1.5),
            contrast: rng.random_range(0.12..0.28),
        },
        cytoplasm: Cytoplasm {
            basophilia: 0.05,
            lilac: rng.random_range(0.1..0.3),
            granules: Some(Granules {
                stain: Granule::Eosinophil,
                amount: rng.random_range(0.8..1.4),
                size: rng.random_range(0.6..0.9),
                sparsity: 0.05,
            }),
            vacuoles: 0.0,
            yields: false,
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

/// Coarse dark granules that hide the nucleus.
fn basophil(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 6.0, 0.5, 5.0..7.2);
    let nucleus = two_lobes(rng, centre, radius);
    Leukocyte {
        cell: draw_cell(rng, centre, radius, 0.1),
        nucleus,
        chromatin: Chromatin {
            amount: around(rng, 0.75, 0.08, 0.6..0.95),
            grain: rng.random_range(0.9..1.5),
            contrast: rng.random_range(0.1..0.2),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.1..0.3),
            lilac: rng.random_range(0.3..0.8),
            granules: Some(Granules {
                stain: Granule::Basophil,
                amount: rng.random_range(0.5..0.9),
                size: rng.random_range(0.8..1.2),
                sparsity: rng.random_range(0.15..0.4),
            }),
            vacuoles: 0.0,
            yields: false,
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

fn two_lobes(rng: &mut impl Rng, centre: Point, radius: f32) -> Nucleus {
    let axis = rng.random_range(0.0..TAU);
    let lobes = [1.0, -1.0].map(|side: f32| {
        let at = centre.towards(axis, side * radius * rng.random_range(0.34..0.46));
        let size = radius * rng.random_range(0.32..0.42);
        Outline::draw(rng, at, size, 0.1, 0.05)
    });
    Nucleus {
        strands: vec![Strand {
            from: lobes[0].centre,
            to: lobes[1].centre,
            half_width: radius * 0.08,
        }],
        lobes: lobes.to_vec(),
        ..Nucleus::default()
    }
}

/// Small and uniform; a round nucleus that fills the cell nearly, of even chromatin, with nucleoli
/// that hardly show; few are cleft.
fn lymphoblast_l1(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 5.9, 0.45, 5.0..7.2);
    let nucleus_radius = radius * rng.random_range(0.87..0.97);
    let middle = off_centre(rng, centre, (radius - nucleus_radius) * 0.9);
    let elongation = rng.random_range(0.0..0.09);
    let mut nucleus = single(rng, middle, nucleus_radius, elongation, 0.04);
    if rng.random_bool(0.15) {
        let cleft = cleft(rng, middle, nucleus_radius);
        nucleus.clefts.push(cleft);
    }
    if rng.random_bool(0.3) {
        let nucleolus = nucleolus(rng, middle, nucleus_radius * 0.7);
        nucleus.nucleoli.push(nucleolus);
    }
    Leukocyte {
        cell: draw_cell(rng, centre, radius, elongation),
        nucleus,
        chromatin: Chromatin {
            amount: around(rng, 0.98, 0.08, 0.8..1.2),
            grain: rng.random_range(0.5..1.0),
            contrast: rng.random_range(0.05..0.15),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.5..1.3),
            lilac: rng.random_range(0.0..0.2),
            granules: None,
            vacuoles: 0.0,
            yields: false,
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

/// Larger, each another size; irregular, often indented or cleft nucleus with nucleoli; more
/// cytoplasm.
fn lymphoblast_l2(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 7.3, 0.8, 5.8..9.2);
    let nucleus_radius = radius * rng.random_range(0.77..0.93);
    let middle = off_centre(rng, centre, (radius - nucleus_radius) * 0.9);
    let elongation = rng.random_range(0.0..0.16);
    let mut nucleus = single(rng, middle, nucleus_radius, elongation, 0.07);
    if rng.random_bool(0.3) {
        let notch = notch(rng, middle, nucleus_radius, 0.15..0.35);
        nucleus.notches.push(notch);
    }
    if rng.random_bool(0.35) {
        let cleft = cleft(rng, middle, nucleus_radius);
        nucleus.clefts.push(cleft);
    }
    nucleus.nucleoli = (0..rng.random_range(1..4))
        .map(|_| nucleolus(rng, middle, nucleus_radius))
        .collect();
    Leukocyte {
        cell: draw_cell(rng, centre, radius, elongation),
        nucleus,
        chromatin: Chromatin {
            amount: around(rng, 0.9, 0.08, 0.72..1.12),
            grain: rng.random_range(0.45..0.9),
            contrast: rng.random_range(0.05..0.17),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(0.5..1.5),
            lilac: rng.random_range(0.0..0.2),
            granules: None,
            vacuoles: 0.0,
            yields: false,
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

/// Large and round, as of Burkitt's lymphoma; deep blue cytoplasm full of vacuoles.
fn lymphoblast_l3(rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
    let radius = spread * around(rng, 7.4, 0.7, 6.0..9.2);
    let nucleus_radius = radius * rng.random_range(0.76..0.88);
    let middle = off_centre(rng, centre, (radius - nucleus_radius) * 0.8);
    let elongation = rng.random_range(0.0..0.08);
    let mut nucleus = single(rng, middle, nucleus_radius, elongation, 0.03);
    nucleus.nucleoli = (0..rng.random_range(2..5))
        .map(|_| nucleolus(rng, middle, nucleus_radius))
        .collect();
    Leukocyte {
        cell: draw_cell(rng, centre, radius, elongation),
        nucleus,
        chromatin: Chromatin {
            amount: around(rng, 0.94, 0.08, 0.76..1.15),
            grain: rng.random_range(0.6..1.0),
            contrast: rng.random_range(0.08..0.2),
        },
        cytoplasm: Cytoplasm {
            basophilia: rng.random_range(1.2..1.9),
            lilac: 0.0,
            granules: None,
            vacuoles: rng.random_range(0.45..0.8),
            yields: false,
        },
        texture: Texture::draw(rng),
        borders: Vec::new(),
    }
}

/// A nucleus of one lobe.
fn single(
    rng: &mut impl Rng,
    centre: Point,
    radius: f32,
    elongation: f32,
    irregularity: f32,
) -> Nucleus {
    Nucleus {
        lobes: vec![Outline::draw(rng, centre, radius, elongation, irregularity)],
        ..Nucleus::default()
    }
}

/// A round bite out of a nucleus's edge, as wide as `size` of the nucleus.
fn notch(
    rng: &mut impl Rng,
    middle: Point,
    nucleus_radius: f32,
    size: std::ops::Range<f32>,
) -> Outline {
    let at = middle.towards(
        rng.random_range(0.0..TAU),
        nucleus_radius * rng.random_range(0.95..1.15),
    );
    let radius = nucleus_radius * rng.random_range(size);
    Outline::draw(rng, at, radius, 0.1, 0.08)
}

/// A narrow gap from a nucleus's edge inwards.
fn cleft(rng: &mut impl Rng, middle: Point, nucleus_radius: f32) -> Strand {
    let angle = rng.random_range(0.0..TAU);
    Strand {
        from: middle.towards(angle, nucleus_radius * 1.1),
        to: middle.towards(
            angle + rng.random_range(-0.5..0.5),
            nucleus_radius * rng.random_range(0.0..0.5),
        ),
        half_width: rng.random_range(0.15..0.4),
    }
}

fn nucleolus(rng: &mut impl Rng, middle: Point, nucleus_radius: f32) -> Outline {
    let at = off_centre(rng, middle, nucleus_radius * 0.6);
    let size = rng.random_range(0.10..0.22) * nucleus_radius;
    Outline::draw(rng, at, size, 0.1, 0.05)
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const CENTRE: Point = Point { x: 15.0, y: 15.0 };
    /// Radius of an erythrocyte, µm.
    const ERYTHROCYTE: f32 = 3.6;

    fn draw_many(kind: Kind) -> Vec<Leukocyte> {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        (0..200).map(|_| kind.draw(&mut rng, CENTRE, 1.0)).collect()
    }

    /// Areas of the cells and of their nuclei, averaged, in µm².
    fn areas(cells: &[Leukocyte]) -> (f32, f32) {
        let (mut cell_area, mut nucleus_area) = (0_u32, 0_u32);
        for cell in cells {
            for step in 0..3600 {
                let at = Point {
                    x: (step % 60) as f32 * 0.5,
                    y: (step / 60) as f32 * 0.5,
                };
                cell_area += u32::from(cell.depth(at) > 0.0);
                nucleus_area += u32::from(cell.nuclear_depth(at) > 0.0);
            }
        }
        let per_cell = |area: u32| area as f32 * 0.25 / cells.len() as f32;
        (per_cell(cell_area), per_cell(nucleus_area))
    }

    /// Width of the average nucleus, in erythrocytes.
    fn nuclear_width(kind: Kind) -> f32 {
        let (_, nucleus) = areas(&draw_many(kind));
        (nucleus * 2.0 / TAU).sqrt() / ERYTHROCYTE
    }

    /// Share of the cell's area that its nucleus takes, averaged.
    fn nuclear_share(kind: Kind) -> f32 {
        let (cell, nucleus) = areas(&draw_many(kind));
        nucleus / cell
    }

    #[test]
    fn every_kind_stays_within_its_reach() {
        for kind in [
            Kind::Neutrophil,
            Kind::Eosinophil,
            Kind::Basophil,
            Kind::Monocyte,
            Kind::Lymphocyte,
            Kind::LargeLymphocyte,
            Kind::ReactiveLymphocyte,
            Kind::LymphoblastL1,
            Kind::LymphoblastL2,
            Kind::LymphoblastL3,
        ] {
            for cell in draw_many(kind) {
                let reach = cell.cell.reach();
                assert!(reach <= MAX_REACH, "{kind:?}: {reach}");
            }
        }
    }

    #[test]
    fn nuclei_are_as_wide_as_atlases_say() {
        // A small lymphocyte's nucleus is the smear's measure of a red cell.
        for (kind, range) in [
            (Kind::Lymphocyte, 0.95..1.15),
            (Kind::LymphoblastL1, 1.4..1.65),
            (Kind::LymphoblastL2, 1.55..1.85),
            (Kind::LymphoblastL3, 1.5..1.85),
            (Kind::ReactiveLymphocyte, 1.2..1.5),
        ] {
            let width = nuclear_width(kind);
            assert!(range.contains(&width), "{kind:?}: {width}");
        }
    }

    #[test]
    fn blasts_have_scant_cytoplasm_and_the_large_normal_cells_have_much() {
        for (kind, range) in [
            (Kind::LymphoblastL1, 0.78..0.92),
            (Kind::LymphoblastL2, 0.64..0.8),
            (Kind::LymphoblastL3, 0.6..0.75),
            (Kind::Lymphocyte, 0.6..0.8),
            (Kind::LargeLymphocyte, 0.35..0.5),
            (Kind::ReactiveLymphocyte, 0.3..0.45),
            (Kind::Monocyte, 0.3..0.5),
            (Kind::Neutrophil, 0.25..0.5),
        ] {
            let share = nuclear_share(kind);
            assert!(range.contains(&share), "{kind:?}: {share}");
        }
    }

    #[test]
    fn the_smallest_blasts_are_no_larger_than_the_largest_lymphocytes() {
        let radii = |kind| draw_many(kind).into_iter().map(|cell| cell.cell.radius);
        let smallest = radii(Kind::LymphoblastL1).fold(f32::MAX, f32::min);
        let largest = radii(Kind::Lymphocyte).fold(0.0, f32::max);
        assert!(smallest < largest, "{smallest} µm, {largest} µm");
    }
}
