//! From samples to trained networks and held-out predictions.

mod batch;
mod calibration;
pub(crate) mod cells;
mod checkpoint;
mod covariance;
mod device;
mod domain;
mod field_task;
mod folds;
mod history;
mod learner;
pub(crate) mod plan;
mod prediction;
mod prefetch;
mod protocol;
pub(crate) mod schedule;
mod score;
mod settings;
mod task;
#[cfg(test)]
mod testing;
mod train;

pub(crate) use batch::{Batch, Numbered};
pub(crate) use calibration::Targets;
pub(crate) use checkpoint::{Checkpoints, JobDescription};
pub(crate) use device::{device_name, parse_device};
pub(crate) use domain::measure_domain;
pub(crate) use folds::Folds;
pub(crate) use history::{Epoch, History};
pub(crate) use learner::Learner;
pub(crate) use plan::Plan;
pub(crate) use prediction::Prediction;
pub(crate) use prefetch::each_prepared;
pub(crate) use protocol::{Outcome, Protocol};
pub(crate) use score::score;
pub(crate) use train::Training;
