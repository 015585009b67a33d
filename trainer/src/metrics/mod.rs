//! Figures of merit of probabilities against labels.

mod calibration_bins;
mod class_weights;
mod confusion;
mod evidence_place;
mod figures;
mod judged;
mod leaky;
mod log_loss;
mod ranking;

pub(crate) use calibration_bins::{BINS, Bin, bins};
pub(crate) use class_weights::ClassWeights;
pub(crate) use confusion::Confusion;
pub(crate) use evidence_place::{EvidenceFigures, EvidencePlace};
pub(crate) use figures::{AT_EVEN_CLASSES, figures, intervals};
pub(crate) use judged::{Judged, Scored};
pub(crate) use leaky::{figure_name, leaky_prefix, name_figures};
pub(crate) use log_loss::{cross_entropy, log_loss};
pub(crate) use ranking::{auroc, ordered, positives, scores, ties};
