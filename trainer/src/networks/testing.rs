//! Networks and inputs for tests.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tensors::floats;

/// Values between −3 and 1.5, determined by the seed.
pub(super) fn values(shape: [usize; 4], seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = shape.iter().product();
    (0..count).map(|_| rng.random_range(-3.0..1.5)).collect()
}

/// A tensor of such values.
pub(super) fn images(shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values(shape, seed), shape), device)
}

/// A network whose scales, shifts and running statistics are not the initial ones.
pub(super) fn varied<Network: Module>(network: Network) -> Network {
    network.map(&mut Vary(ChaCha8Rng::seed_from_u64(5)))
}

struct Vary(ChaCha8Rng);

impl ModuleMapper for Vary {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dims = param.dims();
        param.map(|tensor| {
            // Vectors; the running statistics stay consistent.
            if D > 1 || dims[0] == 1 {
                return tensor;
            }
            let random = (0..dims[0]).map(|_| self.0.random_range(0.5..1.5));
            let factor = Tensor::from_data(
                TensorData::new(random.collect::<Vec<f32>>(), dims),
                &tensor.device(),
            );
            tensor * factor
        })
    }
}

/// A network whose kernels are all equal and positive, so that positive inputs pass every ReLU.
pub(super) fn with_equal_kernels<Network: Module>(network: Network) -> Network {
    network.map(&mut Equalise)
}

struct Equalise;

impl ModuleMapper for Equalise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| match tensor.dims().as_slice() {
            [_, terms @ ..] if terms.len() == 3 => {
                let terms: usize = terms.iter().product();
                tensor.ones_like() / terms as f64
            }
            _ => tensor,
        })
    }
}

/// The part of an input that a position of an output depends on.
#[derive(Debug, PartialEq)]
pub(super) struct ReceptiveField {
    /// Mean row and column, weighted by their influence; the centre of the first pixel is ½.
    pub(super) centre: [f64; 2],
    /// Rows and columns from the first to the last.
    pub(super) extent: [usize; 2],
}

/// Measures, by gradients at an input of ones, on which pixels a position of the output's first channel
/// depends.
pub(super) fn receptive_field(
    input: [usize; 3],
    output: impl Fn(Tensor<4>) -> Tensor<4>,
    [row, column]: [usize; 2],
) -> ReceptiveField {
    let [channels, rows, columns] = input;
    let device = Device::flex().autodiff();
    let input = Tensor::<4>::ones([1, channels, rows, columns], &device).require_grad();
    let output = output(input.clone());
    let one = output.slice([0..1, 0..1, row..row + 1, column..column + 1]);
    let gradients = one.sum().backward();
    let influence = floats(input.grad(&gradients).unwrap().abs().sum_dim(1));
    let total: f64 = influence.iter().copied().map(f64::from).sum();
    let axis = |position: &dyn Fn(usize) -> usize| {
        let places = influence
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0.0);
        let places: Vec<(usize, f64)> = places
            .map(|(at, &value)| (position(at), f64::from(value)))
            .collect();
        let mean: f64 = places
            .iter()
            .map(|&(at, weight)| (at as f64 + 0.5) * weight / total)
            .sum();
        let first = places.iter().map(|place| place.0).min().unwrap();
        let last = places.iter().map(|place| place.0).max().unwrap();
        (mean, last - first + 1)
    };
    let (y, height) = axis(&|at| at / columns);
    let (x, width) = axis(&|at| at % columns);
    ReceptiveField {
        centre: [y, x],
        extent: [height, width],
    }
}
