//! Engines, which run a network behind one small trait.

pub(crate) mod config;
#[cfg(any(feature = "openvino", feature = "ncs2"))]
mod elf;
mod embedded;
pub(crate) mod factory;
pub(crate) mod failover;
pub(crate) mod interface;
mod io_check;
mod kind;
pub(crate) mod loader;
#[cfg(feature = "ncs2")]
mod ncs2;
pub(crate) mod network;
pub(crate) mod network_files;
#[cfg(feature = "openvino")]
mod openvino;
