//! A trained network as files that other programs run.

mod command;
mod graph;
pub(crate) mod interpreter;
pub(crate) mod ir;
#[cfg(test)]
mod myriad;
pub(crate) mod onnx;
mod precision;
mod shapes;

pub(crate) use command::{Precision, Recast};
pub(crate) use graph::{Graph, Value};
