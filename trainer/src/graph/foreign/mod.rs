//! A third party's network: what it takes and gives, and its files adapted to a model folder.

pub(crate) mod ir;
pub(crate) mod onnx;
mod topology;

pub(crate) use topology::{Adaptation, PROBABILITY, Wanted};
