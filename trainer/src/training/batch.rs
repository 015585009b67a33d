//! Samples as tensors, with or without augmentation.

use burn::tensor::{Device, Int, Tensor, TensorData};
use image::GrayImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::Preprocessor;

use crate::augment;
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::networks::{Architecture, EvidenceTarget};

/// The inputs of some samples, `[n, 3, side, side]`, their class indices, and their cells where they are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    inputs: Vec<f32>,
    labels: Vec<i64>,
    cells: Vec<Option<GrayImage>>,
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
            batch.cells.push(sample.cells.clone());
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
        let augmented = samples
            .par_iter()
            .map(|(number, sample)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(epoch << 32 | number);
                let Sample { picture, cells, .. } = sample;
                let (picture, cells) = augment::jitter_with_mask(picture, cells.as_ref(), &mut rng);
                let mut preprocessor = Preprocessor::new(architecture.input_contract())?;
                Ok((preprocessor.prepare(&picture)?.data.clone(), cells))
            })
            .collect::<Result<Vec<(Vec<f32>, Option<GrayImage>)>, TrainError>>()?;
        let samples: Vec<&Sample> = samples.iter().map(|(_, sample)| *sample).collect();
        let (inputs, cells): (Vec<_>, Vec<_>) = augmented.into_iter().unzip();
        Ok(Self {
            inputs: inputs.concat(),
            cells,
            ..Self::labels_of(&samples, architecture)
        })
    }

    /// The labels, without inputs and cells.
    fn labels_of(samples: &[&Sample], architecture: Architecture) -> Self {
        let labels = samples.iter().map(|sample| sample.positive.into());
        Self {
            inputs: Vec::new(),
            labels: labels.collect(),
            cells: Vec::new(),
            side: architecture.side(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Copies the cells to a device, as the place where evidence should lie, with the weight of its loss;
    /// none if no cells are known.
    pub(crate) fn evidence_target(&self, weight: f64, device: &Device) -> Option<EvidenceTarget> {
        let known: Vec<f32> = self.cells.iter().map(|it| it.is_some().into()).collect();
        if !known.contains(&1.0) {
            return None;
        }
        let plane = self.side * self.side;
        let mut cells = vec![0.0; self.len() * plane];
        for (plane, mask) in cells.chunks_exact_mut(plane).zip(&self.cells) {
            let Some(mask) = mask else {
                continue;
            };
            for (share, level) in plane.iter_mut().zip(mask.as_raw()) {
                *share = f32::from(*level) / f32::from(u8::MAX);
            }
        }
        let cells = TensorData::new(cells, [self.len(), 1, self.side, self.side]);
        Some(EvidenceTarget {
            cells: Tensor::from_data(cells, device),
            known,
            weight,
        })
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
    fn known_cells_become_the_place_of_the_evidence() {
        let mut samples = samples();
        let device = Device::flex();
        let target = |samples: &[Sample]| {
            let samples: Vec<&Sample> = samples[..3].iter().collect();
            let batch = Batch::plain(&samples, TINY).unwrap();
            batch.evidence_target(0.5, &device)
        };
        assert!(target(&samples).is_none());
        samples[1].cells = Some(GrayImage::from_fn(8, 8, |x, _| {
            image::Luma([51 * x.min(5) as u8])
        }));
        let target = target(&samples).unwrap();
        assert_eq!(target.known, [0.0, 1.0, 0.0]);
        assert_eq!(target.cells.dims(), [3, 1, 8, 8]);
        let cells = crate::networks::floats(target.cells);
        let expected = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
        assert_eq!(cells[64..64 + 6], expected);
        assert!(cells[..64].iter().chain(&cells[128..]).all(|it| *it <= 0.0));
        let numbered: Vec<Numbered> = (0..).zip(&samples).collect();
        let augmented = Batch::augmented(&numbered, TINY, 3, 1).unwrap();
        let mut known = augmented.cells.iter().map(Option::is_some);
        assert!(known.next() == Some(false) && known.next() == Some(true));
        assert_ne!(augmented.cells[1], samples[1].cells);
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
