//! Pictures that show the same cells differently, so that a network learns the cells.

mod blur;
mod jitter;
mod paper;
mod tone;
mod warp;

pub(crate) use jitter::jitter;
pub(crate) use paper::{Transform, published};
