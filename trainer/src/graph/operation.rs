//! The operations of a network: only those that OpenVINO's first operation set and ONNX share, so that
//! runtimes of any age read them.

use half::f16;

/// What a node computes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    /// An input of the network.
    Parameter,
    Weights(Vec<f32>),
    /// Weights in half precision.
    HalfWeights(Vec<f16>),
    /// 8-bit weights, to be multiplied with a scale.
    ByteWeights(Vec<i8>),
    /// Conversion to single precision.
    Convert,
    /// Rounds to a number of levels between two limits. Inputs: tensor, low and high limit of the
    /// input, low and high limit of the output.
    FakeQuantise {
        levels: usize,
    },
    /// The shape or the axes for another operation.
    Integers(Vec<i64>),
    /// Two-dimensional, with zero padding on all sides. Inputs: image, kernel.
    Convolution {
        stride: usize,
        padding: usize,
    },
    /// With a square window and a stride of the same size.
    MaxPool {
        window: usize,
    },
    /// Mean over rows and columns, whose axes are kept with extent 1.
    GlobalAveragePool,
    /// With broadcasting.
    Add,
    /// With broadcasting.
    Multiply,
    MatMul,
    Relu,
    Sigmoid,
    /// Inputs: tensor, shape.
    Reshape,
    /// Repeats along each axis. Inputs: tensor, numbers of repeats.
    Tile,
    /// Along the last axis.
    Softmax,
    /// The axes are kept with extent 1. Inputs: tensor, axes.
    ReduceSum,
    /// An output of the network.
    Result,
}
