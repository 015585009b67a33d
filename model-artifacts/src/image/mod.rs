//! From the bytes of an image file to a network's input tensor.

pub(crate) mod all_idb;
pub(crate) mod contract;
pub mod decode;
pub(crate) mod extensions;
pub(crate) mod preprocess;
pub(crate) mod resample;
pub(crate) mod tensor;
pub(crate) mod weighted_sum;
