//! Figures of merit: of probabilities against labels, and of the cells that are found and named in fields.

mod blast_ranking;
mod blast_rates;
mod bootstrap;
mod calibration_bins;
mod called_cell;
mod class_weights;
mod confusion;
mod detection;
mod evidence_place;
mod figures;
mod judged;
mod kind_calls;
mod leaky;
mod log_loss;
mod quantile;
mod ranking;
mod ruler;
mod slide_coverage;

pub(crate) use blast_ranking::{blast_auroc_intervals, blast_aurocs};
pub(crate) use blast_rates::BlastRates;
pub(crate) use calibration_bins::{BINS, Bin, bins};
pub(crate) use called_cell::CalledCell;
pub(crate) use class_weights::ClassWeights;
pub(crate) use confusion::Confusion;
pub(crate) use detection::{Detection, DetectionFigures, Target};
pub(crate) use evidence_place::{EvidenceFigures, EvidencePlace};
pub(crate) use figures::{AT_EVEN_CLASSES, figures, intervals};
pub(crate) use judged::{Judged, Scored};
pub(crate) use kind_calls::KindCalls;
pub(crate) use leaky::{figure_name, leaky_prefix, name_figures};
pub(crate) use log_loss::{cross_entropy, log_loss};
pub(crate) use quantile::quantile;
pub(crate) use ranking::{auroc, ordered, positives, scores, ties};
pub(crate) use ruler::RulerFigures;
pub(crate) use slide_coverage::SlideCoverage;
