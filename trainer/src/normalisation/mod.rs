//! Batch normalisation with a ReLU as one differentiable operation, with its own implementation on the
//! CPU.

mod operation;
mod passes;

pub(crate) use operation::{BatchNormalised, batch_norm_relu};
pub(crate) use passes::EPSILON;
