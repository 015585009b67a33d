//! The networks that can be trained.

mod compact;
mod layers;
mod network;
mod reference;

pub(crate) use network::{Architecture, Choice, EVIDENCE, Network, POSITIVE, PROBABILITY, floats};
