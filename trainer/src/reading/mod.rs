//! How an image becomes the input of a third party's network: stated by the user, or found by trial.

mod encoding;
mod stated;
mod trial;

pub(crate) use stated::Stated;
pub(crate) use trial::{Trial, Trials};
