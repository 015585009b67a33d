//! Augmentation: the same cells in other pictures.

mod blur;
mod jitter;
mod paper;
mod tone;
mod warp;

pub(crate) use jitter::{jitter, jitter_with_mask};
pub(crate) use paper::{Transform, published};
