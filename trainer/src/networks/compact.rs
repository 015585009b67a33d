//! A network for small processors: strided, normalised convolutions, global average pooling and a linear
//! head.
//!
//! Compared with the paper's network, this one sees more pixels with a seventeenth of the multiplications
//! and a tenth of the parameters. All runtimes support its operations: convolution, ReLU, mean and
//! matrix product.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use smearscope_artifacts::{Colour, InputContract};

use super::classifier::{CHANNELS, CLASSES, Classifier, POSITIVE, contract};
use super::pooled_head::PooledHead;
use super::stack::{Block, Stack};
use crate::graph::{Graph, Value};

/// The size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Columns and rows of the input; a multiple of 8, the product of all strides.
    pub(crate) side: usize,
    /// Filters of the convolutions, in units of four.
    pub(crate) width: usize,
}

/// Kernel, stride and filters (times the width) of each convolution. Even kernels where the stride is
/// even: each position is then centred on its pixels, and the evidence lies where its cause is.
const CONVOLUTIONS: [Block; 5] = [(4, 2, 2), (4, 2, 4), (3, 1, 5), (4, 2, 5), (3, 1, 6)];

impl Size {
    pub(crate) const PI: Self = Self {
        side: 160,
        width: 4,
    };

    /// Centres values between background and nuclei.
    pub(super) fn contract(self, colour: Colour) -> InputContract {
        contract(self.side, colour, [0.7, 0.2])
    }
}

#[derive(Module, Debug)]
pub(super) struct Compact {
    convolutions: Stack,
    head: PooledHead,
}

impl Compact {
    pub(super) fn init(size: Size, rng: &mut impl Rng, device: &Device) -> Self {
        let blocks = CONVOLUTIONS.map(|(side, stride, count)| (side, stride, count * size.width));
        let features = blocks[blocks.len() - 1].2;
        Self {
            convolutions: Stack::init(CHANNELS, blocks, rng, device),
            head: PooledHead::init([features, CLASSES], POSITIVE, rng, device),
        }
    }
}

impl Classifier for Compact {
    fn features(&self, input: Tensor<4>) -> Tensor<4> {
        self.convolutions.forward(input)
    }

    fn logits(&self, features: Tensor<4>) -> Tensor<2> {
        self.head.logits(features)
    }

    fn margins(&self, features: Tensor<4>) -> Tensor<1> {
        self.head.margins(features)
    }

    fn evidence(&self, features: Tensor<4>) -> Tensor<4> {
        self.head.evidence(features)
    }

    fn device(&self) -> Device {
        self.head.device()
    }

    fn folded(self) -> Self {
        Self {
            convolutions: self.convolutions.folded(),
            ..self
        }
    }

    fn export(&self, graph: &mut Graph, image: Value) {
        let features = self.convolutions.export(graph, "convolution", image);
        self.head.export(graph, features);
    }

    #[cfg(test)]
    fn offset(&self) -> f32 {
        self.head.offset()
    }

    #[cfg(test)]
    fn shift_biases(&mut self) {
        self.convolutions.shift();
        self.head.shift();
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::classifier::PROBABILITY;
    use super::super::tensors::floats;
    use super::super::testing::{images, values, varied};
    use super::*;
    use crate::graph::interpreter;

    #[test]
    fn it_is_a_tenth_of_the_reference_network() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let network = Compact::init(Size::PI, &mut rng, &Device::flex()).folded();
        let parameters = network.num_params();
        assert!(parameters <= 17_481, "{parameters}");
        let (multiplications, _) = network.convolutions.multiplications([Size::PI.side; 2]);
        assert!(multiplications <= 15_000_000, "{multiplications}");
    }
    /// A network that has seen some batches.
    fn trained() -> Compact {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let device = Device::flex().autodiff();
        let network = Compact::init(Size { side: 24, width: 1 }, &mut rng, &device);
        for seed in 0..3 {
            network.features(images([4, CHANNELS, 24, 24], seed, &device));
        }
        let mut network = varied(network.valid());
        network.shift_biases();
        network
    }

    #[test]
    fn folding_changes_nothing() {
        let network = trained();
        let folded = network.clone().folded();
        let mut graph = Graph::default();
        let image = graph.parameter("image", &[1, CHANNELS, 24, 24]);
        folded.export(&mut graph, image);
        for seed in 3..6 {
            let shape = [1, CHANNELS, 24, 24];
            let image = images(shape, seed, &Device::flex());
            let convolutions = network.convolutions.convolutions().iter();
            let maps = convolutions.fold(image.clone(), |input, it| it.forward_unfolded(input));
            let unfolded = floats(network.head.margins(maps))[0];
            let margin = |it: &Compact| floats(it.margins(it.features(image.clone())))[0];
            let found = [margin(&network), margin(&folded)];
            let values = interpreter::run(&graph, &values(shape, seed));
            let probability = interpreter::output(&graph, &values, PROBABILITY);
            let exported = (probability[1] / probability[0]).ln() as f32;
            assert!(unfolded.abs() > 0.01);
            // Sums of a few hundred terms of about one, in single precision and in another order.
            for margin in [found[0], found[1], exported] {
                assert!((margin - unfolded).abs() < 1e-5, "{margin} {unfolded}");
            }
        }
    }

    #[test]
    fn training_normalises_by_the_batch_and_evaluation_by_all_batches() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let device = Device::flex().autodiff();
        let network = Compact::init(Size { side: 24, width: 1 }, &mut rng, &device);
        let shape = [16, CHANNELS, 24, 24];
        let batch = |seed| images(shape, seed, &device);
        let logits = |network: &Compact, batch| floats(network.logits(network.features(batch)));
        let of_batch = logits(&network, batch(1));
        assert_eq!(of_batch, logits(&network, batch(1)));
        // One batch, seen twice, is all there is; the estimate of its variance is larger by 1 in 144 at
        // the last layer, and less before.
        let plain = |seed| images(shape, seed, &Device::flex());
        let evaluated = logits(&network.valid(), plain(1));
        for (found, expected) in evaluated.iter().zip(&of_batch) {
            assert!((found - expected).abs() < 0.02, "{found} {expected}");
        }
        logits(&network, batch(2) * 3.0);
        let changed = logits(&network.valid(), plain(1));
        let differences = changed.iter().zip(&evaluated).map(|(a, b)| (a - b).abs());
        assert!(differences.fold(0.0, f32::max) > 0.02);
    }
}
