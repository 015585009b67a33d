//! Engines, which run a network behind one small trait.

pub(crate) mod classifier;
pub(crate) mod config;
#[cfg(any(feature = "openvino", feature = "ncs2"))]
mod elf;
mod embedded;
pub(crate) mod factory;
pub(crate) mod failover;
mod io_check;
mod kind;
#[cfg(feature = "ncs2")]
mod ncs2;
#[cfg(feature = "openvino")]
mod openvino;
