//! Recipes of white cells, as data, and the one drawer that follows any of them.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

use super::leukocytes::{Chromatin, Cytoplasm, GranuleKind, Granules, Leukocyte, Nucleus, Strand};
use super::outline::{Outline, Point};
use super::random::{Distribution, happens};
use super::texture::Texture;

/// What the cells of one kind look like.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// Radius of the cell, µm.
    pub(crate) radius: Distribution,
    pub(crate) outline: OutlineRecipe,
    pub(crate) nucleus: NucleusRecipe,
    pub(crate) chromatin: ChromatinRecipe,
    pub(crate) cytoplasm: CytoplasmRecipe,
    pub(crate) first: FirstPart,
}

/// Part of a cell that is drawn first. This has no bearing on what cells look like in general, but
/// decides which cell a seed draws: another order would change every collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstPart {
    /// The nucleus, then outline and granules.
    Nucleus,
    /// The outline, then nucleus and granules.
    Outline,
    /// The granules, then outline and nucleus.
    Granules,
}

/// Shape of the cell's outline, relative to the cell's radius.
#[derive(Debug)]
pub(crate) struct OutlineRecipe {
    pub(crate) elongation: Elongation,
    pub(crate) irregularity: f32,
    /// How far the membrane ruffles, µm.
    pub(crate) ruffle: Distribution,
}

/// How elongated a cell is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Elongation {
    /// The cell follows its nucleus.
    AsNucleus,
    /// At most as its nucleus.
    UpToNucleus,
    /// At most this much, whatever its nucleus.
    UpTo(f32),
}

/// Shape of the nucleus.
#[derive(Debug)]
pub(crate) enum NucleusRecipe {
    Single(SingleLobe),
    Bilobed(Bilobed),
    Segmented(Segmented),
}

/// A nucleus of one lobe.
#[derive(Debug)]
pub(crate) struct SingleLobe {
    /// N:C ratio: radius of the nucleus, relative to the cell's.
    pub(crate) nc_ratio: Distribution,
    pub(crate) eccentricity: Eccentricity,
    pub(crate) elongation: Distribution,
    pub(crate) irregularity: f32,
    pub(crate) notch: Option<Notch>,
    /// Chance of a cleft.
    pub(crate) cleft: f64,
    pub(crate) nucleoli: Nucleoli,
}

/// Largest distance of a nucleus from the middle of its cell.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Eccentricity {
    /// Relative to the distance at which the nucleus would touch the membrane.
    OfFreeSpace(f32),
    /// Relative to the cell's radius.
    OfRadius(f32),
}

/// A round indentation of the nucleus.
#[derive(Debug)]
pub(crate) struct Notch {
    pub(crate) chance: f64,
    /// Its radius, relative to that of the nucleus.
    pub(crate) size: Distribution,
}

/// How many nucleoli a nucleus shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Nucleoli {
    None,
    /// One with a chance. `scale` is its size and its distance from the middle, 1 as usual.
    Perhaps {
        chance: f64,
        scale: f32,
    },
    /// From the first number to the second.
    Several(u32, u32),
}

/// A nucleus of two lobes on opposite sides of the cell's centre, joined by a strand.
#[derive(Debug)]
pub(crate) struct Bilobed {
    pub(crate) lobes: Lobes,
    /// Half the width of the strand, relative to the cell's radius.
    pub(crate) strand: f32,
}

/// A nucleus of lobes that lie on an arc, joined by thin strands, or a band, whose lobes run into
/// each other.
#[derive(Debug)]
pub(crate) struct Segmented {
    /// Fewest and most lobes.
    pub(crate) count: (u32, u32),
    pub(crate) lobes: Lobes,
    /// Half the width of a strand, relative to the cell's radius.
    pub(crate) strand: Distribution,
    /// Arc that five lobes take up, in turns.
    pub(crate) arc: Distribution,
    /// Factor on the distance of all lobes from the centre: where it is small they overlap.
    pub(crate) crowding: Distribution,
    pub(crate) band: Band,
}

/// An unsegmented nucleus of a kind whose nuclei are segmented.
#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) chance: f64,
    pub(crate) count: u32,
    /// Size of its lobes, relative to those of a segmented nucleus.
    pub(crate) size: f32,
    /// Half the width of what joins them, relative to the cell's radius.
    pub(crate) strand: f32,
}

/// Lobes of a nucleus that has several.
#[derive(Debug)]
pub(crate) struct Lobes {
    /// Distance from the cell's centre, relative to the cell's radius.
    pub(crate) distance: Distribution,
    /// Radius, relative to the cell's.
    pub(crate) size: Distribution,
    pub(crate) elongation: Distribution,
    pub(crate) irregularity: f32,
}

/// Distributions of the figures of [`Chromatin`].
#[derive(Debug)]
pub(crate) struct ChromatinRecipe {
    pub(crate) amount: Distribution,
    pub(crate) grain: Distribution,
    pub(crate) contrast: Distribution,
}

