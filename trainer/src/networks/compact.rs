//! A network for small processors: strided convolutions, global average pooling and a linear head.
//!
//! Pooling (Lin et al. 2014, "Network In Network") makes the result independent of where the cells are;
//! since it is linear, the evidence of each position is exact. Compared with the paper's network, this
//! one sees more pixels with a sixteenth of the multiplications and a tenth of the parameters. All
//! runtimes support its operations: convolution, ReLU, mean and matrix product.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use smearscope_artifacts::InputContract;

use super::classifier::{CHANNELS, Classifier, EVIDENCE, contract};
use super::layers::{Convolution, Filters, Head, he};
use crate::graph::{Graph, Value};

/// The size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Columns and rows of the input; a multiple of [`DOWNSAMPLING`].
    pub(crate) side: usize,
    /// Filters of the convolutions, in units of four.
    pub(crate) width: usize,
}

/// Kernel, stride and filters (times the width) of each convolution.
const CONVOLUTIONS: [(usize, usize, usize); 5] =
    [(5, 2, 2), (3, 2, 4), (3, 1, 6), (3, 2, 7), (3, 1, 6)];
/// Pixels of the input, per side, for each position of the evidence.
const DOWNSAMPLING: usize = 8;

impl Size {
    pub(crate) const PI: Self = Self {
        side: 160,
        width: 4,
    };

    /// Centres values between background and nuclei.
    pub(super) fn contract(self) -> InputContract {
        contract(self.side, [0.7; 3], [0.2; 3])
    }

    fn positions(self) -> usize {
        (self.side / DOWNSAMPLING).pow(2)
    }
}

#[derive(Module, Debug)]
pub(super) struct Compact {
    convolutions: Vec<Convolution>,
    head: Head,
    #[module(skip)]
    size: Size,
}

impl Compact {
    pub(super) fn init(size: Size, rng: &mut impl Rng, device: &Device) -> Self {
        let mut channels = CHANNELS;
        let convolutions = CONVOLUTIONS
            .iter()
            .map(|&(side, stride, filters)| {
                let filters = Filters {
                    channels,
                    count: filters * size.width,
                    side,
                    stride,
                };
                let limit = he(channels * side * side);
                channels = filters.count;
                Convolution::init(filters, limit, rng, device)
            })
            .collect();
        Self {
            convolutions,
            head: Head::init(channels, rng, device),
            size,
        }
    }

    /// `[n, 3, side, side]` to `[n, filters, side/8, side/8]`.
    fn features(&self, input: Tensor<4>) -> Tensor<4> {
        let convolutions = self.convolutions.iter();
        convolutions.fold(input, |input, convolution| convolution.forward(input))
    }
}

impl Classifier for Compact {
    fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let features: Tensor<3> = self.features(input).flatten(2, 3);
        self.head.forward(features.mean_dim(2).flatten(1, 2))
    }

    /// The contribution of each position to the mean.
    fn evidence(&self, input: Tensor<4>) -> Tensor<4> {
        let features = self.features(input);
        let [_, filters, rows, columns] = features.dims();
        let weight = self.head.difference().reshape([1, filters, 1, 1]);
        (features * weight).sum_dim(1) / (rows * columns) as f64
    }

    fn device(&self) -> Device {
        self.head.device()
    }

    fn export(&self, graph: &mut Graph, image: Value) {
        let numbered = self.convolutions.iter().zip(1..);
        let features = numbered.fold(image, |input, (convolution, number)| {
            convolution.export(graph, &format!("convolution{number}"), input)
        });
        let [_, filters, ..] = graph.node(features).shape[..] else {
            return;
        };
        let mean = graph.global_average_pool("mean", features);
        let flat = graph.reshape("head/flat", mean, &[1, filters]);
        let difference = self.head.export(graph, flat);
        let share = 1.0 / self.size.positions() as f32;
        let share = graph.weights("evidence/share", &[1, 1], vec![share]);
        let weight = graph.multiply("evidence/scaled", difference, share);
        let weight = graph.reshape("evidence/weight", weight, &[1, filters, 1, 1]);
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
        self.convolutions.iter_mut().for_each(Convolution::shift);
        self.head.shift();
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn it_is_a_tenth_of_the_reference_network() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let network = Compact::init(Size::PI, &mut rng, &Device::flex());
        let parameters = network.num_params();
        assert!(parameters <= 17_481, "{parameters}");
        let mut side = Size::PI.side;
        let mut multiplications = 0;
        for (convolution, (_, stride, _)) in network.convolutions.iter().zip(CONVOLUTIONS) {
            side /= stride;
            multiplications += convolution.multiplications(side * side);
        }
        assert!(multiplications <= 25_000_000, "{multiplications}");
    }
}
