//! Colours that a Romanowsky stain (Wright, Giemsa, Jenner, May-Grünwald, Leishman) gives to the
//! parts of a smear.

use clap::ValueEnum;
use rand::{Rng, RngExt};
use serde::Serialize;

use super::canvas::Density;
use super::random::log_uniform;

/// The colour of nuclei. Families of stains can be held out of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StainFamily {
    VioletBlue,
    Purple,
    Magenta,
    Indigo,
    Blue,
}

/// Optical density of each stained substance at its usual amount.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Palette {
    pub(crate) family: StainFamily,
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
    /// Dye that fell out of solution.
    pub(crate) precipitate: Density,
}

/// Pink, brick, olive, grey-lilac, orange, grey-blue and grey.
const ERYTHROCYTE: [[f32; 3]; 7] = [
    [0.03, 0.14, 0.07],
    [0.06, 0.20, 0.15],
    [0.13, 0.17, 0.14],
    [0.09, 0.17, 0.06],
    [0.03, 0.13, 0.14],
    [0.17, 0.14, 0.06],
    [0.13, 0.14, 0.10],
];
/// In the order of [`StainFamily`].
const CHROMATIN: [[f32; 3]; 5] = [
    [0.34, 0.56, 0.00],
    [0.33, 0.62, 0.16],
    [0.24, 0.62, 0.22],
    [0.52, 0.62, 0.26],
    [0.52, 0.44, 0.10],
];
/// Sky blue, slate, lilac-blue and teal.
const BASOPHILIA: [[f32; 3]; 4] = [
    [0.19, 0.13, 0.01],
    [0.22, 0.19, 0.08],
    [0.16, 0.19, 0.04],
    [0.22, 0.12, 0.06],
];
const LILAC: [[f32; 3]; 3] = [[0.06, 0.14, 0.02], [0.05, 0.17, 0.05], [0.11, 0.15, 0.06]];
const EOSIN: [[f32; 3]; 3] = [[0.03, 0.20, 0.15], [0.02, 0.27, 0.14], [0.09, 0.23, 0.20]];
const PLASMA: [[f32; 3]; 3] = [[0.02, 0.02, 0.01], [0.01, 0.04, 0.03], [0.03, 0.04, 0.05]];
const PRECIPITATE: [[f32; 3]; 3] = [[0.50, 0.60, 0.30], [0.30, 0.60, 0.20], [0.60, 0.55, 0.40]];

impl Palette {
    /// Draws a stain as laboratories make it, bluish to reddish, pale to deep: of one of some
    /// families, or of all if none is named.
    pub(crate) fn draw(rng: &mut impl Rng, families: &[StainFamily]) -> Self {
        let families = if families.is_empty() {
            StainFamily::value_variants()
        } else {
            families
        };
        let family = families[rng.random_range(0..families.len())];
        let azure = log_uniform(rng, 0.42, 1.5);
        // However pale the nuclei, they stand out from the red cells.
        let eosin = log_uniform(rng, 0.4, 1.5).min(1.8 * azure);
        let cytoplasm = azure.sqrt() * log_uniform(rng, 0.6, 1.5);
        // Most of the dye is that of the family; the rest may be any.
        let own = Density(CHROMATIN[family as usize]).times(azure);
        let share = rng.random_range(0.5..0.9);
        let red = Density(ERYTHROCYTE[rng.random_range(0..ERYTHROCYTE.len())]).times(eosin);
        Self {
            family,
            erythrocyte: mix(rng, &ERYTHROCYTE, eosin).blend(red, rng.random_range(0.3..0.9)),
            chromatin: mix(rng, &CHROMATIN, azure).blend(own, share),
            basophilia: mix(rng, &BASOPHILIA, cytoplasm),
            lilac: mix(rng, &LILAC, cytoplasm),
            eosin: mix(rng, &EOSIN, eosin.sqrt()),
            plasma: mix(rng, &PLASMA, eosin),
            precipitate: mix(rng, &PRECIPITATE, azure.sqrt()),
        }
    }
}

/// A random mixture, evenly drawn from all (Dirichlet with α = 1), times `depth`.
fn mix(rng: &mut impl Rng, stains: &[[f32; 3]], depth: f32) -> Density {
    let mut mixture = Density::default();
    let mut total = 0.0;
    for &stain in stains {
        let amount = -rng.random_range(1e-6_f32..1.0).ln();
        total += amount;
        mixture += Density(stain).times(amount);
    }
    mixture.times(depth / total)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn stains_range_from_pale_to_deep_and_nuclei_always_stand_out() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let palettes: Vec<Palette> = (0..500).map(|_| Palette::draw(&mut rng, &[])).collect();
        let green = |density: Density| density.0[1];
        let chromatin = palettes.iter().map(|palette| green(palette.chromatin));
        let (palest, deepest) = chromatin.fold((f32::MAX, 0.0_f32), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        assert!(palest < 0.32 && deepest > 0.8, "{palest} to {deepest}");
        // In every stain nuclei absorb more green light than red cells.
        for palette in &palettes {
            let ratio = green(palette.chromatin) / green(palette.erythrocyte);
            assert!(ratio > 1.0, "{palette:?}");
        }
        let usual = palettes
            .iter()
            .filter(|palette| green(palette.chromatin) > 2.0 * green(palette.erythrocyte));
        assert!(usual.count() > 350);
    }

    #[test]
    fn families_differ_in_the_colour_of_nuclei() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut of = |family| -> Vec<Palette> {
            (0..100)
                .map(|_| Palette::draw(&mut rng, &[family]))
                .collect()
        };
        let [magenta, blue] = [StainFamily::Magenta, StainFamily::Blue].map(|family| {
            let palettes = of(family);
            assert!(palettes.iter().all(|palette| palette.family == family));
            let redness = palettes
                .iter()
                .map(|palette| palette.chromatin.0[0] / palette.chromatin.0[1]);
            redness.sum::<f32>() / 100.0
        });
        assert!(magenta < 0.65 && blue > 0.85, "{magenta}, {blue}");
    }
}
