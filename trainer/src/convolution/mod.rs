//! Convolution with bias and activation as one differentiable operation, with its own implementation on
//! the CPU.

mod operation;
mod options;
mod padded;
mod passes;
mod product;

pub(crate) use operation::conv2d;
pub(crate) use options::{Activation, ConvolutionOptions};
