//! The verdict on a field of view or a slide, and the reason for an inconclusive one.

use std::fmt;

use smearscope_artifacts::{Decision, Verdict};

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
    /// The field could not be saved, so it does not count.
    NotSaved,
}

impl Reason {
    /// What the operator can do about it.
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
