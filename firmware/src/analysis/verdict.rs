//! What the appliance says about a field of view, or about a slide.

use std::fmt;

use smearscope_artifacts::{self as artifacts, Decision};

use crate::analysis::quality::Problem;

/// The verdict on a field of view, or on a slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The model finds lymphoblasts.
    Positive,
    /// The model finds none.
    Negative,
    /// No verdict can be given.
    Inconclusive(Reason),
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// The picture cannot be judged.
    Quality(Problem),
    /// The probability lies where the model is not sure enough.
    Undecided,
    /// The slide needs so many fields more.
    TooFewFields(u32),
    /// The field could not be recorded, so it does not count.
    NotSaved,
}

impl Verdict {
    /// What the model's decision means.
    pub fn of(decision: &Decision) -> Self {
        match decision.verdict {
            artifacts::Verdict::Positive => Self::Positive,
            artifacts::Verdict::Negative => Self::Negative,
            artifacts::Verdict::Inconclusive => Self::Inconclusive(Reason::Undecided),
        }
    }

    /// `Positive`, `Negative` or `Inconclusive`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Positive => "Positive",
            Self::Negative => "Negative",
            Self::Inconclusive(_) => "Inconclusive",
        }
    }

    /// Why there is no verdict, if there is none.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Inconclusive(reason) => Some(*reason),
            _ => None,
        }
    }
}

impl Reason {
    /// What the operator can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Quality(problem) => problem.hint(),
            Self::Undecided => "try another field",
            Self::TooFewFields(_) => "add fields of this slide",
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
            Self::NotSaved => f.write_str("not saved, does not count"),
        }
    }
}
