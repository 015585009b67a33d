//! How a training went, epoch by epoch.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The epochs of one training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct History {
    /// The epoch whose network was kept, from 1.
    pub(crate) best: usize,
    pub(crate) epochs: Vec<Epoch>,
}

/// One pass over the training images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Mean cross-entropy of the augmented training images, each before the step that used it.
    pub(crate) loss: f64,
    pub(crate) validation_loss: f64,
    pub(crate) validation_auroc: Option<f64>,
}

/// The validation figures, to be appended to a progress message.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let auroc = self.validation_auroc.unwrap_or(f64::NAN);
        let loss = self.validation_loss;
        write!(f, " · validation loss {loss:.3}, AUROC {auroc:.3}")
    }
}

/// The first epoch with the lowest validation loss, from 1; 0 without epochs.
pub(super) fn best_of(epochs: &[Epoch]) -> usize {
    let losses = epochs.iter().map(|epoch| epoch.validation_loss);
    let best = losses.zip(1..).min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(0, |(_, number)| number)
}
