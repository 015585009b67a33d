//! The shortcut audit: trivial classifiers that see no cells, on the same images under the same
//! protocol.
//!
//! If positives and negatives differ in camera, size or stain, a network can learn that difference
//! instead of cells and still reach good figures (Geirhos et al. 2020, "Shortcut learning in deep
//! neural networks").

use std::collections::BTreeSet;

use serde::Serialize;
use smartcore::algorithm::neighbour::KNNAlgorithmName;
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::neighbors::knn_classifier::{KNNClassifier, KNNClassifierParameters};
use smartcore::tree::decision_tree_classifier::{
    DecisionTreeClassifier, DecisionTreeClassifierParameters,
};

use crate::dataset::{Sample, Split};
use crate::error::TrainError;
use crate::training::{Folds, Prediction};

/// Required advantage of the network in accuracy.
const MIN_LEAD: f64 = 0.05;
/// Depth of the decision trees.
const DEPTH: u16 = 3;
/// Smallest number of training images per leaf.
const LEAF: usize = 3;
/// Number of nearest neighbours that vote.
const NEIGHBOURS: usize = 5;
/// Largest number of images among which neighbours are searched.
const NEIGHBOURS_KNOWN: usize = 4000;

/// The accuracy of guesses from one feature of the images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Shortcut {
    pub(crate) name: &'static str,
    pub(crate) accuracy: f64,
}

/// The trivial classifiers compared with the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Audit {
    /// The network's accuracy with a threshold of one half, as for the trivial classifiers.
    pub(crate) network: f64,
    pub(crate) shortcuts: Vec<Shortcut>,
}

/// Extracts the input of a trivial classifier.
type Feature<'a> = &'a dyn Fn(&Sample) -> Vec<f64>;

impl Audit {
    /// Guesses from each feature by a small decision tree and by the nearest neighbours, both fitted to
    /// the training and validation images of every fold and tested on the fold's test images. The
    /// better of the two counts.
    ///
    /// # Errors
    /// [`TrainError::Training`] if a guesser cannot be fitted.
    pub(crate) fn of(folds: &Folds, predictions: &[Prediction]) -> Result<Self, TrainError> {
        let right = |item: &&Prediction| (item.judged.probability >= 0.5) == item.sample.positive;
        let network = predictions.iter().filter(right).count() as f64 / predictions.len() as f64;
        let cameras: BTreeSet<&str> = predictions
            .iter()
            .filter_map(|item| item.sample.capture.camera.as_deref())
            .collect();
        let camera = |sample: &Sample| {
            let is =
                |name: &&str| f64::from(u8::from(sample.capture.camera.as_deref() == Some(*name)));
            // A constant column, in case no camera is known.
            cameras.iter().map(is).chain([0.0]).collect()
        };
        let features: [(&str, Feature); 6] = [
            ("nothing but the share of the classes", &|_| vec![0.0]),
            ("image size", &|sample| {
                let (width, height) = sample.size;
                vec![width.into(), height.into()]
            }),
            ("camera", &camera),
            ("mean colour", &|sample| mean_colour(sample, |_, _| true)),
            ("border pixels", &|sample| {
                let (right, bottom) = (sample.input.width() - 1, sample.input.height() - 1);
                mean_colour(sample, |x, y| x == 0 || y == 0 || x == right || y == bottom)
            }),
            ("file size", &|sample| vec![sample.file_bytes as f64]),
        ];
        let shortcuts = features
            .iter()
            .map(|(name, of)| {
                let mut right = [0; 2];
                for split in folds.tested() {
                    let more = correct_guesses(split, of).map_err(|error| failed(&error))?;
                    right = [right[0] + more[0], right[1] + more[1]];
                }
                Ok(Shortcut {
                    name,
                    accuracy: right[0].max(right[1]) as f64 / predictions.len() as f64,
                })
            })
            .collect::<Result<_, TrainError>>()?;
        Ok(Self { network, shortcuts })
    }

    /// A warning if there are shortcuts that the network is not clearly better than.
    pub(crate) fn warning(&self) -> Option<String> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let names: Vec<String> = self
            .shortcuts
            .iter()
            .filter(|shortcut| self.network < shortcut.accuracy + MIN_LEAD)
            .map(|Shortcut { name, accuracy }| format!("from {name} alone, {}", percent(*accuracy)))
            .collect();
        (!names.is_empty()).then(|| {
            format!(
                "The network is right on {} of the images, and so, within {}, is a guess {}: these \
                 figures do not show that it looks at cells.",
                percent(self.network),
                percent(MIN_LEAD),
                names.join("; ")
            )
        })
    }
}

fn failed(error: &Failed) -> TrainError {
    TrainError::Training {
        problem: format!("the shortcut audit failed: {error}"),
        remedy: "report it as a bug".into(),
    }
}

/// The number of test images that a decision tree, and the nearest neighbours, classify correctly.
fn correct_guesses(split: &Split, of: Feature) -> Result<[usize; 2], Failed> {
    let known: Vec<&Sample> = split
        .train
        .iter()
        .chain(&split.validation)
        .copied()
        .collect();
    let step = known.len().div_ceil(NEIGHBOURS_KNOWN).max(1);
    let some: Vec<&Sample> = known.iter().step_by(step).copied().collect();
    let matrix = |samples: &[&Sample]| {
        let rows: Vec<Vec<f64>> = samples.iter().map(|sample| of(sample)).collect();
        DenseMatrix::from_2d_vec(&rows)
    };
    let labels = |samples: &[&Sample]| -> Vec<u8> {
        samples
            .iter()
            .map(|sample| sample.positive.into())
            .collect()
    };
    let tested = matrix(&split.test)?;
    let tree = DecisionTreeClassifierParameters::default()
        .with_max_depth(DEPTH)
        .with_min_samples_leaf(LEAF);
    let tree = DecisionTreeClassifier::fit(&matrix(&known)?, &labels(&known), tree)?;
    let neighbours = KNNClassifierParameters::default()
        .with_algorithm(KNNAlgorithmName::LinearSearch)
        .with_k(NEIGHBOURS.min(some.len()));
    let neighbours = KNNClassifier::fit(&matrix(&some)?, &labels(&some), neighbours)?;
    let right = |guesses: Vec<u8>| {
        let pairs = split.test.iter().zip(guesses);
        pairs
            .filter(|(sample, guess)| sample.positive == (*guess == 1))
            .count()
    };
    Ok([
        right(tree.predict(&tested)?),
        right(neighbours.predict(&tested)?),
    ])
}

/// Mean colour of the pixels of the network's input that `counts` accepts.
fn mean_colour(sample: &Sample, counts: impl Fn(u32, u32) -> bool) -> Vec<f64> {
    let mut sums = [0.0; 3];
    let mut pixels = 0.0;
    for (x, y, pixel) in sample.input.enumerate_pixels() {
        if counts(x, y) {
            for (sum, value) in sums.iter_mut().zip(pixel.0) {
                *sum += f64::from(value);
            }
            pixels += 1.0;
        }
    }
    sums.map(|sum| sum / pixels).to_vec()
}
