//! Networks as lists of operations, and the file formats they are written to and read from.

pub(crate) mod interpreter;
pub(crate) mod ir;
#[cfg(test)]
mod myriad;
mod nodes;
pub(crate) mod onnx;
pub(crate) mod precision;
mod shapes;
pub(crate) mod topology;

pub(crate) use nodes::{Graph, Value};
