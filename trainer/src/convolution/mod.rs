//! Convolution with bias and activation.

mod operation;
mod padded;
mod passes;
mod product;

pub(crate) use operation::{Activation, Convolution, conv2d};
