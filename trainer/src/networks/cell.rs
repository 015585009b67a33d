//! A network that names the cell in the middle of a crop.
//!
//! Strided, normalised convolutions, global average pooling and a linear head, like the network for whole
//! fields, but on the grey values of one cell at full resolution. The pooled features describe the cell;
//! a cell is unlike those of the training if they are far from all of theirs.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::cross_entropy::cross_entropy_among;
use super::pooled_head::PooledHead;
use super::stack::{Block, Stack};
use crate::graph::Graph;

/// Columns and rows of a crop.
pub(crate) const SIDE: usize = 96;
/// Number of features.
pub(crate) const FEATURES: usize = 64;

/// Kernel, stride and filters of each convolution. Even kernels where the stride is 2, so that the
/// evidence lies where its cause is.
const CONVOLUTIONS: [Block; 6] = [
    (4, 2, 8),
    (4, 2, 16),
    (4, 2, 24),
    (3, 1, 32),
    (4, 2, 40),
    (3, 1, FEATURES),
];

/// The classes of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Classes {
    /// Number of classes, 2 to 32.
    pub(crate) count: usize,
    /// Index of the class of which the evidence is asked: blasts.
    pub(crate) blast: usize,
}

#[derive(Module, Debug)]
pub(crate) struct CellNetwork {
    convolutions: Stack,
    head: PooledHead,
}

/// What the network says about cells.
#[derive(Debug)]
pub(crate) struct CellAnswers {
    /// `[n, classes]`
    pub(crate) logits: Tensor<2>,
    /// `[n, 64]`
    pub(crate) features: Tensor<2>,
    /// The contribution of each position to the blast's logit minus the mean of the others,
    /// `[n, 1, 6, 6]`. The sum of all plus the difference of the head's biases is that margin.
    pub(crate) evidence: Tensor<4>,
}

/// How answers are judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellLoss {
    /// The weight of each class; 1 on average over the training cells of known class.
    pub(crate) class_weights: Vec<f32>,
    /// Share of the truth that is spread over all classes, 0 for none.
    pub(crate) smoothing: f64,
}

impl CellNetwork {
    /// A network with random weights, determined by the seed.
    ///
    /// # Panics
    /// If there are fewer than 2 classes, or if the blast is none of them.
    pub(crate) fn init(classes: Classes, seed: u64, device: &Device) -> Self {
        let Classes { count, blast } = classes;
        assert!(count >= 2 && blast < count, "{classes:?}");
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        Self {
            convolutions: Stack::init(1, CONVOLUTIONS, rng, device),
            head: PooledHead::init([FEATURES, count], blast, rng, device),
        }
    }

    pub(crate) fn device(&self) -> Device {
        self.head.device()
    }

    /// The answers about crops, `[n, 1, 96, 96]`.
    pub(crate) fn answers(&self, crops: Tensor<4>) -> CellAnswers {
        let maps = self.convolutions.forward(crops);
        CellAnswers {
            logits: self.head.logits(maps.clone()),
            features: PooledHead::pool(maps.clone()),
            evidence: self.head.evidence(maps),
        }
    }

    /// Weighted cross-entropy of crops, `[n, 1, 96, 96]`, with the classes that have a 1 in `truth`, each among those that
    /// have one in `among`, both `[n, classes]`.
    pub(crate) fn loss(
        &self,
        crops: Tensor<4>,
        truth: Tensor<2>,
        among: Tensor<2>,
        how: &CellLoss,
    ) -> Tensor<1> {
        let logits = self.head.logits(self.convolutions.forward(crops));
        cross_entropy_among(logits, truth, among, &how.class_weights, how.smoothing)
    }

    /// The same network in evaluation, with normalisations folded into the convolutions.
    pub(crate) fn folded(self) -> Self {
        Self {
            convolutions: self.convolutions.folded(),
            ..self
        }
    }

    /// The network as a graph for this many crops, with the outputs `probability`, `evidence` and
    /// `features`.
    pub(crate) fn graph(&self, crops: usize) -> Graph {
        let mut graph = Graph::default();
        let image = graph.parameter("image", &[crops, 1, SIDE, SIDE]);
        let maps = self.convolutions.export(&mut graph, "convolution", image);
        let features = self.head.export(&mut graph, maps);
        graph.result(features);
        graph
    }
}

