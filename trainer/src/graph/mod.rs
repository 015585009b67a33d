//! Networks as graphs of operations, and their file formats.

pub(crate) mod foreign;
pub(crate) mod interpreter;
pub(crate) mod ir;
mod nodes;
pub(crate) mod onnx;
mod onnx_messages;
mod operation;
pub(crate) mod precision;
mod shapes;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use nodes::{Graph, Value};
