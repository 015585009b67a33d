//! Networks as graphs of operations, and their file formats.

pub(crate) mod interpreter;
pub(crate) mod ir;
mod nodes;
pub(crate) mod onnx;
mod operation;
pub(crate) mod precision;
mod shapes;
pub(crate) mod topology;

pub(crate) use nodes::{Graph, Value};
