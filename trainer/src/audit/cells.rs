//! The audit of a network that names cells.
//!
//! Real pictures are mostly of normal cells and drawn ones often of blasts, so a network could learn where a picture
//! is from and still name the cells of both.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use super::audited_cell::AuditedCell;
use super::margins::{Among, MarginGuess};
use super::sources::SourceGuess;
use crate::cell_kind::CellKind;
use crate::error::TrainError;

/// What else than the cells tells what they are, and what else the network sees in them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CellAudit {
    /// Whether the margin of the crops tells blasts from other leukocytes.
    margins: Vec<MarginGuess>,
    /// Whether the network's features tell real cells of a kind from drawn ones.
    sources: Vec<SourceGuess>,
}

impl CellAudit {
    /// Audits cells that the network was not trained on. What there are too few cells or groups for is left out.
    ///
    /// # Errors
    /// [`TrainError::Training`] if a feature or probability is not finite, if cells have different numbers of
    /// features, or if a guesser cannot be fitted.
    pub(crate) fn of(examples: &[AuditedCell], seed: u64) -> Result<Self, TrainError> {
        refuse_unlike(examples)?;
        let among = [Among::All, Among::Real, Among::Drawn];
        let margins = among.map(|among| MarginGuess::of(examples, among, seed).transpose());
        let kinds = CellKind::value_variants().iter();
        Ok(Self {
            margins: margins.into_iter().flatten().collect::<Result<_, _>>()?,
            sources: kinds
                .filter_map(|kind| SourceGuess::of(examples, *kind, seed).transpose())
                .collect::<Result<_, _>>()?,
        })
    }

    /// What a model card must say, a sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let margins = self.margins.iter().filter_map(MarginGuess::warning);
        let sources = self.sources.iter().flat_map(SourceGuess::warnings);
        margins.chain(sources).collect()
    }
}

/// Balanced accuracies, a guess a line.
impl fmt::Display for CellAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for guess in &self.margins {
            writeln!(f, "{guess}")?;
        }
        for guess in &self.sources {
            writeln!(f, "{guess}")?;
        }
        Ok(())
    }
}

