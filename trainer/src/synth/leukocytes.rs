//! White blood cells on the slide: nucleus, cytoplasm and granules, and how neighbours flatten each
//! other.

use super::canvas::{Canvas, Density};
use super::outline::{Outline, Point, coverage};
use super::stain::Palette;
use super::texture::Texture;

/// One white cell.
#[derive(Debug, Clone)]
pub(crate) struct Leukocyte {
    pub(crate) outline: Outline,
    /// How far the membrane ruffles, µm.
    pub(crate) ruffle: f32,
    pub(crate) nucleus: Nucleus,
    pub(crate) chromatin: Chromatin,
    pub(crate) cytoplasm: Cytoplasm,
    pub(crate) texture: Texture,
    /// Borders with neighbours that press against the cell.
    pub(crate) borders: Vec<Border>,
}

/// Lobes joined by strands, minus notches, divided by clefts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nucleus {
    pub(crate) lobes: Vec<Outline>,
    pub(crate) strands: Vec<Strand>,
    pub(crate) notches: Vec<Outline>,
    pub(crate) clefts: Vec<Strand>,
    pub(crate) nucleoli: Vec<Outline>,
}

/// A straight band: a bridge between two lobes, or a cleft into one lobe.
#[derive(Debug, Clone)]
pub(crate) struct Strand {
    pub(crate) from: Point,
    pub(crate) to: Point,
    pub(crate) half_width: f32,
}

/// A straight border: the cell lies on the side that the normal points away from.
#[derive(Debug, Clone)]
pub(crate) struct Border {
    at: Point,
    /// Of unit length.
    normal: [f32; 2],
}

#[derive(Debug, Clone)]
pub(crate) struct Chromatin {
    /// Amount, 1 as usual.
    pub(crate) amount: f32,
    /// Width of the clumps, µm.
    pub(crate) grain: f32,
    /// How much denser the clumps are than the gaps between them, relative.
    pub(crate) contrast: f32,
}