/// Distributions of the figures of [`Cytoplasm`].
#[derive(Debug)]
pub(crate) struct CytoplasmRecipe {
    pub(crate) basophilia: Distribution,
    pub(crate) lilac: Distribution,
    pub(crate) granules: Option<GranulesRecipe>,
    pub(crate) vacuoles: Distribution,
    /// Chance that red cells indent the cell.
    pub(crate) indentable: f64,
}

/// Distributions of the figures of [`Granules`].
#[derive(Debug)]
pub(crate) struct GranulesRecipe {
    /// Chance that a cell has any.
    pub(crate) chance: f64,
    pub(crate) kind: GranuleKind,
    pub(crate) amount: Distribution,
    pub(crate) size: Distribution,
    pub(crate) sparsity: Distribution,
}

/// Where the nucleus lies and how large it is; for a nucleus of several lobes, the cell's centre and
/// radius.
#[derive(Debug)]
struct NucleusSite {
    middle: Point,
    radius: f32,
    elongation: f32,
}

impl Recipe {
    /// Draws a cell. `spread` is the factor by which cells of this smear are wider than usual.
    pub(crate) fn draw(&self, rng: &mut impl Rng, centre: Point, spread: f32) -> Leukocyte {
        let radius = spread * self.radius.draw(rng);
        let site = self.nucleus.site(rng, centre, radius);
        let mut granules = None;
        if self.first == FirstPart::Granules {
            granules = self.cytoplasm.draw_granules(rng);
        }
        let (outline, nucleus);
        if self.first == FirstPart::Nucleus {
            nucleus = self.nucleus.draw(rng, &site);
            outline = self.outline.draw(rng, centre, radius, site.elongation);
        } else {
            outline = self.outline.draw(rng, centre, radius, site.elongation);
            nucleus = self.nucleus.draw(rng, &site);
        }
        let chromatin = self.chromatin.draw(rng);
        let basophilia = self.cytoplasm.basophilia.draw(rng);
        let lilac = self.cytoplasm.lilac.draw(rng);
        if self.first != FirstPart::Granules {
            granules = self.cytoplasm.draw_granules(rng);
        }
        Leukocyte {
            outline,
            nucleus,
            ruffle: self.outline.ruffle.draw(rng),
            chromatin,
            cytoplasm: Cytoplasm {
                basophilia,
                lilac,
                granules,
                vacuoles: self.cytoplasm.vacuoles.draw(rng),
                indentable: happens(rng, self.cytoplasm.indentable),
            },
            texture: Texture::draw(rng),
            borders: Vec::new(),
        }
    }
}

impl OutlineRecipe {
    fn draw(&self, rng: &mut impl Rng, centre: Point, radius: f32, nuclear: f32) -> Outline {
        let elongation = match self.elongation {
            Elongation::AsNucleus => nuclear,
            Elongation::UpToNucleus => rng.random_range(0.0..=nuclear),
            Elongation::UpTo(most) => rng.random_range(0.0..=most),
        };
        Outline::draw(rng, centre, radius, elongation, self.irregularity)
    }
}

impl NucleusRecipe {
    fn site(&self, rng: &mut impl Rng, centre: Point, cell_radius: f32) -> NucleusSite {
        match self {
            Self::Single(single) => single.site(rng, centre, cell_radius),
            Self::Bilobed(_) | Self::Segmented(_) => NucleusSite {
                middle: centre,
                radius: cell_radius,
                elongation: 0.0,
            },
        }
    }

    fn draw(&self, rng: &mut impl Rng, site: &NucleusSite) -> Nucleus {
        match self {
            Self::Single(single) => single.draw(rng, site),
            Self::Bilobed(bilobed) => bilobed.draw(rng, site),
            Self::Segmented(segmented) => segmented.draw(rng, site),
        }
    }
}

impl SingleLobe {
    fn site(&self, rng: &mut impl Rng, centre: Point, cell_radius: f32) -> NucleusSite {
        let radius = cell_radius * self.nc_ratio.draw(rng);
        let farthest = match self.eccentricity {
            Eccentricity::OfFreeSpace(share) => (cell_radius - radius) * share,
            Eccentricity::OfRadius(share) => cell_radius * share,
        };
        NucleusSite {
            middle: off_centre(rng, centre, farthest),
            radius,
            elongation: self.elongation.draw(rng),
        }
    }

