//! How well a network's features tell real cells of a kind from drawn ones.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::audited_cell::AuditedCell;
use super::cross_validation::CrossValidation;
use super::guessers::Guesser;
use crate::cell_kind::CellKind;
use crate::error::TrainError;
use crate::metrics;

/// Fewest real cells, and fewest drawn ones, of a kind that is judged. With 20 of each a guess by chance has a
/// standard deviation of 8 percentage points.
const MIN_CELLS: usize = 20;
/// Balanced accuracy from which on the features are said to tell real from drawn.
const MAX_TOLD: f64 = 0.9;
/// Chance that a drawn cell has a higher probability of a blast than a real one of the same kind, from which on the
/// network is said to prefer one of them; and 1 minus this.
const MAX_PREFERENCE: f64 = 0.7;

/// How well real and drawn cells of a kind are told apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SourceGuess {
    pub(super) kind: CellKind,
    pub(super) real: usize,
    /// Number of sources of the real cells.
    pub(super) real_sources: usize,
    pub(super) drawn: usize,
    /// Balanced accuracy of a random forest on the network's features.
    pub(super) forest: f64,
    /// The same of logistic regression.
    pub(super) linear: f64,
    /// Chance that a drawn cell has a higher probability of a blast than a real one, ties counting half: 0.5 without
    /// a preference. `None` if the network cannot name all of the cells.
    pub(super) drawn_more_blast_like: Option<f64>,
}

impl SourceGuess {
    /// Guesses about the cells of a kind; `None` if there are too few real ones, drawn ones, or groups of them.
    pub(super) fn of(
        cells: &[AuditedCell],
        kind: CellKind,
        seed: u64,
    ) -> Result<Option<Self>, TrainError> {
        let cells = || cells.iter().filter(|cell| cell.kind == kind);
        let drawn = cells().filter(|cell| cell.is_drawn).count();
        let real = cells().count() - drawn;
        if drawn.min(real) < MIN_CELLS {
            return Ok(None);
        }
        let examples = cells().map(|cell| ((&cell.features[..], cell.is_drawn), cell.group));
        let Some(examples) = CrossValidation::divide(examples, seed) else {
            return Ok(None);
        };
        let real_sources: BTreeSet<usize> = cells()
            .filter(|cell| !cell.is_drawn)
            .map(|cell| cell.source)
            .collect();
        let scores: Option<Vec<(f32, bool)>> = cells()
            .map(|cell| Some((cell.blast?, cell.is_drawn)))
            .collect();
        Ok(Some(Self {
            kind,
            real,
            real_sources: real_sources.len(),
            drawn,
            forest: examples.balanced_accuracy(Guesser::Forest)?,
            linear: examples.balanced_accuracy(Guesser::Linear)?,
            drawn_more_blast_like: scores.and_then(|scores| metrics::auroc(&scores)),
        }))
    }

    /// The better of the two guesses.
    fn told(&self) -> f64 {
        self.forest.max(self.linear)
    }

    /// Warnings if real and drawn cells are told apart, or if one of them is preferred as a blast.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let kind = self.kind;
        let told = self.told();
        let is_told = (told >= MAX_TOLD).then(|| {
            format!(
                "The network's features tell real cells from drawn ones of the kind {kind} in {:.0} % of the cases \
                 (50 % would be chance): what it learned from drawn cells need not hold for real ones.",
                told * 100.0
            )
        });
        let preference = self.drawn_more_blast_like.and_then(|share| {
            let (more, less, share) = if share >= 0.5 {
                ("drawn", "real", share)
            } else {
                ("real", "drawn", 1.0 - share)
            };
            (share >= MAX_PREFERENCE).then(|| {
                format!(
                    "Of two cells of the kind {kind}, the {more} one has a higher probability of a blast than the \
                     {less} one in {:.0} % of the cases (50 % would be chance): the network partly judges where a \
                     picture is from instead of the cell.",
                    share * 100.0
                )
            })
        });
        is_told.into_iter().chain(preference)
    }
}

impl fmt::Display for SourceGuess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = match self.real_sources {
            1 => "1 source".into(),
            more => format!("{more} sources"),
        };
        write!(
            f,
            "real or drawn, {} ({} real from {sources}, {} drawn): {:.3} by a forest on the features, {:.3} by a line",
            self.kind, self.real, self.drawn, self.forest, self.linear
        )?;
        match self.drawn_more_blast_like {
            Some(share) => write!(f, "; the drawn one is more blast-like with {share:.3}"),
            None => Ok(()),
        }
    }
}
