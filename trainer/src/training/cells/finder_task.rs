//! Learning to find cells.

use burn::tensor::{Device, Tensor, TensorData};

use super::super::history::Validation;
use super::super::task::Task;
use crate::error::TrainError;
use crate::networks::finder::{CellTargets, Finder, KINDS, MULTIPLE, STRIDE, Size};

/// Learning from examples that a function prepares.
pub(crate) struct FinderTask<Prepare, Validate> {
    pub(crate) size: Size,
    /// Number of training examples.
    pub(crate) examples: usize,
    /// Prepares the examples with these numbers for an epoch.
    pub(crate) prepare: Prepare,
    pub(crate) validate: Validate,
}

impl<Prepare, Validate> Task for FinderTask<Prepare, Validate>
where
    Prepare: Fn(&[usize], u64) -> Result<FinderBatch, TrainError> + Sync,
    Validate: Fn(&Finder) -> Result<Validation, TrainError> + Sync,
{
    type Network = Finder;
    type Batch = FinderBatch;

    fn init(&self, seed: u64, device: &Device) -> Finder {
        Finder::init(self.size, seed, device)
    }

    fn examples(&self) -> usize {
        self.examples
    }

    fn prepare(&self, examples: &[usize], epoch: u64) -> Result<FinderBatch, TrainError> {
        (self.prepare)(examples, epoch)
    }

    fn loss(&self, network: &Finder, batch: FinderBatch, device: &Device) -> Tensor<1> {
        let (images, targets) = batch.tensors(device);
        network.loss(images, targets)
    }

    fn finished(network: Finder) -> Finder {
        network.folded()
    }

    fn validate(&self, network: &Finder) -> Result<Validation, TrainError> {
        (self.validate)(network)
    }
}

/// A kind of cell that the network finds: an index of its maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundKind {
    Leukocyte = 0,
    RedCell = 1,
}

/// A cell in an image, in pixels from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CellCircle {
    pub(crate) kind: FoundKind,
    pub(crate) x: f32,
    pub(crate) y: f32,
    /// Of a circle of the same area.
    pub(crate) diameter: f32,
    /// Whether the diameter was measured; if not, it is that of a usual cell, and nothing is learned from it.
    pub(crate) is_measured: bool,
}

/// An image with its cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FinderExample {
    /// `[planes, rows, columns]`
    pub(crate) pixels: Vec<f32>,
    pub(crate) cells: Vec<CellCircle>,
    /// `[kinds, rows / 4, columns / 4]`: 1 where it is known whether the centre of a cell of each kind lies at a
    /// position, 0 where nothing is learned.
    pub(crate) known: Vec<f32>,
}

/// Some images of the same size, with what there is at each position of the network's maps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FinderBatch {
    /// Images, planes, rows and columns.
    shape: [usize; 4],
    images: Vec<f32>,
    centres: Vec<f32>,
    known: Vec<f32>,
    diameter: Vec<f32>,
    sized: Vec<f32>,
}

impl FinderBatch {
    /// A batch of examples with this number of planes, rows and columns; the last two are multiples of 8.
    /// Cells whose centre is outside of the image are left out.
    ///
    /// # Panics
    /// If an example is of another size, or if rows or columns are not a multiple of 8.
    pub(crate) fn of(examples: &[FinderExample], [planes, rows, columns]: [usize; 3]) -> Self {
        assert_eq!([rows % MULTIPLE, columns % MULTIPLE], [0, 0]);
        let size = [rows / STRIDE, columns / STRIDE];
        let positions = size[0] * size[1];
        let mut batch = Self {
            shape: [examples.len(), planes, rows, columns],
            images: Vec::with_capacity(examples.len() * planes * rows * columns),
            centres: vec![0.0; examples.len() * KINDS * positions],
            known: Vec::with_capacity(examples.len() * KINDS * positions),
            diameter: vec![0.0; examples.len() * positions],
            sized: vec![0.0; examples.len() * positions],
        };
        for (number, example) in examples.iter().enumerate() {
            assert_eq!(example.pixels.len(), planes * rows * columns);
            batch.images.extend_from_slice(&example.pixels);
            assert_eq!(example.known.len(), KINDS * positions);
            batch.known.extend_from_slice(&example.known);
            for cell in &example.cells {
                let Some(centre) = cell.position(size) else {
                    continue;
                };
                let map = number * KINDS + cell.kind as usize;
                let map = &mut batch.centres[map * positions..][..positions];
                add_centre(map, size[1], centre, cell.diameter);
                if cell.is_measured {
                    let map = number * positions..(number + 1) * positions;
                    let (diameter, sized) =
                        (&mut batch.diameter[map.clone()], &mut batch.sized[map]);
                    for [row, column] in around(centre, size) {
                        let at = row * size[1] + column;
                        // A neighbour of one cell may be the centre of another one.
                        if [row, column] == centre || sized[at] < 0.5 {
                            diameter[at] = cell.diameter.ln();
                            sized[at] = 1.0;
                        }
                    }
                }
            }
        }
        batch
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.shape[0]
    }

