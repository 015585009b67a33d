//! From the bytes of an image file to a network's input tensor.

pub(crate) mod all_idb;
pub(crate) mod background;
pub(crate) mod contract;
pub mod decode;
pub(crate) mod density;
pub(crate) mod extensions;
pub(crate) mod flat_field;
pub(crate) mod logarithms;
pub(crate) mod preprocess;
mod relative_density;
pub(crate) mod resample;
pub(crate) mod tensor;
pub(crate) mod weighted_sum;
