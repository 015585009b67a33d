//! From the bytes of a picture to the verdict on a field and on a slide.
//!
//! - [`analyst`]: decodes a picture, runs gate and model, and decides
//! - [`reading`]: what a model says about a picture; [`rule`]: how that becomes a verdict
//! - [`picture_scale`]: the size of a picture's pixels, and where it is known from
//! - `cell_overlay`: marks cells in a picture; `scale_bar`: draws one; both on a `canvas`
//! - `examples`: results for pictures of screens and for tests
//! - [`quality`]: the quality gate
//! - [`verdict`], [`finding`], [`slide`], [`stage_times`]: the results
//! - [`commit`]: whether a verdict is recorded or given up at the deadline
//! - [`recorder`]: analyses a frame and writes its record; `cores`: the threads that share the work
//! - `pool`: analyses images from the network
//! - [`identity`]: name of the model and engine

pub mod analyst;
pub(crate) mod canvas;
pub(crate) mod cell_overlay;
pub mod commit;
pub(crate) mod cores;
pub(crate) mod examples;
pub mod finding;
pub mod identity;
#[cfg(test)]
mod photographs;
pub mod picture_scale;
pub(crate) mod pool;
pub mod quality;
pub mod reading;
pub mod recorder;
pub mod rule;
pub(crate) mod scale_bar;
pub mod slide;
pub mod stage_times;
pub mod verdict;
