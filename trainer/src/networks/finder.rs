//! A network that finds white and red cells in a field of any size: a map of their centres and diameters.
//!
//! Fully convolutional. Small detail is seen at a quarter of the input's size, surroundings at an eighth;
//! both are added. Even kernels where the stride is 2: position `i` of the map is centred on
//! pixel `(i + ½) · 4`.

use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::layers::Convolution;
use super::stack::{Block, Stack};
use crate::graph::Graph;

/// Pixels of the input, per side, for each position of the map.
pub(crate) const STRIDE: usize = 4;
/// Rows and columns of the input are multiples of this.
pub(crate) const MULTIPLE: usize = 8;
/// Kinds of cells: leukocytes, then red cells.
pub(crate) const KINDS: usize = 2;
/// Name of the output with the probabilities of centres, `[n, 2, rows/4, columns/4]`.
pub(crate) const CENTRES: &str = "centres";
/// Name of the output with the natural logarithms of diameters in pixels, `[n, 1, rows/4, columns/4]`.
pub(crate) const DIAMETER: &str = "diameter";

/// Kernel, stride and filters (times the width) of the convolutions up to a quarter of the input's size,
/// up to an eighth, and of the sum of both.
const FINE: [Block; 2] = [(4, 2, 2), (4, 2, 3)];
const COARSE: [Block; 5] = [(4, 2, 6), (3, 1, 6), (3, 1, 6), (3, 1, 6), (1, 1, 3)];
const SUM: [Block; 1] = [(3, 1, 3)];
/// Probability of a centre before training (Lin et al. 2017, "Focal Loss for Dense Object Detection"):
/// at one half, the many positions without a cell would dominate the first steps.
const INITIAL_PROBABILITY: f32 = 0.1;
/// Diameter before training, in pixels.
const INITIAL_DIAMETER: f32 = 30.0;

/// The size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Channels of the input, 1 to 3.
    pub(crate) planes: usize,
    /// Filters of the convolutions, in units of two to six.
    pub(crate) width: usize,
}

impl Size {
    /// With some 500 multiplications per pixel of a single plane.
    pub(crate) const fn of_planes(planes: usize) -> Self {
        Self { planes, width: 4 }
    }
}

#[derive(Module, Debug)]
pub(crate) struct Finder {
    fine: Stack,
    coarse: Stack,
    sum: Stack,
    centres: Convolution,
    diameter: Convolution,
    #[module(skip)]
    size: Size,
}

/// What the network sees at each position.
#[derive(Debug)]
pub(crate) struct CellMaps {
    /// Logits of the centres of leukocytes and of red cells, `[n, 2, rows/4, columns/4]`.
    pub(crate) centres: Tensor<4>,
    /// Natural logarithm of the diameter in pixels of the input, `[n, 1, rows/4, columns/4]`; it means
    /// something where there is a centre.
    pub(crate) diameter: Tensor<4>,
}

impl CellMaps {
    /// The loss of a batch: the penalty-reduced focal loss of the centres (Zhou, Wang and Krähenbühl 2019,
    /// "Objects as Points", with their exponents 2 and 4) by the number of centres, plus the mean error of
    /// the logarithms of the diameters.
    pub(crate) fn loss(self, targets: CellTargets) -> Tensor<1> {
        let CellTargets {
            centres,
            known,
            diameter,
            sized,
        } = targets;
        let is_centre = centres.clone().equal_elem(1.0).float() * known.clone();
        let elsewhere = known - is_centre.clone();
        let probability = sigmoid(self.centres.clone());
        let missed = (probability.clone() - 1.0).square() * log_sigmoid(self.centres.clone());
        let distance = (centres - 1.0).square().square();
        let invented = probability.square() * log_sigmoid(-self.centres) * distance;
        let count = is_centre.clone().sum().clamp_min(1.0);
        let of_centres = (missed * is_centre + invented * elsewhere).sum() / count;
        let error = (self.diameter - diameter).abs() * sized.clone();
        let of_diameters = error.sum() / sized.sum().clamp_min(1.0);
        of_diameters - of_centres
    }
}