/// Refuses cells whose rows of features differ in length, or have a value that is not finite.
fn refuse_unlike(cells: &[AuditedCell]) -> Result<(), TrainError> {
    let Some(first) = cells.first() else {
        return Ok(());
    };
    let lengths = |cell: &AuditedCell| [cell.border.len(), cell.features.len()];
    let is_like = |cell: &AuditedCell| {
        let mut values = cell.border.iter().chain(&cell.features).chain(&cell.blast);
        lengths(cell) == lengths(first) && values.all(|value| value.is_finite())
    };
    match cells.iter().find(|cell| !is_like(cell)) {
        None => Ok(()),
        Some(cell) => Err(TrainError::Training {
            problem: format!(
                "a {} has a feature or probability that is not finite, or more or fewer features than another cell",
                cell.kind
            ),
            remedy: "lower --learning-rate if the loss is not finite, otherwise report it as a bug"
                .into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    /// Normally distributed values around a mean.
    fn values(count: usize, mean: f32, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let normal = StandardNormal.sample_iter(rng);
        normal.take(count).map(|value: f32| value + mean).collect()
    }

    /// As many real as drawn cells of each of these kinds, in groups of two of one kind and origin.
    fn cells(
        kinds: &[CellKind],
        of_each: usize,
        change: impl Fn(&mut AuditedCell, &mut ChaCha8Rng),
    ) -> Vec<AuditedCell> {
        let rng = &mut ChaCha8Rng::seed_from_u64(11);
        let count = kinds.len() * 2 * of_each;
        (0..count)
            .map(|number| {
                let mut cell = AuditedCell {
                    source: number / 2 % 3,
                    is_drawn: number / of_each % 2 == 1,
                    kind: kinds[number / of_each / 2],
                    group: number / 2,
                    border: values(6, 0.0, rng),
                    features: values(64, 0.0, rng),
                    blast: Some(0.5 + 0.01 * values(1, 0.0, rng)[0]),
                };
                change(&mut cell, rng);
                cell
            })
            .collect()
    }

    const KINDS: [CellKind; 2] = [CellKind::Lymphocyte, CellKind::Lymphoblast];

    #[test]
    fn features_that_differ_between_real_and_drawn_cells_are_told() {
        let cells = cells(&KINDS, 60, |cell, _| {
            if cell.is_drawn && cell.kind == CellKind::Lymphocyte {
                cell.features[40] += 8.0;
                cell.blast = Some(0.9);
            }
        });
        let audit = CellAudit::of(&cells, 1).unwrap();
        let [blast, lymphocyte] = &audit.sources[..] else {
            panic!("{audit:?}");
        };
        assert_eq!(lymphocyte.kind, CellKind::Lymphocyte);
        assert_eq!(
            (lymphocyte.real, lymphocyte.drawn, lymphocyte.real_sources),
            (60, 60, 3)
        );
        // Distributions that hardly overlap.
        assert!(
            lymphocyte.forest > 0.97 && lymphocyte.linear > 0.97,
            "{lymphocyte}"
        );
        assert_eq!(lymphocyte.drawn_more_blast_like, Some(1.0));
        // By chance the standard deviation on 120 cells is 0.046, and of the AUROC 0.053.
        for share in [
            blast.forest,
            blast.linear,
            blast.drawn_more_blast_like.unwrap(),
        ] {
            assert!((share - 0.5).abs() < 0.16, "{blast}");
        }
        let warnings = audit.warnings();
        let about_sources: Vec<&String> = warnings
            .iter()
            .filter(|one| one.contains("lymphocyte"))
            .collect();
        assert!(
            about_sources.len() == 2
                && about_sources[0].contains("from drawn ones of the kind lymphocyte in")
                && about_sources[1].contains("the drawn one has a higher probability"),
            "{warnings:?}"
        );
        let text = audit.to_string();
        assert!(
            text.contains("real or drawn, lymphocyte (60 real from 3 sources, 60 drawn): "),
            "{text}"
        );
        let json = serde_json::to_value(&audit).unwrap();
        assert_eq!(json["sources"][1]["kind"], "lymphocyte");
        assert_eq!(json["margins"][0]["among"], "all");
    }

    #[test]
    fn equal_distributions_are_told_by_chance_only() {
        let cells = cells(&[CellKind::Neutrophil], 200, |_, _| {});
        let audit = CellAudit::of(&cells, 1).unwrap();
        // Three standard deviations of √(0.25 / 400).
        let guess = &audit.sources[0];
        for accuracy in [guess.forest, guess.linear] {
            assert!((accuracy - 0.5).abs() < 0.075, "{guess}");
        }
        assert_eq!(audit.margins, []);
        assert_eq!(audit.warnings(), Vec::<String>::new());
    }

    #[test]
    fn margins_that_tell_blasts_are_told() {
        let is_blast = |cell: &AuditedCell| cell.kind == CellKind::Lymphoblast;
        let cells = cells(&KINDS, 60, |cell, _| {
            // The network is right on three cells of four, and the margin tells only the drawn ones.
            let is_right = cell.group % 4 != 0;
            cell.blast = Some(f32::from(u8::from(is_blast(cell) == is_right)));
            if cell.is_drawn && is_blast(cell) {
                cell.border[3] += 8.0;
            }
        });
        let audit = CellAudit::of(&cells, 1).unwrap();
        let [all, real, drawn] = &audit.margins[..] else {
            panic!("{audit:?}");
        };
        assert_eq!((all.blasts, all.others, real.blasts), (120, 120, 60));
        assert!(drawn.margin > 0.97, "{drawn}");
        assert!((real.margin - 0.5).abs() < 0.16, "{real}");
        assert!(
            all.margin > real.margin && all.margin < drawn.margin,
            "{all}"
        );
        for guess in [all, real, drawn] {
            let network = guess.network.unwrap();
            assert!((network - 0.75).abs() < 0.02, "{guess}");
        }
        let warnings = audit.warnings().join("\n");
        assert!(
            warnings.contains("Among drawn cells, with blasts")
                && !warnings.contains("Among real cells"),
            "{warnings}"
        );
    }

    #[test]
    fn too_few_cells_are_not_judged() {
        let few = cells(&KINDS, 18, |_, _| {});
        let audit = CellAudit::of(&few, 1).unwrap();
        assert_eq!(audit.sources, []);
        assert_eq!(audit.margins.len(), 1, "{audit}");
        let one_group = cells(&KINDS, 30, |cell, _| {
            if cell.is_drawn {
                cell.group = 1000;
            }
        });
        assert_eq!(CellAudit::of(&one_group, 1).unwrap().sources, []);
        assert_eq!(CellAudit::of(&[], 1).unwrap().to_string(), "");
    }

    #[test]
    fn cells_without_a_name_leave_the_network_out() {
        let cells = cells(&KINDS, 30, |cell, _| {
            if cell.group == 0 {
                cell.blast = None;
            }
        });
        let audit = CellAudit::of(&cells, 1).unwrap();
        assert_eq!(audit.margins[0].network, None);
        assert_eq!(audit.sources[1].drawn_more_blast_like, None);
        assert!(audit.sources[0].drawn_more_blast_like.is_some());
    }

    #[test]
    fn features_that_are_not_finite_or_missing_are_refused() {
        for change in [
            |cell: &mut AuditedCell| cell.features[5] = f32::NAN,
            |cell: &mut AuditedCell| cell.blast = Some(f32::INFINITY),
            |cell: &mut AuditedCell| cell.border.truncate(5),
        ] {
            let mut cells = cells(&KINDS, 2, |_, _| {});
            change(&mut cells[6]);
            let message = CellAudit::of(&cells, 1).unwrap_err().to_string();
            assert!(message.contains("a lymphoblast has a feature"), "{message}");
        }
    }
}
