//! The networks that can be trained.

mod architecture;
mod classifier;
mod compact;
mod layers;
#[cfg(test)]
mod myriad;
mod network;
mod reference;
mod tensors;

pub(crate) use architecture::Architecture;
pub(crate) use classifier::{EVIDENCE, POSITIVE, PROBABILITY};
pub(crate) use network::Network;
pub(crate) use tensors::floats;
