//! Colours that a Romanowsky stain (Wright, Giemsa, Jenner, May-Grünwald, Leishman) gives to the
//! parts of a smear.

use clap::ValueEnum;
use rand::{Rng, RngExt};
use serde::Serialize;

use super::canvas::Density;
use super::random::log_uniform;

/// The colour of nuclei that a stain is nearest to. Families can be held out of a training.
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

/// Pink, brick, olive, grey-lilac and orange.
const ERYTHROCYTE: [[f32; 3]; 5] = [
    [0.04, 0.14, 0.11],
    [0.05, 0.20, 0.22],
    [0.13, 0.17, 0.20],
    [0.10, 0.17, 0.09],
    [0.03, 0.12, 0.19],
];
/// In the order of [`StainFamily`].
const CHROMATIN: [[f32; 3]; 5] = [
    [0.36, 0.54, 0.05],
    [0.33, 0.62, 0.16],
    [0.26, 0.62, 0.22],
    [0.52, 0.62, 0.26],
    [0.46, 0.44, 0.10],
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
    /// Draws a stain of one of some families, or of all if none is named.
    pub(crate) fn of(rng: &mut impl Rng, families: &[StainFamily]) -> Self {
        loop {
            let palette = Self::draw(rng);
            if families.is_empty() || families.contains(&palette.family) {
                return palette;
            }
        }
    }

    /// Draws a stain as laboratories make it: bluish to reddish, pale to deep.
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        let azure = log_uniform(rng, 0.5, 1.5);
        let eosin = log_uniform(rng, 0.45, 1.5);
        let cytoplasm = azure.sqrt() * log_uniform(rng, 0.6, 1.5);
        let erythrocyte = mix(rng, &ERYTHROCYTE, eosin);
        let amounts = amounts(rng, CHROMATIN.len());
        Self {
            family: StainFamily::of(&amounts),
            erythrocyte,
            chromatin: mixed(&CHROMATIN, &amounts, azure),
            basophilia: mix(rng, &BASOPHILIA, cytoplasm),
            lilac: mix(rng, &LILAC, cytoplasm),
            eosin: mix(rng, &EOSIN, eosin.sqrt()),
            plasma: mix(rng, &PLASMA, eosin),
            precipitate: mix(rng, &PRECIPITATE, azure.sqrt()),
        }
    }
}

impl StainFamily {
    /// The family that a mixture has most of.
    fn of(amounts: &[f32]) -> Self {
        let families = Self::value_variants().iter().zip(amounts);
        families
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
            .map_or(Self::VioletBlue, |(&family, _)| family)
    }
}

/// A random mixture, evenly drawn from all (Dirichlet with α = 1), times `depth`.
fn mix(rng: &mut impl Rng, stains: &[[f32; 3]], depth: f32) -> Density {
    let amounts = amounts(rng, stains.len());
    mixed(stains, &amounts, depth)
}

/// Amounts in a random mixture, evenly drawn from all (Dirichlet with α = 1) but for a factor.
fn amounts(rng: &mut impl Rng, count: usize) -> Vec<f32> {
    (0..count)
        .map(|_| -rng.random_range(1e-6_f32..1.0).ln())
        .collect()
}

/// A mixture by amounts, times `depth`.
fn mixed(stains: &[[f32; 3]], amounts: &[f32], depth: f32) -> Density {
    let mut mixture = Density::default();
    let mut total = 0.0;
    for (&stain, &amount) in stains.iter().zip(amounts) {
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
        let palettes: Vec<Palette> = (0..500).map(|_| Palette::draw(&mut rng)).collect();
        let green = |density: Density| density.0[1];
        let chromatin = palettes.iter().map(|palette| green(palette.chromatin));
        let (palest, deepest) = chromatin.fold((f32::MAX, 0.0_f32), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        assert!(palest < 0.32 && deepest > 0.8, "{palest} to {deepest}");
        // In every stain nuclei absorb about as much green light as red cells or more.
        for palette in &palettes {
            let ratio = green(palette.chromatin) / green(palette.erythrocyte);
            assert!(ratio > 0.9, "{palette:?}");
        }
        let usual = palettes
            .iter()
            .filter(|palette| green(palette.chromatin) > 2.0 * green(palette.erythrocyte));
        assert!(usual.count() > 400);
    }
}
