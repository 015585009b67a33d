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
use smartcore::tree::decision_tree_regressor::{
    DecisionTreeRegressor, DecisionTreeRegressorParameters,
};

use crate::dataset::{Sample, Split};
use crate::error::TrainError;
use crate::metrics::{ClassWeights, Confusion};
use crate::training::{Folds, Prediction};

/// Required advantage of the network in balanced accuracy.
const MIN_LEAD: f64 = 0.05;
/// Depth of the decision trees.
const DEPTH: u16 = 3;
/// Smallest number of training images per leaf.
const LEAF: usize = 3;
/// Number of nearest neighbours that vote.
const NEIGHBOURS: usize = 5;
/// Largest number of images among which neighbours are searched.
const NEIGHBOURS_KNOWN: usize = 4000;

/// The balanced accuracy of guesses from one feature of the images: the network's probabilities are for
/// even classes, so the guesses must not profit from the share of the classes either.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Shortcut {
    pub(crate) name: &'static str,
    pub(crate) accuracy: f64,
}

/// The trivial classifiers compared with the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Audit {
    /// The network's balanced accuracy with a threshold of one half, as for the trivial classifiers.
    pub(crate) network: f64,
    pub(crate) shortcuts: Vec<Shortcut>,
}

/// Extracts the input of a trivial classifier.
type Feature<'a> = &'a dyn Fn(&Sample) -> Vec<f64>;

impl Audit {
    /// Guesses from each feature by a small decision tree and by the nearest neighbours, both fitted to
    /// the training and validation images of every fold, where both classes weigh the same, and tested
    /// on the fold's test images. The better of the two counts.
    ///
    /// # Errors
    /// [`TrainError::Training`] if a guesser cannot be fitted.
    pub(crate) fn of(folds: &Folds, predictions: &[Prediction]) -> Result<Self, TrainError> {
        let called = predictions
            .iter()
            .map(|item| (item.sample.positive, item.judged.probability >= 0.5));
        let network = Confusion::count(called).balanced_accuracy();
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
            ("nothing", &|_| vec![0.0]),
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
                let (mut by_tree, mut by_neighbours) = (Vec::new(), Vec::new());
                for split in folds.tested() {
                    let [tree, neighbours] = guesses(split, of).map_err(|error| failed(&error))?;
                    by_tree.extend(tree);
                    by_neighbours.extend(neighbours);
                }
                let [tree, neighbours] = [by_tree, by_neighbours]
                    .map(|guesses| Confusion::count(guesses).balanced_accuracy());
                Ok(Shortcut {
                    name,
                    accuracy: tree.max(neighbours),
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
                "With both classes counted the same, the network is right on {} of the images, and so, \
                 within {}, is a guess {}: these figures do not show that it looks at cells.",
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

/// What a decision tree, and the nearest neighbours, guess: for each test image, whether it is positive
/// and whether it is called so.
fn guesses(split: &Split, of: Feature) -> Result<[Vec<(bool, bool)>; 2], Failed> {
    // The part of positive images in a leaf with as many of both classes, and room for rounding.
    const EVEN: f64 = 0.5 + 1e-9;

    let known: Vec<&Sample> = split
        .train
        .iter()
        .chain(&split.validation)
        .copied()
        .collect();
    let some = as_many_of_each(&known);
    let matrix = |samples: &[&Sample]| {
        let rows: Vec<Vec<f64>> = samples.iter().map(|sample| of(sample)).collect();
        DenseMatrix::from_2d_vec(&rows)
    };
    let weights = ClassWeights::balance(known.iter().map(|sample| sample.positive));
    let weights: Vec<f64> = known
        .iter()
        .map(|sample| weights.of(sample.positive))
        .collect();
    let targets: Vec<f64> = known
        .iter()
        .map(|sample| u8::from(sample.positive).into())
        .collect();
    let labels: Vec<u8> = some.iter().map(|sample| sample.positive.into()).collect();
    let tested = matrix(&split.test)?;
    // The library's tree for classes takes no weights, and skips some splits where values repeat.
    let tree = DecisionTreeRegressorParameters::default()
        .with_max_depth(DEPTH)
        .with_min_samples_leaf(LEAF);
    let tree = DecisionTreeRegressor::fit_with_weights(&matrix(&known)?, &targets, &weights, tree)?;
    let neighbours = KNNClassifierParameters::default()
        .with_algorithm(KNNAlgorithmName::LinearSearch)
        .with_k(NEIGHBOURS.min(some.len()));
    let neighbours = KNNClassifier::fit(&matrix(&some)?, &labels, neighbours)?;
    let told = |calls: Vec<bool>| {
        let tested = split.test.iter().map(|sample| sample.positive);
        tested.zip(calls).collect()
    };
    let by_tree = tree
        .predict(&tested)?
        .iter()
        .map(|part| *part > EVEN)
        .collect();
    let by_neighbours = neighbours
        .predict(&tested)?
        .iter()
        .map(|label| *label == 1)
        .collect();
    Ok([told(by_tree), told(by_neighbours)])
}

/// As many samples of each class, at even distances, up to [`NEIGHBOURS_KNOWN`].
fn as_many_of_each<'a>(samples: &[&'a Sample]) -> Vec<&'a Sample> {
    let classes = [false, true].map(|positive| -> Vec<&Sample> {
        let samples = samples.iter().copied();
        samples
            .filter(|sample| sample.positive == positive)
            .collect()
    });
    let classes = || classes.iter().filter(|class| !class.is_empty());
    let fewest = classes().map(Vec::len).min().unwrap_or(0);
    let count = fewest.min(NEIGHBOURS_KNOWN / 2);
    classes()
        .flat_map(|class| (0..count).map(|number| class[number * class.len() / count]))
        .collect()
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

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "fractions of small counts are exact")]
mod tests {
    use super::*;

    /// Forty negative images and three times as many positive ones, whose file sizes differ a little.
    #[test]
    fn guesses_do_not_profit_from_the_share_of_the_classes() {
        let [negative, positive] = [0, 1].map(|number| Sample::drawn(number, 16));
        let of_size = |sample: &Sample, file_bytes| Sample {
            file_bytes,
            ..sample.clone()
        };
        let samples: Vec<Sample> = (0..40)
            .map(|number| of_size(&negative, usize::from(number < 10)))
            .chain((0..120).map(|number| of_size(&positive, usize::from(number < 60))))
            .collect();
        let split = Split {
            train: samples.iter().collect(),
            validation: Vec::new(),
            test: samples.iter().collect(),
        };
        let accuracies = |of: Feature| {
            guesses(&split, of)
                .unwrap()
                .map(|guesses| Confusion::count(guesses).balanced_accuracy())
        };
        assert_eq!(accuracies(&|_| vec![0.0]), [0.5; 2]);
        // Two in three files of size 0 are positive, but three in five negative where classes are even.
        let [tree, neighbours] = accuracies(&|sample| vec![sample.file_bytes as f64]);
        assert_eq!(tree, f64::midpoint(30.0 / 40.0, 60.0 / 120.0));
        assert!(neighbours >= 0.5, "{neighbours}");
        let labels = accuracies(&|sample| vec![f64::from(u8::from(sample.positive))]);
        assert_eq!(labels, [1.0; 2]);
    }
}
