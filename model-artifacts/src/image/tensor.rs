//! The network's input tensor.

/// A dense 4-D tensor of `f32`, in the [layout](crate::Layout) of the model's input contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extents, outermost first: `[1, 3, height, width]` for NCHW, `[1, height, width, 3]` for NHWC.
    pub shape: [usize; 4],
    /// The elements in row-major order; their number is the product of `shape`.
    pub data: Vec<f32>,
}
