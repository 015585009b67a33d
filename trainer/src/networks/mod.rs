//! The networks that can be trained.

mod architecture;
pub(crate) mod cell;
mod classifier;
mod compact;
mod cross_entropy;
mod evidence_target;
pub(crate) mod finder;
mod layers;
#[cfg(test)]
mod myriad;
mod network;
mod norm;
mod pooled_head;
mod reference;
mod stack;
mod tensors;
#[cfg(test)]
mod testing;

pub(crate) use architecture::Architecture;
pub(crate) use classifier::{EVIDENCE, POSITIVE, PROBABILITY};
pub(crate) use evidence_target::EvidenceTarget;
pub(crate) use network::Network;
pub(crate) use pooled_head::FEATURES;
pub(crate) use tensors::floats;
