//! The differential count of a field: which kinds of white cells it shows, and its label.
//!
//! **Labelling rule.** A field is positive if it shows at least one lymphoblast (FAB L1, L2 or L3),
//! whatever lies beside it, and negative if it shows none. Everything that only resembles a blast is
//! negative: small lymphocytes in any number, large granular and reactive lymphocytes, monocytes,
//! smudge cells, bare nuclei and stain precipitate. Hematogones, normal precursors that look like
//! blasts on a smear, are not drawn in either class.
//!
//! **Shares.** In six of ten positive fields 90 to 100 % of the white cells are blasts, as in an
//! untreated leukemia; in the others 15 to 90 %. The *number* of white cells does not depend on the
//! class: leukemic blood often has more of them, but so has infected blood, and a network that
//! learned to count them would call every leukocytosis a leukemia.

use rand::{Rng, RngExt};

use super::class::Class;
use super::kind::{Kind, Lookalike};
use super::morphology::CellKind;

/// The mixtures of white cells that a field is drawn from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Differential {
    normal: Mixture,
    blasts: Mixture,
    /// Share of blasts among the white cells of a positive field.
    blast_share: f64,
}

/// Kinds of white cells and their weights.
type Mixture = &'static [(CellKind, u32)];

const HEALTHY: Mixture = &[
    (CellKind::Neutrophil, 48),
    (CellKind::Lymphocyte, 30),
    (CellKind::Monocyte, 10),
    (CellKind::LargeLymphocyte, 6),
    (CellKind::Eosinophil, 4),
    (CellKind::Basophil, 1),
    (CellKind::ReactiveLymphocyte, 1),
];
const NEUTROPHILIA: Mixture = &[
    (CellKind::Neutrophil, 85),
    (CellKind::Lymphocyte, 6),
    (CellKind::Monocyte, 6),
    (CellKind::Eosinophil, 3),
];
const LYMPHOCYTOSIS: Mixture = &[
    (CellKind::Lymphocyte, 75),
    (CellKind::LargeLymphocyte, 15),
    (CellKind::Neutrophil, 8),
    (CellKind::Monocyte, 2),
];
/// As in infectious mononucleosis.
const REACTIVE: Mixture = &[
    (CellKind::ReactiveLymphocyte, 45),
    (CellKind::Lymphocyte, 20),
    (CellKind::LargeLymphocyte, 20),
    (CellKind::Neutrophil, 10),
    (CellKind::Monocyte, 5),
];
/// All kinds equally often, so that a network learns the rare ones too.
const EVEN: Mixture = &[
    (CellKind::Neutrophil, 1),
    (CellKind::Lymphocyte, 1),
    (CellKind::LargeLymphocyte, 1),
    (CellKind::ReactiveLymphocyte, 1),
    (CellKind::Monocyte, 1),
    (CellKind::Eosinophil, 1),
    (CellKind::Basophil, 1),
];
/// Mixtures and their weights.
const NORMAL: [(Mixture, u32); 5] = [
    (HEALTHY, 40),
    (NEUTROPHILIA, 10),
    (LYMPHOCYTOSIS, 20),
    (REACTIVE, 15),
    (EVEN, 15),
];
const LEUKEMIC: [(Mixture, u32); 3] = [
    (
        &[(CellKind::LymphoblastL1, 85), (CellKind::LymphoblastL2, 15)],
        50,
    ),
    (
        &[(CellKind::LymphoblastL1, 25), (CellKind::LymphoblastL2, 75)],
        44,
    ),
    (&[(CellKind::LymphoblastL3, 1)], 6),
];

impl Differential {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        let blast_share = if rng.random_bool(0.6) {
            rng.random_range(0.9..=1.0)
        } else {
            rng.random_range(0.15..0.9)
        };
        Self {
            normal: pick(rng, &NORMAL),
            blasts: pick(rng, &LEUKEMIC),
            blast_share,
        }
    }

    /// Draws the kinds of `count` cells; the first of a positive field is a blast.
    pub(crate) fn kinds(&self, rng: &mut impl Rng, class: Class, count: usize) -> Vec<CellKind> {
        (0..count)
            .map(|number| {
                let normal = pick(rng, self.normal);
                let blast = pick(rng, self.blasts);
                let leukemic = rng.random_bool(self.blast_share) || number == 0;
                if leukemic && class == Class::Positive {
                    blast
                } else {
                    normal
                }
            })
            .collect()
    }
}

