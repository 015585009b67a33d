//! Long runs with faults.

pub(crate) mod power_cut;
mod ribbon_camera;
mod soak;
