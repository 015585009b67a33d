//! The network of the paper that the reference project follows: two convolutions, max pooling and a
//! linear head over all positions.

use burn::module::Module;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use smearscope_artifacts::{Colour, InputContract};

use super::classifier::{CHANNELS, CLASSES, Classifier, EVIDENCE, POSITIVE, contract};
use super::layers::{Convolution, Filters, Head, glorot};
use crate::graph::{Graph, Value};

/// The size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Columns and rows of the input; even.
    pub(crate) side: usize,
    /// Filters of each convolution.
    pub(crate) filters: usize,
}

const KERNEL: usize = 5;
const POOL: usize = 2;

impl Size {
    pub(crate) const PAPER: Self = Self {
        side: 100,
        filters: 30,
    };

    /// Centres values on the brightness of a bright field.
    pub(super) fn contract(self, colour: Colour) -> InputContract {
        contract(self.side, colour, [0.7, 0.15])
    }

    /// Rows and columns after pooling.
    fn pooled(self) -> usize {
        self.side / POOL
    }

    fn features(self) -> usize {
        self.filters * self.pooled() * self.pooled()
    }
}

#[derive(Module, Debug)]
pub(super) struct Reference {
    first: Convolution,
    second: Convolution,
    head: Head,
    #[module(skip)]
    size: Size,
}

impl Reference {
    /// Initialises weights like Keras.
    pub(super) fn init(size: Size, rng: &mut impl Rng, device: &Device) -> Self {
        let convolution = |channels: usize, rng: &mut _| {
            let window = KERNEL * KERNEL;
            let limit = glorot(channels * window, size.filters * window);
            let filters = Filters {
                channels,
                count: size.filters,
                side: KERNEL,
                stride: 1,
            };
            Convolution::init(filters, limit, rng, device)
        };
        Self {
            first: convolution(CHANNELS, rng),
            second: convolution(size.filters, rng),
            head: Head::init([size.features(), CLASSES], POSITIVE, rng, device),
            size,
        }
    }
}

impl Classifier for Reference {
    fn features(&self, input: Tensor<4>) -> Tensor<4> {
        let second = self.second.forward(self.first.forward(input));
        max_pool2d(second, MaxPoolOptions::new([POOL, POOL]))
    }

    fn logits(&self, features: Tensor<4>) -> Tensor<2> {
        self.head.forward(features.flatten::<2>(1, 3))
    }

    fn margins(&self, features: Tensor<4>) -> Tensor<1> {
        self.head.margins(self.logits(features))
    }

    /// The product of each position's features with their weights in the head, summed over filters.
    fn evidence(&self, features: Tensor<4>) -> Tensor<4> {
        let [_, filters, rows, columns] = features.dims();
        let weight = self.head.contrast().reshape([1, filters, rows, columns]);
        (features * weight).sum_dim(1)
    }

    fn device(&self) -> Device {
        self.head.device()
    }

    fn folded(self) -> Self {
        // It has no normalisation.
        self
    }

    fn export(&self, graph: &mut Graph, image: Value) {
        let Size { filters, .. } = self.size;
        let pooled = self.size.pooled();
        let first = self.first.export(graph, "first", image);
        let second = self.second.export(graph, "second", first);
        let features = graph.max_pool("features", second, POOL);
        let flat = graph.reshape("head/flat", features, &[1, self.size.features()]);
        let contrast = self.head.export(graph, flat);
        let weight = graph.reshape("evidence/weight", contrast, &[1, filters, pooled, pooled]);
        let weighted = graph.multiply("evidence/weighted", features, weight);
        let evidence = graph.sum_channels(EVIDENCE, weighted);
        graph.result(evidence);
    }

    #[cfg(test)]
    fn offset(&self) -> f32 {
        self.head.offset()
    }

    #[cfg(test)]
    fn shift_biases(&mut self) {
        self.first.shift();
        self.second.shift();
        self.head.shift();
    }
}

#[cfg(test)]
mod tests {
    use super::super::architecture::Architecture;
    use super::super::network::Network;
    use super::*;

    #[test]
    fn the_paper_s_network_has_174_812_parameters() {
        let network = Network::init(Architecture::REFERENCE, 1, &Device::flex());
        assert_eq!(network.num_params(), 174_812);
    }
}
