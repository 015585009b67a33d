//! Tensors as plain numbers.

use burn::tensor::Tensor;

/// The elements of a tensor, row-major.
pub(crate) fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
