//! The verdict on a field of view or a slide, and the reason for an inconclusive one.

use std::fmt;

use smearscope_artifacts::{CellCount, CountDecision, Decision, Verdict};

use crate::analysis::quality::Problem;

/// A verdict on a field of view or a slide. Only an inconclusive one has a reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    verdict: Verdict,
    reason: Option<Reason>,
}

impl Judgement {
    /// The model finds lymphoblasts.
    pub const POSITIVE: Self = Self {
        verdict: Verdict::Positive,
        reason: None,
    };
    /// The model finds no lymphoblasts.
    pub const NEGATIVE: Self = Self {
        verdict: Verdict::Negative,
        reason: None,
    };

    /// An inconclusive verdict with its reason.
    pub const fn inconclusive(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            reason: Some(reason),
        }
    }

    /// The judgement for a model's decision.
    pub fn of(decision: &Decision) -> Self {
        match decision.verdict {
            Verdict::Positive => Self::POSITIVE,
            Verdict::Negative => Self::NEGATIVE,
            Verdict::Inconclusive => Self::inconclusive(Reason::Undecided),
        }
    }

    /// The judgement for a count of leukocytes.
    pub fn of_count(decision: &CountDecision) -> Self {
        let CellCount { cells, unclear, .. } = decision.count;
        match decision.verdict {
            Verdict::Positive => Self::POSITIVE,
            Verdict::Negative => Self::NEGATIVE,
            Verdict::Inconclusive if decision.is_obscured => {
                Self::inconclusive(Reason::UnclearCells {
                    unclear,
                    of: cells.saturating_add(unclear),
                })
            }
            Verdict::Inconclusive if cells == 0 => Self::inconclusive(Reason::NoLeukocytes),
            Verdict::Inconclusive if cells < decision.rule.min_cells => {
                Self::inconclusive(Reason::TooFewCells {
                    counted: cells,
                    needed: decision.rule.min_cells,
                })
            }
            Verdict::Inconclusive => Self::inconclusive(Reason::Undecided),
        }
    }

    /// The verdict without its reason.
    pub const fn verdict(self) -> Verdict {
        self.verdict
    }

    /// Why the verdict is inconclusive; `None` otherwise.
    pub const fn reason(self) -> Option<Reason> {
        self.reason
    }
}

/// Why a verdict is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// The quality gate refused the picture.
    Quality(Problem),
    /// The probability is in the model's inconclusive band.
    Undecided,
    /// The slide needs this many more fields.
    TooFewFields(u32),
    /// The size of a pixel is not known, so that cells cannot be measured.
    UnknownScale,
    /// Pixels are too large to tell cells apart.
    TooCoarse,
    /// The stated size of a pixel cannot be that of a field of this size.
    ImpossibleScale,
    /// No leukocyte was found.
    NoLeukocytes,
    /// So many leukocytes are unclear that the others allow no verdict.
    UnclearCells {
        /// Number of unclear ones.
        unclear: u32,
        /// Number of all.
        of: u32,
    },
    /// Fewer leukocytes were counted than a negative verdict needs.
    TooFewCells {
        /// Number of leukocytes.
        counted: u32,
        /// Number that a negative verdict needs.
        needed: u32,
    },
    /// The field could not be saved, so it does not count.
    NotSaved,
}

impl Reason {
    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Quality(problem) => problem.hint(),
            Self::Undecided => "try another field",
            Self::TooFewFields(_) | Self::TooFewCells { .. } => "add fields of this slide",
            Self::UnknownScale => "state the size of a pixel in µm",
            Self::ImpossibleScale => "state the right size of a pixel in µm",
            Self::UnclearCells { .. } => "look at them; add fields of this slide",
            Self::TooCoarse => "use an objective of higher power",
            Self::NoLeukocytes => "no white cells here: move on",
            Self::NotSaved => "check the disk, then take it again",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quality(problem) => problem.fmt(f),
            Self::Undecided => f.write_str("the model is not sure"),
            Self::TooFewFields(1) => f.write_str("one field too few"),
            Self::TooFewFields(missing) => write!(f, "{missing} fields too few"),
            Self::UnknownScale => f.write_str("scale unknown"),
            Self::ImpossibleScale => f.write_str("the scale cannot be right"),
            Self::UnclearCells { unclear, of } => {
                write!(f, "{unclear} of {of} leukocytes are unclear")
            }
            Self::TooCoarse => f.write_str("the pixels are too large"),
            Self::NoLeukocytes => f.write_str("no leukocytes"),
            Self::TooFewCells { counted, needed } => write!(f, "{counted} of {needed} cells"),
            Self::NotSaved => f.write_str("not saved, does not count"),
        }
    }
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::{BlastCalls, CountRule};

    use super::*;

    #[test]
    fn a_count_says_what_it_lacks() {
        let rule = CountRule {
            share: 0.05,
            min_cells: 200,
            sensitivity: BlastCalls {
                called: 380,
                of: 400,
            },
            false_positives: BlastCalls {
                called: 40,
                of: 4000,
            },
        };
        let judged = |cells, blasts, unclear| {
            let count = CellCount {
                cells,
                blasts,
                unclear,
            };
            let judgement = Judgement::of_count(&rule.decide(count));
            judgement.reason().map_or_else(
                || judgement.verdict().to_string(),
                |reason| reason.to_string(),
            )
        };
        assert_eq!(judged(0, 0, 0), "no leukocytes");
        // A field of unclear cells is not one to move on from.
        assert_eq!(judged(0, 0, 7), "7 of 7 leukocytes are unclear");
        assert_eq!(judged(400, 0, 40), "40 of 440 leukocytes are unclear");
        assert_eq!(judged(63, 0, 20), "63 of 200 cells");
        assert_eq!(judged(400, 0, 0), "Negative");
        assert_eq!(judged(400, 24, 0), "the model is not sure");
        assert_eq!(judged(40, 30, 0), "Positive");
    }
}
