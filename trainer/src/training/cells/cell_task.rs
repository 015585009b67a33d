//! Learning to name cells.

use burn::tensor::{Device, Tensor, TensorData};

use super::super::history::Validation;
use super::super::task::Task;
use super::kinds::Lesson;
use crate::error::TrainError;
use crate::networks::cell::{CellLoss, CellNetwork, Classes, SIDE};

/// Learning from crops that a function prepares.
pub(crate) struct CellTask<Prepare, Validate> {
    pub(crate) classes: Classes,
    pub(crate) loss: CellLoss,
    /// Number of training crops.
    pub(crate) examples: usize,
    /// Prepares the crops with these numbers for an epoch.
    pub(crate) prepare: Prepare,
    pub(crate) validate: Validate,
}

impl<Prepare, Validate> Task for CellTask<Prepare, Validate>
where
    Prepare: Fn(&[usize], u64) -> Result<CellBatch, TrainError> + Sync,
    Validate: Fn(&CellNetwork) -> Result<Validation, TrainError> + Sync,
{
    type Network = CellNetwork;
    type Batch = CellBatch;

    fn init(&self, seed: u64, device: &Device) -> CellNetwork {
        CellNetwork::init(self.classes, seed, device)
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn prepare(&self, examples: &[usize], epoch: u64) -> Result<CellBatch, TrainError> {
        (self.prepare)(examples, epoch)
    }

    fn loss(&self, network: &CellNetwork, batch: CellBatch, device: &Device) -> Tensor<1> {
        let (crops, truth, among) = batch.tensors(device);
        network.loss(crops, truth, among, &self.loss)
    }

    fn finished(network: CellNetwork) -> CellNetwork {
        network.folded()
    }

    fn validate(&self, network: &CellNetwork) -> Result<Validation, TrainError> {
        (self.validate)(network)
    }
}

/// A crop with what it teaches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellExample {
    /// `[96, 96]`, as the cell network sees it.
    pub(crate) crop: Vec<f32>,
    pub(crate) lesson: Lesson,
}

/// Some crops with what they teach.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CellBatch {
    /// Number of crops.
    count: usize,
    crops: Vec<f32>,
    truth: Vec<f32>,
    among: Vec<f32>,
}

impl CellBatch {
    /// A batch of examples.
    ///
    /// # Panics
    /// If a crop is of another size.
    pub(crate) fn of(examples: &[CellExample]) -> Self {
        let mut batch = Self {
            count: examples.len(),
            ..Self::default()
        };
        let number = |is_one: &bool| f32::from(u8::from(*is_one));
        for CellExample { crop, lesson } in examples {
            assert_eq!(crop.len(), SIDE * SIDE);
            batch.crops.extend_from_slice(crop);
            batch.truth.extend(lesson.truth.iter().map(number));
            batch.among.extend(lesson.among.iter().map(number));
        }
        batch
    }

    /// The crops, `[n, 1, 96, 96]`, the classes that each may be of, and those among which it is told apart, both
    /// `[n, classes]`.
    pub(crate) fn tensors(self, device: &Device) -> (Tensor<4>, Tensor<2>, Tensor<2>) {
        let count = self.count;
        let classes = self.among.len() / count.max(1);
        let of_classes =
            |values| Tensor::from_data(TensorData::new(values, [count, classes]), device);
        (
            Tensor::from_data(TensorData::new(self.crops, [count, 1, SIDE, SIDE]), device),
            of_classes(self.truth),
            of_classes(self.among),
        )
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::super::schedule::Schedule;
    use super::super::super::settings::Settings;
    use super::super::super::testing::train;
    use super::*;
    use crate::networks::floats;

    const SHAPES: usize = 3;

    /// A disc, a striped disc or a ring.
    fn drawn(number: usize) -> CellExample {
        let rng = &mut ChaCha8Rng::seed_from_u64(number as u64);
        let class = number % SHAPES;
        let radius: f32 = rng.random_range(18.0..28.0);
        let [left, top] = [0; 2].map(|_| SIDE as f32 / 2.0 + rng.random_range(-8.0..8.0));
        let pixels = (0..SIDE * SIDE).map(|at| {
            let x = (at % SIDE) as f32 + 0.5 - left;
            let y = (at / SIDE) as f32 + 0.5 - top;
            let distance = x.hypot(y);
            let is_stripe = (x / 8.0).rem_euclid(1.0) < 0.5;
            let is_inside = match class {
                0 => distance < radius,
                1 => distance < radius && is_stripe,
                _ => (0.6 * radius..radius).contains(&distance),
            };
            if is_inside { 1.0 } else { -1.0 }
        });
        CellExample {
            crop: pixels.collect(),
            lesson: Lesson {
                truth: (0..SHAPES).map(|shape| shape == class).collect(),
                among: vec![true; SHAPES],
            },
        }
    }

    fn batch(numbers: &[usize]) -> CellBatch {
        let examples: Vec<CellExample> = numbers.iter().map(|&number| drawn(number)).collect();
        CellBatch::of(&examples)
    }

    #[test]
    fn shapes_are_told_apart() {
        let validation: Vec<usize> = (100..112).collect();
        let loss = CellLoss::balanced(&[1; SHAPES], 0.05);
        let task = CellTask {
            classes: Classes {
                count: SHAPES,
                blast: 0,
            },
            loss: loss.clone(),
            examples: 36,
            prepare: |numbers: &[usize], _: u64| Ok(batch(numbers)),
            validate: |network: &CellNetwork| {
                let (crops, truth, among) = batch(&validation).tensors(&Device::flex());
                let loss: f32 = network.loss(crops, truth, among, &loss).into_scalar();
                Ok(Validation {
                    loss: loss.into(),
                    figures: Vec::new(),
                })
            },
        };
        let settings = Settings {
            epochs: 6,
            patience: 6,
            batch_size: 12,
            learning_rate: 3e-3,
            schedule: Schedule::Cosine,
            seed: 1,
            device: Device::flex(),
        };
        let network = train(&settings, &task).network;
        let unseen: Vec<usize> = (200..236).collect();
        let (crops, ..) = batch(&unseen).tensors(&Device::flex());
        let logits = floats(network.answers(crops).logits);
        let right = unseen.iter().zip(logits.chunks(SHAPES));
        let right = right.filter(|(number, logits)| {
            let best = (0..SHAPES).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
            best == Some(*number % SHAPES)
        });
        // By chance it would be 12.
        let right = right.count();
        assert!(right >= 27, "{right} of 36");
    }
}
