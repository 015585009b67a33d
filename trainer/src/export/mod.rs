//! A trained network as files that other programs run.

mod graph;
#[cfg(test)]
pub(crate) mod interpreter;
pub(crate) mod ir;
pub(crate) mod onnx;

pub(crate) use graph::{Graph, Value};
