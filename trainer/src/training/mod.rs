//! From samples to trained networks and held-out predictions.

mod batch;
mod calibration;
mod checkpoint;
mod device;
mod domain;
mod folds;
mod history;
mod learner;
mod plan;
mod prediction;
mod protocol;
mod score;
mod train;

pub(crate) use batch::{Batch, Numbered, each_prepared};
pub(crate) use calibration::Targets;
pub(crate) use checkpoint::{Checkpoints, JobDescription};
pub(crate) use device::{device_name, parse_device};
pub(crate) use domain::measure_domain;
pub(crate) use folds::Folds;
pub(crate) use history::{Epoch, History};
pub(crate) use learner::Learner;
pub(crate) use plan::Plan;
pub(crate) use prediction::Prediction;
pub(crate) use protocol::{Outcome, Protocol};
pub(crate) use score::score;
