//! How a training went, epoch by epoch.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Prefix of the names of validation figures.
const VALIDATION: &str = "validation_";

/// The epochs of one training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct History {
    /// The epoch whose network was kept, from 1.
    pub(crate) best: usize,
    pub(crate) epochs: Vec<Epoch>,
    /// How long each epoch took; not part of the report, which the same training reproduces.
    #[serde(skip)]
    pub(crate) seconds: Vec<f64>,
}

/// One pass over the training examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// The learning rate of its last step.
    pub(crate) learning_rate: f64,
    /// Mean loss of the training examples, augmented if they are, each before the step that used it.
    pub(crate) loss: f64,
    pub(crate) validation_loss: f64,
    /// Other figures of the validation examples, by names that begin with `validation_`; none if it is
    /// undefined.
    #[serde(flatten)]
    pub(crate) figures: BTreeMap<String, Option<f64>>,
}

/// The judgement of a network on validation examples.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Validation {
    /// The lowest one chooses the epoch.
    pub(crate) loss: f64,
    /// Figures by name; none if it is undefined.
    pub(crate) figures: Vec<(&'static str, Option<f64>)>,
}

impl Epoch {
    pub(super) fn of(learning_rate: f64, loss: f64, validation: Validation) -> Self {
        let figures = validation.figures.into_iter();
        Self {
            learning_rate,
            loss,
            validation_loss: validation.loss,
            figures: figures
                .map(|(name, figure)| (format!("{VALIDATION}{name}"), figure))
                .collect(),
        }
    }

    /// A figure of the validation examples.
    pub(crate) fn validation(&self, name: &str) -> Option<f64> {
        *self.figures.get(&format!("{VALIDATION}{name}"))?
    }
}

#[cfg(test)]
impl Epoch {
    /// An epoch of a network for fields.
    pub(crate) fn example(loss: f64, validation_loss: f64, auroc: Option<f64>) -> Self {
        let validation = Validation {
            loss: validation_loss,
            figures: vec![("auroc", auroc)],
        };
        Self::of(1e-3, loss, validation)
    }
}

/// The validation figures, to be appended to a progress message.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " · validation loss {:.3}", self.validation_loss)?;
        self.figures.iter().try_for_each(|(name, figure)| {
            let name = name.strip_prefix(VALIDATION).unwrap_or(name);
            write!(f, ", {name} {:.3}", figure.unwrap_or(f64::NAN))
        })
    }
}

/// The first epoch with the lowest validation loss, from 1; 0 without epochs.
pub(super) fn best_of(epochs: &[Epoch]) -> usize {
    let losses = epochs.iter().map(|epoch| epoch.validation_loss);
    let best = losses.zip(1..).min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(0, |(_, number)| number)
}