#[derive(Debug, Clone)]
pub(crate) struct Cytoplasm {
    pub(crate) basophilia: f32,
    pub(crate) lilac: f32,
    pub(crate) granules: Option<Granules>,
    /// Share of the cytoplasm that vacuoles fill, as a threshold on texture.
    pub(crate) vacuoles: f32,
    /// Whether red cells indent the cell instead of being covered by it.
    pub(crate) indentable: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Granules {
    pub(crate) kind: GranuleKind,
    pub(crate) amount: f32,
    /// Width of a granule, µm.
    pub(crate) size: f32,
    /// Threshold on texture, −1 (everywhere) to 1 (none).
    pub(crate) sparsity: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GranuleKind {
    Neutral,
    Azurophil,
    Eosinophil,
    Basophil,
}

impl Leukocyte {
    /// Gives cells that would overlap a straight border; the larger cell keeps the larger part.
    pub(crate) fn flatten_neighbours(cells: &mut [Self]) {
        for second in 1..cells.len() {
            let (before, rest) = cells.split_at_mut(second);
            let b = &mut rest[0];
            for a in before {
                let (from, to) = (a.outline.centre, b.outline.centre);
                let distance = from.distance(to);
                if distance > 1e-3 && distance < a.reach() + b.reach() {
                    let share = a.outline.radius / (a.outline.radius + b.outline.radius);
                    let normal = [(to.x - from.x) / distance, (to.y - from.y) / distance];
                    let at = Point {
                        x: from.x + (to.x - from.x) * share,
                        y: from.y + (to.y - from.y) * share,
                    };
                    a.borders.push(Border { at, normal });
                    let normal = normal.map(|part| -part);
                    b.borders.push(Border { at, normal });
                }
            }
        }
    }

    /// Largest distance of the membrane from the cell's centre, µm.
    pub(crate) fn reach(&self) -> f32 {
        self.outline.reach() + self.ruffle
    }

    /// How far inside the cell a point lies, µm; negative outside.
    pub(crate) fn depth(&self, at: Point) -> f32 {
        let mut depth = self.outline.depth(at);
        if self.ruffle > 0.0 {
            depth += self.ruffle * self.texture.at(at.x * 0.7 - 50.0, at.y * 0.7 + 50.0);
        }
        depth.min(self.inside_borders(at))
    }

    /// How far inside the nucleus a point lies, µm; negative outside.
    pub(crate) fn nuclear_depth(&self, at: Point) -> f32 {
        // A seam of cytoplasm remains between a flattened nucleus and the border.
        const SEAM: f32 = 0.3;
        self.nucleus.depth(at).min(self.inside_borders(at) - SEAM)
    }

    /// Largest distance of the nucleus from the cell's centre, µm: some bulge out of the cell.
    pub(crate) fn nuclear_reach(&self) -> f32 {
        let lobes = self.nucleus.lobes.iter();
        let reaches = lobes.map(|lobe| lobe.centre.distance(self.outline.centre) + lobe.reach());
        reaches.fold(0.0, f32::max)
    }

    fn inside_borders(&self, at: Point) -> f32 {
        let depths = self.borders.iter().map(|border| border.depth(at));
        depths.fold(f32::INFINITY, f32::min)
    }

    /// Paints the cell over what is there and marks its pixels as filled.
    pub(crate) fn paint(&self, canvas: &mut Canvas, palette: &Palette) {
        let pixel = canvas.pixel();
        let reach = self.reach().max(self.nuclear_reach()) + 1.0;
        canvas.each_near(self.outline.centre, reach, |at, spot| {
            let depth = self.depth(at);
            let softness = pixel.max(0.25);
            if depth < -1.0 - softness {
                return;
            }
            let inside = coverage(depth, softness);
            let nuclear_depth = self.nuclear_depth(at);
            let nuclear = coverage(nuclear_depth, pixel.max(0.18));
            let body = inside.max(nuclear);
            if body > 0.0 {
                let mut colour = Density::default();
                if nuclear < 1.0 {
                    colour += self.cytoplasm_at(at, depth, palette).times(1.0 - nuclear);
                }
                if nuclear > 0.0 {
                    let chromatin = self.chromatin_at(at, nuclear_depth, palette);
                    colour += chromatin.times(nuclear);
                }
                // Basophil granules hide the nucleus.
                if let Some(granules) = &self.cytoplasm.granules
                    && granules.kind == GranuleKind::Basophil
                {
                    colour += self.granules_at(at, granules, palette);
                }
                spot.density = spot.density.times(1.0 - body);
                spot.density += colour.times(body);
                let firm = if self.cytoplasm.indentable {
                    nuclear
                } else {
                    body
                };
                spot.filled = spot.filled.max(firm);
            }
        });
    }

    fn chromatin_at(&self, at: Point, depth: f32, palette: &Palette) -> Density {
        let Chromatin {
            amount,
            grain,
            contrast,
        } = self.chromatin;
        let coarse = self.texture.at(at.x / grain, at.y / grain);
        let fine = self
            .texture
            .at(at.x / grain * 2.3 + 40.0, at.y / grain * 2.3);
        let grains = self.texture.at(at.x * 3.1 + 10.0, at.y * 3.1 - 10.0);
        // Clumps are separated by narrow pale seams, and line the membrane.
        let seam = 1.0 - (4.0 * coarse.abs()).min(1.0);
        let membrane = coverage(0.5 - depth, 0.5);
        let clumping = 1.0
            + contrast * (0.65 * coarse + 0.45 * fine + 0.5 * grains - 0.7 * seam + 0.6 * membrane);
        let mut density = palette.chromatin.times(amount * clumping);
        for cleft in &self.nucleus.clefts {
            // A cleft is too narrow to show the cytoplasm below.
            density = density.times(1.0 - 0.35 * coverage(cleft.depth(at), 0.5));
        }
        for nucleolus in &self.nucleus.nucleoli {
            let inside = coverage(nucleolus.depth(at), 0.5);
            if inside > 0.0 {
                let mut pale = density.times(0.62);
                pale += palette.basophilia.times(0.3);
                density = density.blend(pale, inside);
            }
        }
        density
    }

    fn cytoplasm_at(&self, at: Point, depth: f32, palette: &Palette) -> Density {
        let Cytoplasm {
            basophilia,
            lilac,
            vacuoles,
            ..
        } = self.cytoplasm;
        let cloud = 1.0 + 0.22 * self.texture.at(at.x * 0.8 - 70.0, at.y * 0.8);
        // RNA is densest towards the membrane.
        let towards_rim = 1.0 + 0.35 * coverage(1.0 - depth, 2.0);
        let mut density = palette.basophilia.times(basophilia * cloud * towards_rim);
        density += palette.lilac.times(lilac * cloud);
        if let Some(granules) = &self.cytoplasm.granules
            && granules.kind != GranuleKind::Basophil
        {
            density += self.granules_at(at, granules, palette);
        }
        if vacuoles > 0.0 {
            let bubble = self.texture.at(at.x * 0.9 + 20.0, at.y * 0.9 - 30.0);
            density = density.times(1.0 - 0.7 * coverage(bubble - 1.0 + vacuoles, 0.2));
        }
        density
    }

    fn granules_at(&self, at: Point, granules: &Granules, palette: &Palette) -> Density {
        let Granules {
            kind,
            amount,
            size,
            sparsity,
        } = *granules;
        let dotted = self.texture.at(at.x / size, at.y / size + 90.0);
        let density = match kind {
            GranuleKind::Neutral => palette.lilac,
            GranuleKind::Eosinophil => palette.eosin,
            GranuleKind::Azurophil | GranuleKind::Basophil => palette.chromatin,
        };
        // Between the crowded granules of eosinophils, others shine through.
        let least = if kind == GranuleKind::Eosinophil {
            0.3
        } else {
            0.0
        };
        let dots = coverage(dotted - sparsity, 0.5);
        density.times(amount * (least + (1.0 - least) * dots))
    }
}

impl Nucleus {
    /// A nucleus of lobes, each joined to the next by a strand.
    pub(crate) fn joined(lobes: Vec<Outline>, half_width: f32) -> Self {
        let strands = lobes.windows(2).map(|pair| Strand {
            from: pair[0].centre,
            to: pair[1].centre,
            half_width,
        });
        Self {
            strands: strands.collect(),
            lobes,
            ..Self::default()
        }
    }

    /// How far inside the nucleus a point lies, µm; negative outside.
    fn depth(&self, at: Point) -> f32 {
        let lobes = self.lobes.iter().map(|lobe| lobe.depth(at));
        let strands = self.strands.iter().map(|strand| strand.depth(at));
        let union = lobes.chain(strands).fold(f32::NEG_INFINITY, f32::max);
        let notches = self.notches.iter().map(|notch| -notch.depth(at));
        notches.fold(union, f32::min)
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

impl Border {
    fn depth(&self, at: Point) -> f32 {
        let [x, y] = self.normal;
        (self.at.x - at.x) * x + (self.at.y - at.y) * y
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::synth::morphology::Subtype;

    #[test]
    fn touching_cells_share_a_border_and_nothing_else() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let at = |x| Point { x, y: 20.0 };
        let mut cells: Vec<Leukocyte> = [at(16.0), at(25.0), at(60.0)]
            .map(|centre| Subtype::LymphoblastL2.draw(&mut rng, centre, 1.1))
            .into();
        let alone = cells[2].clone();
        Leukocyte::flatten_neighbours(&mut cells);
        let (mut first, mut second) = (0, 0);
        for step in 0..6400 {
            let at = Point {
                x: (step % 80) as f32 * 0.5,
                y: (step / 80) as f32 * 0.5,
            };
            let inside = [0, 1].map(|cell| cells[cell].depth(at) > 0.0);
            assert_ne!(inside, [true, true]);
            first += u32::from(inside[0]);
            second += u32::from(inside[1]);
        }
        assert!(first > 200 && second > 200, "{first}, {second}");
        assert_eq!(cells[2].borders.len(), alone.borders.len());
    }
}