/// What there is at each position, on a device.
#[derive(Debug)]
pub(crate) struct CellTargets {
    /// 1 at a centre, less around it, 0 elsewhere; `[n, 2, rows/4, columns/4]`.
    pub(crate) centres: Tensor<4>,
    /// 1, or 0 where it is not known whether there is a cell of this kind; of the same shape.
    pub(crate) known: Tensor<4>,
    /// Natural logarithm of the diameter in pixels, `[n, 1, rows/4, columns/4]`.
    pub(crate) diameter: Tensor<4>,
    /// 1 at the positions with a diameter, centres and their neighbours, else 0; of the same shape.
    pub(crate) sized: Tensor<4>,
}

impl Finder {
    /// A network with random weights, determined by the seed.
    pub(crate) fn init(size: Size, seed: u64, device: &Device) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let Size { planes, width } = size;
        let blocks = |blocks: &[Block]| -> Vec<Block> {
            let scaled = blocks
                .iter()
                .map(|&(side, stride, count)| (side, stride, count * width));
            scaled.collect()
        };
        let [fine, sum] = [FINE[FINE.len() - 1].2, SUM[SUM.len() - 1].2].map(|count| count * width);
        let odds = INITIAL_PROBABILITY / (1.0 - INITIAL_PROBABILITY);
        Self {
            fine: Stack::init(planes, blocks(&FINE), rng, device),
            coarse: Stack::init(fine, blocks(&COARSE), rng, device),
            sum: Stack::init(fine, blocks(&SUM), rng, device),
            centres: Convolution::linear([sum, KINDS], odds.ln(), rng, device),
            diameter: Convolution::linear([sum, 1], INITIAL_DIAMETER.ln(), rng, device),
            size,
        }
    }

    pub(crate) fn device(&self) -> Device {
        self.centres.device()
    }

    /// The maps of images, `[n, planes, rows, columns]`. Rows and columns are multiples of 8.
    pub(crate) fn maps(&self, input: Tensor<4>) -> CellMaps {
        let fine = self.fine.forward(input);
        let coarse = self.coarse.forward(fine.clone());
        let [_, _, rows, columns] = fine.dims();
        let nearest = InterpolateOptions::new(InterpolateMode::Nearest);
        let coarse = interpolate(coarse, nearest.with_output_size([rows, columns]));
        let features = self.sum.forward(fine + coarse);
        CellMaps {
            centres: self.centres.forward(features.clone()),
            diameter: self.diameter.forward(features),
        }
    }

    /// The loss of a batch, see [`CellMaps::loss`].
    pub(crate) fn loss(&self, input: Tensor<4>, targets: CellTargets) -> Tensor<1> {
        self.maps(input).loss(targets)
    }

    /// The same network in evaluation, with normalisations folded into the convolutions.
    pub(crate) fn folded(self) -> Self {
        Self {
            fine: self.fine.folded(),
            coarse: self.coarse.folded(),
            sum: self.sum.folded(),
            ..self
        }
    }

    /// The network as a graph for this many images of these rows and columns, multiples of 8, with the
    /// outputs `centres` and `diameter`.
    pub(crate) fn graph(&self, images: usize, [rows, columns]: [usize; 2]) -> Graph {
        let mut graph = Graph::default();
        let image = graph.parameter("image", &[images, self.size.planes, rows, columns]);
        let fine = self.fine.export(&mut graph, "fine", image);
        let coarse = self.coarse.export(&mut graph, "coarse", fine);
        let coarse = graph.double("coarse/doubled", coarse);
        let sum = graph.add("sum", fine, coarse);
        let features = self.sum.export(&mut graph, "sum", sum);
        let centres = self.centres.export(&mut graph, "centres/logits", features);
        let centres = graph.sigmoid(CENTRES, centres);
        graph.result(centres);
        let diameter = self.diameter.export(&mut graph, DIAMETER, features);
        graph.result(diameter);
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::super::tensors::floats;
    use super::super::testing::{images, receptive_field, values, varied, with_equal_kernels};
    use super::*;
    use crate::graph::interpreter;
    use crate::graph::testing::{Exported, assert_runtimes_agree};

    const GREY: Size = Size::of_planes(1);
    const COLOUR: Size = Size::of_planes(3);

    fn init(size: Size) -> Finder {
        Finder::init(size, 3, &Device::flex())
    }

    #[test]
    fn it_is_small_and_fast() {
        for (size, limits) in [(GREY, 400..=600), (COLOUR, 400..=600)] {
            let network = init(size).folded();
            let parameters = network.num_params();
            assert!(parameters <= 120_000, "{parameters}");
            let image = [64, 64];
            let (fine, quarter) = network.fine.multiplications(image);
            let (coarse, eighth) = network.coarse.multiplications(quarter);
            assert_eq!((quarter, eighth), ([16; 2], [8; 2]));
            let sum = network.sum.multiplications(quarter).0;
            let heads = [&network.centres, &network.diameter];
            let heads = heads.map(|head| head.multiplications(quarter).0);
            let all = fine + coarse + sum + heads.iter().sum::<usize>();
            let per_pixel = all / (image[0] * image[1]);
            assert!(limits.contains(&per_pixel), "{per_pixel}");
        }
    }

    #[test]
    fn a_position_sees_70_pixels_around_its_centre() {
        let network = with_equal_kernels(init(GREY));
        let centres = |input| network.maps(input).centres;
        let field = |row| receptive_field([1, 160, 160], centres, [row, 20]);
        let pair = [field(20), field(21)];
        for field in &pair {
            assert!(field.extent.iter().all(|side| *side >= 70), "{field:?}");
        }
        // The two positions of a pair have the same surroundings.
        let middle = f64::midpoint(pair[0].centre[0], pair[1].centre[0]);
        let expected = (20.5 + 0.5) * STRIDE as f64;
        assert!((middle - expected).abs() < 0.1, "{middle} {expected}");
    }

    #[test]
    fn the_graph_computes_what_the_network_computes() {
        for size in [GREY, COLOUR] {
            let network = varied(init(size));
            let shape = [2, size.planes, 24, 40];
            let maps = network.maps(images(shape, 1, &Device::flex()));
            assert_eq!(maps.centres.dims(), [2, KINDS, 6, 10]);
            for network in [network.clone(), network.folded()] {
                let graph = network.graph(2, [24, 40]);
                let truth = interpreter::run(&graph, &values(shape, 1));
                let outputs = [
                    (CENTRES, floats(sigmoid(maps.centres.clone()))),
                    (DIAMETER, floats(maps.diameter.clone())),
                ];
                for (name, found) in outputs {
                    let truth = interpreter::output(&graph, &truth, name);
                    assert_eq!(found.len(), truth.len());
                    for (found, truth) in found.iter().zip(truth) {
                        // Single against double precision over some hundred terms.
                        assert!((f64::from(*found) - truth).abs() < 1e-5, "{found} {truth}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_runtimes_agree() {
        let network = varied(init(COLOUR)).folded();
        let graphs =
            [(1, [32, 48]), (2, [16, 24])].map(|(images, size)| network.graph(images, size));
        let inputs = [values([1, 3, 32, 48], 1), values([2, 3, 16, 24], 2)];
        let networks: Vec<Exported> = graphs
            .iter()
            .zip(&inputs)
            .map(|(graph, input)| Exported {
                graph,
                input,
                outputs: &[CENTRES, DIAMETER],
                tolerance: 1e-4,
            })
            .collect();
        assert_runtimes_agree(&networks);
    }

    #[test]
    fn the_loss_counts_known_positions_by_the_number_of_centres() {
        let device = Device::flex();
        let maps = |values: &[f32], count: usize| -> Tensor<4> {
            let data = burn::tensor::TensorData::new(values.to_vec(), [1, count, 1, 2]);
            Tensor::from_data(data, &device)
        };
        let logits = [0.4_f32, -0.3, 1.2, 0.1];
        let centres = [1.0, 0.6, 0.0, 1.0];
        let known = [1.0, 1.0, 1.0, 0.0];
        let found = CellMaps {
            centres: maps(&logits, KINDS),
            diameter: maps(&[3.0, 3.5], 1),
        };
        let targets = CellTargets {
            centres: maps(&centres, KINDS),
            known: maps(&known, KINDS),
            diameter: maps(&[3.3, 0.0], 1),
            sized: maps(&[1.0, 0.0], 1),
        };
        let loss: f32 = found.loss(targets).into_scalar();
        // Term by term, as the paper has it. The fourth position is not known.
        let p = logits.map(|logit| 1.0 / (1.0 + f64::from(-logit).exp()));
        let focal = (1.0 - p[0]).powi(2) * p[0].ln()
            + 0.4_f64.powi(4) * p[1].powi(2) * (1.0 - p[1]).ln()
            + p[2].powi(2) * (1.0 - p[2]).ln();
        let expected = 0.3 - focal;
        assert!(
            (f64::from(loss) - expected).abs() < 1e-6,
            "{loss} {expected}"
        );
    }
}
