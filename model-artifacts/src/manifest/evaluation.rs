//! The figures of a model's evaluation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::validation::{FieldError, check_between, check_line, check_text};

/// Performance measured on images that the network was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Description of the evaluation images.
    pub dataset: String,
    /// How training and evaluation images were separated.
    pub protocol: String,
    /// Number of evaluated images with lymphoblasts.
    pub positives: u32,
    /// Number of evaluated images without lymphoblasts.
    pub negatives: u32,
    /// Figures by name (`accuracy`, `sensitivity`, `specificity`, `auroc`, …), each 0 to 1.
    pub figures: BTreeMap<String, f64>,
    /// `[low, high]` of a figure's 95 % interval, for the figures that have one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// Reasons to doubt the figures, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Evaluation {
    /// Refuses the first field with an invalid value.
    pub(super) fn check(&self) -> Result<(), FieldError> {
        check_text("evaluation.dataset", &self.dataset)?;
        check_text("evaluation.protocol", &self.protocol)?;
        for warning in &self.warnings {
            check_text("evaluation.warnings", warning)?;
        }
        for (name, figure) in &self.figures {
            check_line("evaluation.figures", name)?;
            let field = format!("evaluation.figures.{name}");
            check_between(&field, *figure, 0.0..=1.0)?;
            if self.positives == 0 && self.negatives == 0 {
                return Err(FieldError::new(
                    field,
                    "was measured on no images",
                    "set evaluation.positives and evaluation.negatives, or remove the figure",
                ));
            }
        }
        for (name, [low, high]) in &self.intervals {
            check_line("evaluation.intervals", name)?;
            let field = format!("evaluation.intervals.{name}");
            if !self.figures.contains_key(name) {
                let problem = format!("has no figure evaluation.figures.{name}");
                return Err(FieldError::invalid(field, problem));
            }
            if !(0.0 <= *low && low <= high && *high <= 1.0) {
                let problem = format!("must be an interval within 0 to 1, it is {low} to {high}");
                return Err(FieldError::invalid(field, problem));
            }
        }
        Ok(())
    }
}
