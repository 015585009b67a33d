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
use super::kind::Lookalike;
use super::morphology::Subtype;
use crate::cell_kind::CellKind;

/// The mixtures of white cells that a field is drawn from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Differential {
    normal: Mixture,
    blasts: Mixture,
    /// Share of blasts among the white cells of a positive field.
    blast_share: f64,
}

/// Kinds of white cells and their weights.
type Mixture = &'static [(Subtype, u32)];

const HEALTHY: Mixture = &[
    (Subtype::Neutrophil, 48),
    (Subtype::Lymphocyte, 30),
    (Subtype::Monocyte, 10),
    (Subtype::LargeLymphocyte, 6),
    (Subtype::Eosinophil, 4),
    (Subtype::Basophil, 1),
    (Subtype::ReactiveLymphocyte, 1),
];
const NEUTROPHILIA: Mixture = &[
    (Subtype::Neutrophil, 85),
    (Subtype::Lymphocyte, 6),
    (Subtype::Monocyte, 6),
    (Subtype::Eosinophil, 3),
];
const LYMPHOCYTOSIS: Mixture = &[
    (Subtype::Lymphocyte, 75),
    (Subtype::LargeLymphocyte, 15),
    (Subtype::Neutrophil, 8),
    (Subtype::Monocyte, 2),
];
/// As in infectious mononucleosis.
const REACTIVE: Mixture = &[
    (Subtype::ReactiveLymphocyte, 45),
    (Subtype::Lymphocyte, 20),
    (Subtype::LargeLymphocyte, 20),
    (Subtype::Neutrophil, 10),
    (Subtype::Monocyte, 5),
];
/// All kinds equally often, so that a network learns the rare ones too.
const EVEN: Mixture = &[
    (Subtype::Neutrophil, 1),
    (Subtype::Lymphocyte, 1),
    (Subtype::LargeLymphocyte, 1),
    (Subtype::ReactiveLymphocyte, 1),
    (Subtype::Monocyte, 1),
    (Subtype::Eosinophil, 1),
    (Subtype::Basophil, 1),
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
        &[(Subtype::LymphoblastL1, 85), (Subtype::LymphoblastL2, 15)],
        50,
    ),
    (
        &[(Subtype::LymphoblastL1, 25), (Subtype::LymphoblastL2, 75)],
        44,
    ),
    (&[(Subtype::LymphoblastL3, 1)], 6),
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
    pub(crate) fn kinds(&self, rng: &mut impl Rng, class: Class, count: usize) -> Vec<Subtype> {
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
pub(crate) fn draw_subtype(rng: &mut impl Rng, kind: CellKind) -> Option<Subtype> {
    Some(match kind {
        CellKind::Lymphoblast => {
            let mixture = pick(rng, &LEUKEMIC);
            pick(rng, mixture)
        }
        CellKind::Lymphocyte => pick(
            rng,
            &[(Subtype::Lymphocyte, 7), (Subtype::LargeLymphocyte, 3)],
        ),
        CellKind::ReactiveLymphocyte => Subtype::ReactiveLymphocyte,
        CellKind::Monocyte => Subtype::Monocyte,
        CellKind::Neutrophil => Subtype::Neutrophil,
        CellKind::Eosinophil => Subtype::Eosinophil,
        CellKind::Basophil => Subtype::Basophil,
        CellKind::Artefact
        | CellKind::NotALeukocyte
        | CellKind::Leukocyte
        | CellKind::Erythrocyte
        | CellKind::Platelet => return None,
    })
}

/// Draws what lies in the middle of a crop of a kind without white cells; none for a white cell.
pub(crate) fn draw_lookalike(rng: &mut impl Rng, kind: CellKind) -> Option<Lookalike> {
    match kind {
        CellKind::Artefact => Some(pick(
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
        CellKind::NotALeukocyte => Some(pick(
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

    fn fields(class: Class) -> Vec<Vec<Subtype>> {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        (0..2000)
            .map(|_| Differential::draw(&mut rng).kinds(&mut rng, class, 20))
            .collect()
    }

    #[test]
    fn negative_fields_have_every_normal_kind_and_no_blast() {
        let mut counts: HashMap<Subtype, usize> = HashMap::new();
        for kind in fields(Class::Negative).concat() {
            assert!(!kind.is_blast());
            *counts.entry(kind).or_default() += 1;
        }
        assert_eq!(counts.len(), EVEN.len());
        // Hard negatives are common.
        let share = |kind| counts[&kind] as f32 / 40_000.0;
        assert!(share(Subtype::Lymphocyte) > 0.25);
        assert!(share(Subtype::ReactiveLymphocyte) > 0.06);
        assert!(share(Subtype::LargeLymphocyte) > 0.06);
        assert!(share(Subtype::Basophil) > 0.01);
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