/// Draws a white cell of a kind, in the shares of its subtypes; none for a kind without white cells.
pub(crate) fn draw_subtype(rng: &mut impl Rng, kind: Kind) -> Option<CellKind> {
    Some(match kind {
        Kind::Lymphoblast => {
            let mixture = pick(rng, &LEUKEMIC);
            pick(rng, mixture)
        }
        Kind::Lymphocyte => pick(
            rng,
            &[(CellKind::Lymphocyte, 7), (CellKind::LargeLymphocyte, 3)],
        ),
        Kind::ReactiveLymphocyte => CellKind::ReactiveLymphocyte,
        Kind::Monocyte => CellKind::Monocyte,
        Kind::Neutrophil => CellKind::Neutrophil,
        Kind::Eosinophil => CellKind::Eosinophil,
        Kind::Basophil => CellKind::Basophil,
        Kind::Artefact | Kind::NotALeukocyte => return None,
    })
}

/// Draws what lies in the middle of a crop of a kind without white cells; none for a white cell.
pub(crate) fn draw_lookalike(rng: &mut impl Rng, kind: Kind) -> Option<Lookalike> {
    match kind {
        Kind::Artefact => Some(pick(
            rng,
            &[
                (Lookalike::SmudgeCell, 35),
                (Lookalike::BareNucleus, 15),
                (Lookalike::PlateletClump, 20),
                (Lookalike::Precipitate, 15),
                (Lookalike::Blot, 10),
                (Lookalike::Bubble, 5),
            ],
        )),
        Kind::NotALeukocyte => Some(pick(
            rng,
            &[
                (Lookalike::RedCell, 50),
                (Lookalike::Platelet, 25),
                (Lookalike::Background, 25),
            ],
        )),
        _ => None,
    }
}

fn pick<T: Copy>(rng: &mut impl Rng, weighted: &[(T, u32)]) -> T {
    let total: u32 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random_range(0..total);
    for &(item, weight) in weighted {
        match left.checked_sub(weight) {
            Some(less) => left = less,
            None => return item,
        }
    }
    unreachable!("less than the sum of all weights was drawn")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn fields(class: Class) -> Vec<Vec<CellKind>> {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        (0..2000)
            .map(|_| Differential::draw(&mut rng).kinds(&mut rng, class, 20))
            .collect()
    }

    #[test]
    fn negative_fields_have_every_normal_kind_and_no_blast() {
        let mut counts: HashMap<CellKind, usize> = HashMap::new();
        for kind in fields(Class::Negative).concat() {
            assert!(!kind.is_blast());
            *counts.entry(kind).or_default() += 1;
        }
        assert_eq!(counts.len(), EVEN.len());
        // Hard negatives are common.
        let share = |kind| counts[&kind] as f32 / 40_000.0;
        assert!(share(CellKind::Lymphocyte) > 0.25);
        assert!(share(CellKind::ReactiveLymphocyte) > 0.06);
        assert!(share(CellKind::LargeLymphocyte) > 0.06);
        assert!(share(CellKind::Basophil) > 0.01);
    }

    #[test]
    fn positive_fields_have_blasts_in_the_stated_shares() {
        let fields = fields(Class::Positive);
        let shares: Vec<f32> = fields
            .iter()
            .map(|kinds| kinds.iter().filter(|kind| kind.is_blast()).count() as f32 / 20.0)
            .collect();
        assert!(fields.iter().all(|kinds| kinds[0].is_blast()));
        let full = shares.iter().filter(|&&share| share >= 0.85).count();
        assert!((0.58..0.72).contains(&(full as f32 / 2000.0)), "{full}");
        assert!(shares.iter().any(|&share| share < 0.2));
    }
}