    /// Copies images and targets to a device.
    pub(crate) fn tensors(self, device: &Device) -> (Tensor<4>, CellTargets) {
        let [images, _, rows, columns] = self.shape;
        let maps = |values: Vec<f32>, count: usize| -> Tensor<4> {
            let shape = [images, count, rows / STRIDE, columns / STRIDE];
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        let targets = CellTargets {
            centres: maps(self.centres, KINDS),
            known: maps(self.known, KINDS),
            diameter: maps(self.diameter, 1),
            sized: maps(self.sized, 1),
        };
        let images = TensorData::new(self.images, self.shape);
        (Tensor::from_data(images, device), targets)
    }
}

impl CellCircle {
    /// Row and column of its centre in maps of this size, unless it lies outside.
    fn position(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let stride = STRIDE as f32;
        let at = [self.y, self.x].map(|pixel| (pixel / stride).floor());
        let is_inside = at
            .iter()
            .zip(size)
            .all(|(&at, size)| (0.0..size as f32).contains(&at));
        is_inside.then(|| at.map(|at| at as usize))
    }
}

/// The positions from which a peak at `centre` takes its diameter: it and its neighbours on maps of this size.
fn around([row, column]: [usize; 2], size: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    let along = |at: usize, length: usize| at.saturating_sub(1)..(at + 2).min(length);
    let columns = along(column, size[1]);
    along(row, size[0]).flat_map(move |row| columns.clone().map(move |column| [row, column]))
}

/// Raises a map of this number of columns around a centre to a Gaussian of height 1.
///
/// Its deviation is a third of the radius within which a box around the cell still overlaps with the true
/// one by 70 %, as in the published code of Zhou, Wang and Krähenbühl 2019; for a square that comes to
/// 0.09 of the side, plus a sixth of a position.
fn add_centre(map: &mut [f32], columns: usize, [row, column]: [usize; 2], diameter: f32) {
    const PER_DIAMETER: f32 = 0.09;
    let deviation = PER_DIAMETER * diameter / STRIDE as f32 + 1.0 / 6.0;
    let reach = (3.0 * deviation).ceil() as usize;
    let rows = map.len() / columns;
    for y in row.saturating_sub(reach)..(row + reach + 1).min(rows) {
        for x in column.saturating_sub(reach)..(column + reach + 1).min(columns) {
            let [down, right] = [y.abs_diff(row), x.abs_diff(column)].map(|by| by as f32);
            let distance = down.hypot(right) / deviation;
            let value = &mut map[y * columns + x];
            *value = value.max((-0.5 * distance * distance).exp());
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::sigmoid;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::super::schedule::Schedule;
    use super::super::super::settings::Settings;
    use super::super::super::testing::train;
    use super::*;
    use crate::networks::floats;

    const SIDE: usize = 48;
    const QUARTER: usize = SIDE / STRIDE;

    /// A large disc, a small one and a square, in three of the quarters of an image.
    fn drawn(number: u64) -> FinderExample {
        let rng = &mut ChaCha8Rng::seed_from_u64(number);
        let first = rng.random_range(0..4);
        let mut place = |turn: usize, diameter: f32| {
            let quarter = (first + turn) % 4;
            let half = SIDE as f32 / 2.0;
            let room = half - diameter;
            let mut along = |far: bool| {
                let corner = if far { half } else { 0.0 };
                corner + diameter / 2.0 + rng.random_range(0.0..room)
            };
            (along(quarter % 2 == 1), along(quarter / 2 == 1))
        };
        let (large, small, square) = (place(0, 15.0), place(1, 8.0), place(2, 14.0));
        let inside = |x: f32, y: f32| {
            (x - large.0).hypot(y - large.1) < 7.5
                || (x - small.0).hypot(y - small.1) < 4.0
                || (x - square.0).abs().max((y - square.1).abs()) < 7.0
        };
        let pixels = (0..SIDE * SIDE).map(|at| {
            let [x, y] = [at % SIDE, at / SIDE].map(|at| at as f32 + 0.5);
            if inside(x, y) { 1.0 } else { -1.0 }
        });
        let cell = |kind, (x, y), diameter| CellCircle {
            kind,
            x,
            y,
            diameter,
            is_measured: true,
        };
        FinderExample {
            pixels: pixels.collect(),
            cells: vec![
                cell(FoundKind::Leukocyte, large, 15.0),
                cell(FoundKind::RedCell, small, 8.0),
            ],
            known: vec![1.0; KINDS * QUARTER * QUARTER],
        }
    }

    fn batch(numbers: impl IntoIterator<Item = u64>) -> FinderBatch {
        let examples: Vec<FinderExample> = numbers.into_iter().map(drawn).collect();
        FinderBatch::of(&examples, [1, SIDE, SIDE])
    }

    #[test]
    fn discs_among_squares_are_found() {
        let prepare =
            |numbers: &[usize], _: u64| Ok(batch(numbers.iter().map(|&number| number as u64)));
        let validate = |network: &Finder| {
            let (images, targets) = batch(1000..1008).tensors(&Device::flex());
            let loss: f32 = network.loss(images, targets).into_scalar();
            Ok(Validation {
                loss: loss.into(),
                figures: Vec::new(),
            })
        };
        let task = FinderTask {
            size: Size::of_planes(1),
            examples: 64,
            prepare,
            validate,
        };
        let settings = Settings {
            epochs: 10,
            patience: 10,
            batch_size: 8,
            learning_rate: 1e-2,
            schedule: Schedule::Cosine,
            seed: 1,
            device: Device::flex(),
        };
        let network = train(&settings, &task).network;
        let (mut found, mut errors) = (0, 0.0);
        for number in 2000..2024 {
            let (images, _) = batch([number]).tensors(&Device::flex());
            let maps = network.maps(images);
            let centres = floats(sigmoid(maps.centres));
            let diameters = floats(maps.diameter);
            for cell in drawn(number).cells {
                let map = &centres[cell.kind as usize * QUARTER * QUARTER..][..QUARTER * QUARTER];
                let best = (0..map.len()).max_by(|a, b| map[*a].total_cmp(&map[*b]));
                let best = best.unwrap();
                let [x, y] =
                    [best % QUARTER, best / QUARTER].map(|at| (at as f32 + 0.5) * STRIDE as f32);
                // Half a position in both directions, and one more.
                if (x - cell.x).hypot(y - cell.y) < 7.0 {
                    found += 1;
                    errors += (diameters[best] - cell.diameter.ln()).abs();
                }
            }
        }
        // By chance it would be 4 of 48; before training, the mean error is 1.0.
        assert!(found >= 36, "{found} of 48");
        let error = errors / found as f32;
        assert!(error < 0.35, "{error}");
    }

    #[test]
    fn centres_are_gaussians_and_unknown_kinds_are_masked() {
        let cell = |kind, x, y| CellCircle {
            kind,
            x,
            y,
            diameter: 10.0,
            is_measured: kind == FoundKind::Leukocyte,
        };
        let positions = 4 * 6;
        let known = [1.0, 0.0].map(|known| vec![known; positions]).concat();
        let example = FinderExample {
            pixels: vec![0.0; 16 * 24],
            cells: vec![
                cell(FoundKind::Leukocyte, 9.9, 6.0),
                cell(FoundKind::Leukocyte, 17.0, 6.0),
                cell(FoundKind::Leukocyte, 24.0, 6.0),
                cell(FoundKind::Leukocyte, 3.0, -0.1),
                cell(FoundKind::RedCell, 2.0, 14.0),
            ],
            known,
        };
        let batch = FinderBatch::of(&[example.clone(), example], [1, 16, 24]);
        let leukocytes = &batch.centres[2 * positions..3 * positions];
        // σ = 0.09 · 10 / 4 + 1/6 = 0.39 positions: a neighbour has exp(−3.26).
        let row = &leukocytes[6..12];
        let near = (-0.5 / (0.225_f32 + 1.0 / 6.0).powi(2)).exp();
        let expected = [0.0, near, 1.0, near, 1.0, near];
        for (value, expected) in row.iter().zip(expected) {
            // A second neighbour has 2e-6.
            assert!((value - expected).abs() < 1e-5, "{row:?}");
        }
        // The red cell at the first column of the last row.
        assert!((batch.centres[positions + 18] - 1.0).abs() < 1e-6);
        assert_eq!(batch.known[..positions], vec![1.0; positions]);
        assert_eq!(batch.known[positions..2 * positions], vec![0.0; positions]);
        // Of both images, columns 1 to 5 of the first three rows.
        let sized = batch.sized.iter().filter(|value| **value > 0.5);
        assert_eq!(sized.count(), 2 * 15);
        assert!((batch.diameter[8] - 10.0_f32.ln()).abs() < 1e-6);
        assert!(batch.sized[8] > 0.5);
    }
}
