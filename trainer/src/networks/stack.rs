//! Normalised convolutions, one after the other.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::layers::{Convolution, Filters};
use crate::graph::{Graph, Value};

/// Kernel, stride and number of filters of a convolution.
pub(super) type Block = (usize, usize, usize);

#[derive(Module, Debug)]
pub(super) struct Stack {
    convolutions: Vec<Convolution>,
}

impl Stack {
    /// Convolutions of an input with this number of channels.
    pub(super) fn init(
        mut channels: usize,
        blocks: impl IntoIterator<Item = Block>,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Self {
        let convolutions = blocks.into_iter().map(|(side, stride, count)| {
            let filters = Filters {
                channels,
                count,
                side,
                stride,
            };
            channels = count;
            Convolution::normalised(filters, rng, device)
        });
        Self {
            convolutions: convolutions.collect(),
        }
    }

    /// `[n, channels, rows, columns]` to `[n, filters, …]`, smaller by all strides.
    pub(super) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let convolutions = self.convolutions.iter();
        convolutions.fold(input, |input, convolution| convolution.forward(input))
    }

    /// The same convolutions in evaluation, without normalisation.
    pub(super) fn folded(self) -> Self {
        let convolutions = self.convolutions.into_iter();
        Self {
            convolutions: convolutions.map(Convolution::folded).collect(),
        }
    }

    /// Adds the convolutions to a graph, as `name1`, `name2` and so on.
    pub(super) fn export(&self, graph: &mut Graph, name: &str, input: Value) -> Value {
        let numbered = self.convolutions.iter().zip(1..);
        numbered.fold(input, |input, (convolution, number)| {
            convolution.export(graph, &format!("{name}{number}"), input)
        })
    }
}

#[cfg(test)]
impl Stack {
    /// Number of multiplications for an image of these rows and columns, and those of the output.
    pub(super) fn multiplications(&self, image: [usize; 2]) -> (usize, [usize; 2]) {
        let convolutions = self.convolutions.iter();
        convolutions.fold((0, image), |(sum, image), convolution| {
            let (more, output) = convolution.multiplications(image);
            (sum + more, output)
        })
    }

    pub(super) fn shift(&mut self) {
        self.convolutions.iter_mut().for_each(Convolution::shift);
    }

    pub(super) fn convolutions(&self) -> &[Convolution] {
        &self.convolutions
    }
}
