//! The network's input.

/// A dense 4-D tensor of `f32`, in the layout that the model's input contract names.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extents, outermost first: `[1, 3, height, width]` for NCHW, `[1, height, width, 3]` for NHWC.
    pub shape: [usize; 4],
    /// The elements, row-major; as many as the product of `shape`.
    pub data: Vec<f32>,
}
