//! How a model's results become verdicts.

use smearscope_artifacts::{AnyModel, CountRule, DecisionRule, SlideRule};

/// The rule of a model of either kind, on a field and on a slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Of a model that judges whole fields.
    Field {
        /// How a probability becomes a verdict.
        decision: DecisionRule,
        /// How the log-odds of a slide's fields are combined.
        slide: SlideRule,
    },
    /// Of a model that counts cells.
    Cells(CountRule),
}

impl Rule {
    /// The rule of a model.
    pub fn of(model: &AnyModel) -> Self {
        match model {
            AnyModel::Field(model) => Self::Field {
                decision: model.manifest().model.decision,
                slide: model.manifest().model.slide,
            },
            AnyModel::Cells(model) => Self::Cells(model.manifest().model.count),
        }
    }

    /// The rule in words.
    pub fn words(&self) -> String {
        match self {
            Self::Field { decision, .. } => decision.words(),
            Self::Cells(count) => count.words(),
        }
    }

    /// How a probability becomes a verdict; `None` if cells are counted instead.
    pub fn decision(&self) -> Option<&DecisionRule> {
        match self {
            Self::Field { decision, .. } => Some(decision),
            Self::Cells(_) => None,
        }
    }

    /// How a count becomes a verdict; `None` if whole fields are judged instead.
    pub fn count(&self) -> Option<&CountRule> {
        match self {
            Self::Field { .. } => None,
            Self::Cells(count) => Some(count),
        }
    }
}
