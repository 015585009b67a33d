//! Learning to find cells and to name them.

mod cell_task;
pub(crate) mod cell_training;
pub(crate) mod crops;
mod density_jitter;
pub(crate) mod figures_rule;
mod finder_task;
pub(crate) mod finder_training;
pub(crate) mod found;
pub(crate) mod kinds;
pub(crate) mod mix;
pub(crate) mod novelty;
pub(crate) mod seen;
pub(crate) mod surroundings;
pub(crate) mod thresholds;
pub(crate) mod windows;
