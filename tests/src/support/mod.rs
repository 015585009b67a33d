//! What tests of several rooms share.

pub(crate) mod browser;
pub(crate) mod confinement;
pub(crate) mod datasets;
pub(crate) mod fake_rpicam;
pub(crate) mod http;
pub(crate) mod mosquitto;
pub(crate) mod name_space;
pub(crate) mod pictures;
mod programs;
mod project;
pub(crate) mod shading;
pub(crate) mod small_disk;
pub(crate) mod virtual_machine;

pub(crate) use programs::*;
pub(crate) use project::*;
