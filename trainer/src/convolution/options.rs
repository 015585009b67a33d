//! How a convolution is applied.

use burn::tensor::ops::ConvOptions;

/// Position of the windows, and what is applied to their sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvolutionOptions {
    /// Distance between windows, in rows and columns.
    pub(crate) stride: usize,
    /// Zeros on each side; fewer than the kernel has rows or columns.
    pub(crate) padding: usize,
    pub(crate) activation: Option<Activation>,
}

/// A function applied to each sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// max(0, x)
    Relu,
}

impl ConvolutionOptions {
    /// The options in the framework's form.
    pub(super) fn for_backend(self) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1)
    }

    pub(super) fn activate(self, sum: f32) -> f32 {
        match self.activation {
            // `max` would turn NaN into zero and hide a failed training.
            Some(Activation::Relu) if sum <= 0.0 => 0.0,
            _ => sum,
        }
    }

    /// Gradient of a sum, from the gradient of its `output`.
    pub(super) fn gradient(self, gradient: f32, output: f32) -> f32 {
        match self.activation {
            Some(Activation::Relu) if output <= 0.0 => 0.0,
            _ => gradient,
        }
    }
}
