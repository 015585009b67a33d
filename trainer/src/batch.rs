//! Samples as tensors, reflected at random while training.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};

use crate::dataset::Sample;

/// Side of the samples' square inputs, with three channels each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Collator {
    pub(crate) side: usize,
}

/// Which axes of an image run backwards. A smear has no up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reflection {
    across: bool,
    down: bool,
}

impl Collator {
    /// The inputs as they are, `[n, 3, side, side]`.
    pub(crate) fn inputs(self, samples: &[&Sample], device: &Device) -> Tensor<4> {
        let mut data = Vec::with_capacity(samples.len() * self.elements());
        for sample in samples {
            data.extend_from_slice(&sample.input);
        }
        self.tensor(data, samples.len(), device)
    }

    /// The inputs in random reflection, and the class indices.
    pub(crate) fn reflected(
        self,
        samples: &[&Sample],
        rng: &mut impl Rng,
        device: &Device,
    ) -> (Tensor<4>, Tensor<1, Int>) {
        let mut data = Vec::with_capacity(samples.len() * self.elements());
        for sample in samples {
            let reflection = Reflection {
                across: rng.random(),
                down: rng.random(),
            };
            self.reflect(&sample.input, reflection, &mut data);
        }
        let labels: Vec<i64> = samples
            .iter()
            .map(|sample| sample.positive.into())
            .collect();
        let labels = Tensor::from_data(TensorData::new(labels, [samples.len()]), device);
        (self.tensor(data, samples.len(), device), labels)
    }

    fn elements(self) -> usize {
        3 * self.side * self.side
    }

    fn tensor(self, data: Vec<f32>, count: usize, device: &Device) -> Tensor<4> {
        Tensor::from_data(
            TensorData::new(data, [count, 3, self.side, self.side]),
            device,
        )
    }

    fn reflect(self, input: &[f32], reflection: Reflection, data: &mut Vec<f32>) {
        for plane in input.chunks_exact(self.side * self.side) {
            for row in 0..self.side {
                let row = if reflection.down {
                    self.side - 1 - row
                } else {
                    row
                };
                let line = &plane[row * self.side..][..self.side];
                if reflection.across {
                    data.extend(line.iter().rev());
                } else {
                    data.extend_from_slice(line);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflections_reorder_each_plane() {
        let input: Vec<f32> = (0..12_u8).map(f32::from).collect();
        let reflect = |across, down| {
            let mut data = Vec::new();
            Collator { side: 2 }.reflect(&input, Reflection { across, down }, &mut data);
            data
        };
        assert_eq!(reflect(false, false), input);
        assert_eq!(
            reflect(true, false)[..8],
            [1.0, 0.0, 3.0, 2.0, 5.0, 4.0, 7.0, 6.0]
        );
        assert_eq!(reflect(false, true)[..4], [2.0, 3.0, 0.0, 1.0]);
        assert_eq!(reflect(true, true)[8..], [11.0, 10.0, 9.0, 8.0]);
    }
}
