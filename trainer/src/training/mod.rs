//! From samples to trained networks and held-out predictions.

pub(crate) mod batch;
pub(crate) mod calibration;
pub(crate) mod checkpoint;
pub(crate) mod device;
pub(crate) mod domain;
pub(crate) mod protocol;
pub(crate) mod train;
