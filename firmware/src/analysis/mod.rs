//! From the bytes of a picture to the verdict on a field and on a slide.
//!
//! - [`analyst`]: decodes a picture, runs gate and model, and decides
//! - `cells`: the same with a model that counts cells; `cell_overlay` marks them in the picture
//! - [`quality`]: the quality gate
//! - [`verdict`], [`finding`], [`slide`], [`stage_times`]: the results
//! - [`commit`]: whether a verdict is recorded or given up at the deadline
//! - [`recorder`]: analyses a frame and writes its record
//! - `pool`: analyses images from the network
//! - [`identity`]: name of the model and engine

pub mod analyst;
pub(crate) mod cell_overlay;
pub(crate) mod cells;
pub mod commit;
pub mod finding;
pub mod identity;
#[cfg(test)]
mod photographs;
pub(crate) mod pool;
pub mod quality;
pub mod recorder;
pub mod slide;
pub mod stage_times;
pub mod verdict;
