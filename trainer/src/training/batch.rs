//! Samples as tensors, with or without augmentation.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::Preprocessor;

use crate::augment;
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::networks::Architecture;

/// The inputs of some samples, `[n, 3, side, side]`, and their class indices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    inputs: Vec<f32>,
    labels: Vec<i64>,
    side: usize,
}

impl Batch {
    /// The samples as the appliance would see them, without augmentation.
    pub(crate) fn plain(
        samples: &[&Sample],
        architecture: Architecture,
    ) -> Result<Self, TrainError> {
        let mut preprocessor = Preprocessor::new(architecture.input_contract())?;
        let mut batch = Self::labels_of(samples, architecture);
        for sample in samples {
            let tensor = preprocessor.prepare(&sample.input)?;
            batch.inputs.extend_from_slice(&tensor.data);
        }
        Ok(batch)
    }

    /// The samples augmented at random. The augmentation of a sample depends only on the seed, the
    /// epoch and the sample's number.
    pub(crate) fn augmented(
        samples: &[Numbered],
        architecture: Architecture,
        seed: u64,
        epoch: u64,
    ) -> Result<Self, TrainError> {
        let inputs = samples
            .par_iter()
            .map(|(number, sample)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(epoch << 32 | number);
                let picture = augment::jitter(&sample.picture, &mut rng);
                let mut preprocessor = Preprocessor::new(architecture.input_contract())?;
                Ok(preprocessor.prepare(&picture)?.data.clone())
            })
            .collect::<Result<Vec<Vec<f32>>, TrainError>>()?;
        let samples: Vec<&Sample> = samples.iter().map(|(_, sample)| *sample).collect();
        Ok(Self {
            inputs: inputs.concat(),
            ..Self::labels_of(&samples, architecture)
        })
    }

    /// The labels, without inputs.
    fn labels_of(samples: &[&Sample], architecture: Architecture) -> Self {
        let labels = samples.iter().map(|sample| sample.positive.into());
        Self {
            inputs: Vec::new(),
            labels: labels.collect(),
            side: architecture.side(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Copies inputs and labels to a device.
    pub(crate) fn tensors(self, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
        let (count, side) = (self.len(), self.side);
        let inputs = TensorData::new(self.inputs, [count, 3, side, side]);
        let labels = TensorData::new(self.labels, [count]);
        (
            Tensor::from_data(inputs, device),
            Tensor::from_data(labels, device),
        )
    }
}

/// A sample with its number among the training samples.
pub(crate) type Numbered<'a> = (u64, &'a Sample);

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: Architecture = Architecture::tiny(8);

    fn samples() -> Vec<Sample> {
        (0..6).map(|number| Sample::drawn(number, 8)).collect()
    }

    fn epoch(samples: &[Sample], size: usize, epoch: u64) -> Vec<Batch> {
        let numbered: Vec<(u64, &Sample)> = (0..).zip(samples).collect();
        let batches = numbered.chunks(size);
        batches
            .map(|samples| Batch::augmented(samples, TINY, 3, epoch).unwrap())
            .collect()
    }

    #[test]
    fn plain_batches_are_preprocessed_by_the_input_contract() {
        let samples = samples();
        let batch = Batch::plain(&[&samples[4], &samples[1]], TINY).unwrap();
        assert_eq!(batch.labels, [0, 1]);
        let mut preprocessor = Preprocessor::new(TINY.input_contract()).unwrap();
        let expected = &preprocessor.prepare(&samples[1].input).unwrap().data;
        assert_eq!(&batch.inputs[3 * 64..], expected);
    }

    #[test]
    fn augmentation_depends_on_the_epoch_and_not_on_the_batch_size() {
        let samples = samples();
        let first = epoch(&samples, 4, 1);
        assert_eq!(first, epoch(&samples, 4, 1));
        assert_ne!(first, epoch(&samples, 4, 2));
        let labels: Vec<&[i64]> = first.iter().map(|batch| batch.labels.as_slice()).collect();
        assert_eq!(labels, [&[0, 1, 0, 1][..], &[0, 1]]);
        let joined = |batches: &[Batch]| -> Vec<f32> {
            let inputs = batches.iter().flat_map(|batch| batch.inputs.clone());
            inputs.collect()
        };
        assert_eq!(joined(&first), joined(&epoch(&samples, 2, 1)));
    }
}