impl CellLoss {
    /// Weights under which all classes count the same, of which there are so many training cells. A class
    /// without any has no weight.
    pub(crate) fn balanced(counts: &[usize], smoothing: f64) -> Self {
        let present = counts.iter().filter(|count| **count > 0).count();
        let share = counts.iter().sum::<usize>() as f32 / present.max(1) as f32;
        let weight = |&count: &usize| {
            if count == 0 {
                0.0
            } else {
                share / count as f32
            }
        };
        Self {
            class_weights: counts.iter().map(weight).collect(),
            smoothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::super::classifier::{EVIDENCE, PROBABILITY};
    use super::super::pooled_head::FEATURES as FEATURE_OUTPUT;
    use super::super::tensors::floats;
    use super::super::testing::{images, receptive_field, values, varied, with_equal_kernels};
    use super::*;
    use crate::graph::interpreter;
    use crate::graph::testing::{Exported, assert_runtimes_agree};

    const CLASSES: Classes = Classes { count: 9, blast: 2 };

    fn network() -> CellNetwork {
        let mut network = varied(CellNetwork::init(CLASSES, 3, &Device::flex()));
        network.convolutions.shift();
        network.head.shift();
        network
    }

    #[test]
    fn it_is_small_and_fast() {
        let most = Classes {
            count: 32,
            blast: 0,
        };
        let network = CellNetwork::init(most, 1, &Device::flex()).folded();
        let parameters = network.num_params();
        assert!(parameters <= 200_000, "{parameters}");
        let (multiplications, map) = network.convolutions.multiplications([SIDE; 2]);
        assert!(multiplications <= 5_000_000, "{multiplications}");
        assert_eq!(map, [6, 6]);
    }

    #[test]
    fn evidence_and_biases_sum_to_the_margin() {
        let network = network();
        let answers = network.answers(images([1, 1, SIDE, SIDE], 9, &Device::flex()));
        let logits = floats(answers.logits);
        let others: f32 = logits.iter().sum::<f32>() - logits[CLASSES.blast];
        let margin = logits[CLASSES.blast] - others / 8.0;
        let explained = floats(answers.evidence).iter().sum::<f32>() + network.head.offset();
        assert!(margin.abs() > 0.01, "{margin}");
        assert!((explained - margin).abs() < 1e-4, "{explained} {margin}");
    }

    #[test]
    fn evidence_lies_where_its_cause_is() {
        let network = with_equal_kernels(CellNetwork::init(CLASSES, 3, &Device::flex()));
        // A larger crop, so that the cause lies inside.
        let evidence = |input| network.answers(input).evidence;
        let cause = receptive_field([1, 2 * SIDE, 2 * SIDE], evidence, [5, 6]);
        for (centre, position) in cause.centre.into_iter().zip([5.5, 6.5]) {
            assert!((centre - 16.0 * position).abs() < 1.0, "{cause:?}");
        }
    }

    #[test]
    fn the_graph_computes_what_the_network_computes() {
        let network = network();
        let shape = [2, 1, SIDE, SIDE];
        let answers = network.answers(images(shape, 1, &Device::flex()));
        let probability = burn::tensor::activation::softmax(answers.logits, 1);
        let outputs = [
            (PROBABILITY, floats(probability)),
            (FEATURE_OUTPUT, floats(answers.features)),
            (EVIDENCE, floats(answers.evidence)),
        ];
        let graph = network.folded().graph(2);
        let truth = interpreter::run(&graph, &values(shape, 1));
        for (name, found) in outputs {
            let truth = interpreter::output(&graph, &truth, name);
            assert_eq!(found.len(), truth.len(), "{name}");
            for (found, truth) in found.iter().zip(truth) {
                // Single against double precision over some hundred terms.
                let error = (f64::from(*found) - truth).abs();
                assert!(
                    error < 1e-5 * truth.abs().max(1.0),
                    "{name}: {found} {truth}"
                );
            }
        }
    }

    #[test]
    fn other_runtimes_agree() {
        let graph = network().folded().graph(3);
        let input = values([3, 1, SIDE, SIDE], 1);
        assert_runtimes_agree(&[Exported {
            graph: &graph,
            input: &input,
            outputs: &[PROBABILITY, EVIDENCE, FEATURE_OUTPUT],
            tolerance: 1e-4,
        }]);
    }

    #[test]
    fn the_loss_is_smoothed_weighted_and_among_some_classes() {
        // The second crop comes from where there are only four classes; the third is of the first or the third class.
        const AMONG: [usize; 3] = [9, 4, 9];
        const TRUTH: [&[usize]; 3] = [&[2], &[0], &[0, 2]];

        let network = network();
        let crops = images([3, 1, SIDE, SIDE], 4, &Device::flex());
        let logits = floats(network.answers(crops.clone()).logits);
        let how = CellLoss::balanced(&[6, 0, 3, 3, 0, 0, 0, 0, 0], 0.1);
        assert_eq!(
            how.class_weights[..4],
            [2.0 / 3.0, 0.0, 4.0 / 3.0, 4.0 / 3.0]
        );
        let among: Vec<f32> = AMONG
            .iter()
            .flat_map(|&count| (0..9).map(move |class| f32::from(u8::from(class < count))))
            .collect();
        let truth: Vec<f32> = TRUTH
            .iter()
            .flat_map(|truth| (0..9).map(move |class| f32::from(u8::from(truth.contains(&class)))))
            .collect();
        let [truth, among] = [truth, among]
            .map(|values| Tensor::from_data(TensorData::new(values, [3, 9]), &Device::flex()));
        let loss = network.loss(crops, truth, among, &how);
        let loss: f32 = loss.into_scalar();
        let expected: f64 = [4.0 / 3.0, 2.0 / 3.0, 8.0 / 9.0]
            .into_iter()
            .zip(TRUTH)
            .zip(logits.chunks(CLASSES.count))
            .zip(AMONG)
            .map(|(((weight, truth), logits), count)| {
                let logits = &logits[..count];
                let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
                let likelihood = |class: usize| f64::from(logits[class]) - total.ln();
                let all: f64 = (0..count).map(likelihood).sum();
                let possible: f64 = truth.iter().map(|class| likelihood(*class).exp()).sum();
                -weight * (0.9 * possible.ln() + 0.1 * all / count as f64) / 3.0
            })
            .sum();
        assert!(
            (f64::from(loss) - expected).abs() < 1e-5,
            "{loss} {expected}"
        );
    }
}