    fn draw(&self, rng: &mut impl Rng, site: &NucleusSite) -> Nucleus {
        let NucleusSite {
            middle,
            radius,
            elongation,
        } = *site;
        let lobe = Outline::draw(rng, middle, radius, elongation, self.irregularity);
        let mut nucleus = Nucleus {
            lobes: vec![lobe],
            ..Nucleus::default()
        };
        if let Some(notch) = &self.notch
            && happens(rng, notch.chance)
        {
            nucleus.notches.push(notch.draw(rng, middle, radius));
        }
        if happens(rng, self.cleft) {
            nucleus.clefts.push(cleft(rng, middle, radius));
        }
        let (count, scale) = match self.nucleoli {
            Nucleoli::None => (0, 1.0),
            Nucleoli::Perhaps { chance, scale } => (happens(rng, chance).into(), scale),
            Nucleoli::Several(fewest, most) => (rng.random_range(fewest..=most), 1.0),
        };
        nucleus.nucleoli = (0..count)
            .map(|_| nucleolus(rng, middle, radius * scale))
            .collect();
        nucleus
    }
}

impl Notch {
    /// On the edge of a nucleus.
    fn draw(&self, rng: &mut impl Rng, middle: Point, nucleus_radius: f32) -> Outline {
        let at = middle.towards(
            rng.random_range(0.0..TAU),
            nucleus_radius * rng.random_range(0.95..1.15),
        );
        let radius = nucleus_radius * self.size.draw(rng);
        let elongation = rng.random_range(0.05..0.4);
        Outline::draw(rng, at, radius, elongation, 0.12)
    }
}

impl Bilobed {
    fn draw(&self, rng: &mut impl Rng, site: &NucleusSite) -> Nucleus {
        let axis = rng.random_range(0.0..TAU);
        let lobes = [1.0, -1.0].map(|side: f32| {
            let place = |distance| site.middle.towards(axis, side * site.radius * distance);
            self.lobes.draw(rng, site.radius, 1.0, place)
        });
        Nucleus::joined(lobes.into(), site.radius * self.strand)
    }
}

impl Segmented {
    fn draw(&self, rng: &mut impl Rng, site: &NucleusSite) -> Nucleus {
        let band = rng.random_bool(self.band.chance);
        let (fewest, most) = self.count;
        let count = if band {
            self.band.count
        } else {
            rng.random_range(fewest..=most)
        };
        let arc = self.arc.draw(rng) * TAU * count as f32 / 5.0;
        let start = rng.random_range(0.0..TAU);
        let crowding = self.crowding.draw(rng);
        let factor = if band { self.band.size } else { 1.0 };
        let lobes = (0..count)
            .map(|lobe| {
                let angle = start + arc * (lobe as f32 / (count - 1) as f32);
                let place = |distance| {
                    site.middle
                        .towards(angle, crowding * site.radius * distance)
                };
                self.lobes.draw(rng, site.radius, factor, place)
            })
            .collect();
        let strand = if band {
            self.band.strand
        } else {
            self.strand.draw(rng)
        };
        Nucleus::joined(lobes, site.radius * strand)
    }
}

impl Lobes {
    /// Draws one lobe. `factor` scales its size; `place` is where a lobe at a relative distance
    /// from the centre lies.
    fn draw(
        &self,
        rng: &mut impl Rng,
        cell_radius: f32,
        factor: f32,
        place: impl FnOnce(f32) -> Point,
    ) -> Outline {
        let at = place(self.distance.draw(rng));
        let radius = cell_radius * self.size.draw(rng) * factor;
        let elongation = self.elongation.draw(rng);
        Outline::draw(rng, at, radius, elongation, self.irregularity)
    }
}

impl ChromatinRecipe {
    fn draw(&self, rng: &mut impl Rng) -> Chromatin {
        Chromatin {
            amount: self.amount.draw(rng),
            grain: self.grain.draw(rng),
            contrast: self.contrast.draw(rng),
        }
    }
}

impl CytoplasmRecipe {
    fn draw_granules(&self, rng: &mut impl Rng) -> Option<Granules> {
        let granules = self.granules.as_ref()?;
        happens(rng, granules.chance).then(|| Granules {
            kind: granules.kind,
            amount: granules.amount.draw(rng),
            size: granules.size.draw(rng),
            sparsity: granules.sparsity.draw(rng),
        })
    }
}

/// A narrow gap from the edge of a nucleus inwards.
fn cleft(rng: &mut impl Rng, middle: Point, nucleus_radius: f32) -> Strand {
    let angle = rng.random_range(0.0..TAU);
    Strand {
        from: middle.towards(angle, nucleus_radius * 1.1),
        to: middle.towards(
            angle + rng.random_range(-0.5..0.5),
            nucleus_radius * rng.random_range(0.0..0.5),
        ),
        half_width: rng.random_range(0.05..0.35),
    }
}

fn nucleolus(rng: &mut impl Rng, middle: Point, nucleus_radius: f32) -> Outline {
    let at = off_centre(rng, middle, nucleus_radius * 0.6);
    let size = rng.random_range(0.10..0.22) * nucleus_radius;
    Outline::draw(rng, at, size, 0.1, 0.05)
}

/// A point at most `farthest` µm from a centre.
fn off_centre(rng: &mut impl Rng, centre: Point, farthest: f32) -> Point {
    centre.towards(
        rng.random_range(0.0..TAU),
        rng.random_range(0.0..=1.0) * farthest,
    )
}
