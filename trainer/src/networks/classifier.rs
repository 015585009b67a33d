//! What all networks share: input, classes, outputs and operations.

use burn::tensor::{Device, Tensor};
use smearscope_artifacts::{ChannelOrder, Colour, InputContract, Layout, ResizeFilter};

use crate::graph::{Graph, Value};

pub(super) const CHANNELS: usize = 3;
pub(super) const CLASSES: usize = 2;
/// About the mean and the deviation of relative densities in fields.
const DENSITY: [f32; 2] = [0.2, 0.3];
/// Index of the positive class in the logits.
pub(crate) const POSITIVE: usize = 1;
/// Name of the softmax output.
pub(crate) const PROBABILITY: &str = "probability";
/// Name of the evidence output.
pub(crate) const EVIDENCE: &str = "evidence";

/// An input of these samples, whose levels have this mean and deviation; images are resized to a square.
pub(super) fn contract(side: usize, colour: Colour, [mean, std]: [f32; 2]) -> InputContract {
    let (scale, [mean, std]) = match colour {
        Colour::Rgb => (1.0 / 255.0, [mean, std]),
        Colour::Grey | Colour::Density => (1.0, DENSITY),
    };
    InputContract {
        width: side as u32,
        height: side as u32,
        channels: ChannelOrder::Rgb,
        layout: Layout::Nchw,
        resize: ResizeFilter::Area,
        colour,
        scale,
        mean: [mean; 3],
        std: [std; 3],
    }
}

/// The operations of a network: features of each position, and a linear head.
pub(super) trait Classifier {
    /// `[n, 3, side, side]` to the maps that the head sees, `[n, features, rows, columns]`.
    fn features(&self, input: Tensor<4>) -> Tensor<4>;

    /// Features to logits, `[n, 2]`.
    fn logits(&self, features: Tensor<4>) -> Tensor<2>;

    /// Features to logit margins (positive − negative), `[n]`.
    fn margins(&self, features: Tensor<4>) -> Tensor<1>;

    /// Features to the contribution of each position to the margin, `[n, 1, rows, columns]`. The sum of all
    /// plus the difference of the head's biases is the margin.
    fn evidence(&self, features: Tensor<4>) -> Tensor<4>;

    /// The device of the weights.
    fn device(&self) -> Device;

    /// The same network in evaluation, with normalisations folded into the convolutions.
    fn folded(self) -> Self
    where
        Self: Sized;

    /// Adds the network to a graph, from the image to the outputs `probability` and `evidence`.
    fn export(&self, graph: &mut Graph, image: Value);

    /// The difference of the head's biases.
    #[cfg(test)]
    fn offset(&self) -> f32;

    #[cfg(test)]
    fn shift_biases(&mut self);
}
