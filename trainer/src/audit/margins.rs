//! How well the margin of crops, which shows no cell, tells blasts from other leukocytes.

use std::fmt;

use serde::Serialize;

use super::audited_cell::AuditedCell;
use super::cross_validation::CrossValidation;
use super::guessers::Guesser;
use crate::cell_kind::CellKind;
use crate::error::TrainError;
use crate::metrics::Confusion;

/// Fewest blasts, and fewest other leukocytes, among which guesses are counted.
const MIN_CELLS: usize = 20;
/// Required advantage of the network in balanced accuracy.
const MIN_LEAD: f64 = 0.05;

/// Cells that are compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Among {
    /// Real and drawn cells.
    All,
    Real,
    Drawn,
}

impl Among {
    fn includes(self, cell: &AuditedCell) -> bool {
        match self {
            Self::All => true,
            Self::Real => !cell.is_drawn,
            Self::Drawn => cell.is_drawn,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::All => "all cells",
            Self::Real => "real cells",
            Self::Drawn => "drawn cells",
        }
    }
}

/// Guesses whether a leukocyte is a blast, in balanced accuracy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MarginGuess {
    pub(super) among: Among,
    pub(super) blasts: usize,
    pub(super) others: usize,
    /// Of a forest that sees the margin.
    pub(super) margin: f64,
    /// Of the network with a threshold of one half, on the same cells; `None` if it cannot name all of them.
    pub(super) network: Option<f64>,
}

impl MarginGuess {
    /// Guesses about leukocytes of known kind; `None` if there are too few blasts, others, or groups of them.
    pub(super) fn of(
        cells: &[AuditedCell],
        among: Among,
        seed: u64,
    ) -> Result<Option<Self>, TrainError> {
        let is_counted = |cell: &&AuditedCell| {
            among.includes(cell) && cell.kind.is_leukocyte() && cell.kind != CellKind::Leukocyte
        };
        let is_blast = |cell: &AuditedCell| cell.kind == CellKind::Lymphoblast;
        let cells = || cells.iter().filter(is_counted);
        let blasts = cells().filter(|cell| is_blast(cell)).count();
        let others = cells().count() - blasts;
        if blasts.min(others) < MIN_CELLS {
            return Ok(None);
        }
        let examples = cells().map(|cell| ((&cell.border[..], is_blast(cell)), cell.group));
        let Some(examples) = CrossValidation::divide(examples, seed) else {
            return Ok(None);
        };
        let called: Option<Vec<(bool, bool)>> = cells()
            .map(|cell| Some((is_blast(cell), cell.blast? >= 0.5)))
            .collect();
        Ok(Some(Self {
            among,
            blasts,
            others,
            margin: examples.balanced_accuracy(Guesser::Forest)?,
            network: called.map(|called| Confusion::count(called).balanced_accuracy()),
        }))
    }

    /// A warning if the network is not clearly better than the guess.
    pub(super) fn warning(&self) -> Option<String> {
        let network = self.network?;
        (network < self.margin + MIN_LEAD).then(|| {
            format!(
                "Among {}, with blasts and others counted the same, the network is right on {:.0} % and so, within \
                 {:.0} %, is a guess from the margin of the crops, which shows no cell, {:.0} %: these figures do not \
                 show that it looks at cells.",
                self.among.in_words(),
                network * 100.0,
                MIN_LEAD * 100.0,
                self.margin * 100.0
            )
        })
    }
}

impl fmt::Display for MarginGuess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "blast or not, {} ({} blasts, {} others): {:.3} from the margin of the crops",
            self.among.in_words(),
            self.blasts,
            self.others,
            self.margin
        )?;
        match self.network {
            Some(network) => write!(f, ", {network:.3} by the network"),
            None => Ok(()),
        }
    }
}
