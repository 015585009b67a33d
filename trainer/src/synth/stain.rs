//! What a Romanowsky stain (Wright, Giemsa, May-Grünwald) does to the parts of a smear.

use rand::{Rng, RngExt};

use super::canvas::Density;

/// Optical density of each stained substance at its usual amount.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Palette {
    /// Haemoglobin with eosin.
    pub(crate) erythrocyte: Density,
    /// DNA with azure B and eosin: the Romanowsky–Giemsa purple.
    pub(crate) chromatin: Density,
    /// RNA with azure B: blue cytoplasm.
    pub(crate) basophilia: Density,
    /// Neutral granules: pale lilac.
    pub(crate) lilac: Density,
    /// Eosinophil granules: orange-red.
    pub(crate) eosin: Density,
    /// Dried plasma.
    pub(crate) plasma: Density,
}

impl Palette {
    /// A stain as one laboratory or another makes it: bluish to reddish, pale to deep.
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        let azure = rng.random_range(0.0..1.0);
        let eosin = rng.random_range(0.0..1.0);
        let depth = rng.random_range(0.72..1.28);
        let eosin_depth = depth * rng.random_range(0.75..1.3);
        let mut stain = |bluish: [f32; 3], reddish: [f32; 3], hue: f32, depth: f32| {
            let mixed = Density(bluish).blend(Density(reddish), hue);
            Density(
                mixed
                    .0
                    .map(|channel| channel * depth * rng.random_range(0.9..1.1)),
            )
        };
        Self {
            erythrocyte: stain([0.05, 0.13, 0.13], [0.03, 0.16, 0.10], eosin, eosin_depth),
            chromatin: stain([0.34, 0.56, 0.06], [0.33, 0.66, 0.22], azure, depth),
            basophilia: stain([0.19, 0.13, 0.01], [0.17, 0.16, 0.04], azure, depth),
            lilac: stain([0.06, 0.14, 0.02], [0.05, 0.17, 0.05], azure, depth),
            eosin: stain([0.03, 0.20, 0.15], [0.02, 0.27, 0.14], eosin, eosin_depth),
            plasma: stain([0.02, 0.02, 0.01], [0.01, 0.04, 0.03], eosin, depth),
        }
    }
}
