//! One picture, from bytes to verdict, and what the pictures of a slide say together.
//!
//! - [`analyst`]: decodes a picture, runs the gate and the model, and decides
//! - [`quality`]: the gate
//! - [`verdict`], [`finding`], [`slide`]: what comes out
//! - [`commit`]: who decides at the deadline
//! - [`recorder`]: analyses a frame and writes its record
//! - [`pool`]: analyses images from the network
//! - [`identity`]: the model as people are shown it

pub mod analyst;
pub mod commit;
pub mod finding;
pub mod identity;
pub(crate) mod pool;
pub mod quality;
pub mod recorder;
pub mod slide;
pub mod verdict;
