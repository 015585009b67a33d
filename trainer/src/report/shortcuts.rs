//! What trivial classifiers, blind to cells, make of the same images under the same protocol.
//!
//! A collection whose positives come from another camera, size or stain than its negatives teaches a
//! network just that, and its figures look fine (Geirhos et al. 2020, "Shortcut
//! learning in deep neural networks").

use std::collections::BTreeSet;

use serde::Serialize;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::tree::decision_tree_classifier::{
    DecisionTreeClassifier, DecisionTreeClassifierParameters,
};

use crate::dataset::{Sample, Split};
use crate::error::TrainError;
use crate::training::protocol::{Folds, Prediction};

/// A network that is ahead of a trivial classifier by less has not shown that it looks at cells.
const LEAD: f64 = 0.05;
/// Questions that a trivial classifier may ask one after the other.
const DEPTH: u16 = 3;
/// Images that an answer must rest on.
const LEAF: usize = 3;

/// How often the class was guessed right from one trait of the images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Shortcut {
    pub(crate) name: &'static str,
    pub(crate) accuracy: f64,
}

/// Trivial classifiers beside the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Audit {
    /// The network's accuracy at a probability of one half, which is what the guesses aim at too.
    pub(crate) network: f64,
    pub(crate) shortcuts: Vec<Shortcut>,
}

/// What a guess may know of an image.
type Trait<'a> = &'a dyn Fn(&Sample) -> Vec<f64>;

impl Audit {
    /// Fits a small decision tree to each trait of every fold's training and validation images, and
    /// lets it guess the tested ones.
    ///
    /// # Errors
    /// [`TrainError::Training`] if a tree cannot be fitted.
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
            // Constant, so that there is a column even where no camera is known.
            cameras.iter().map(is).chain([0.0]).collect()
        };
        let traits: [(&str, Trait); 6] = [
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
        let shortcuts = traits
            .iter()
            .map(|(name, of)| {
                let mut right = 0;
                for split in folds.tested() {
                    right += guessed(split, of)?;
                }
                Ok(Shortcut {
                    name,
                    accuracy: right as f64 / predictions.len() as f64,
                })
            })
            .collect::<Result<_, TrainError>>()?;
        Ok(Self { network, shortcuts })
    }

    /// In plain words, what the network has not shown to do better than.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        self.shortcuts
            .iter()
            .filter(|shortcut| self.network < shortcut.accuracy + LEAD)
            .map(|Shortcut { name, accuracy }| {
                format!(
                    "A guess from {name} alone is right on {} of the images, the network on {}: these \
                     figures do not show that it looks at cells.",
                    percent(*accuracy),
                    percent(self.network)
                )
            })
            .collect()
    }
}

/// How many tested images a decision tree gets right.
fn guessed(split: &Split, of: Trait) -> Result<usize, TrainError> {
    let known: Vec<&Sample> = split
        .train
        .iter()
        .chain(&split.validation)
        .copied()
        .collect();
    let matrix = |samples: &[&Sample]| {
        let rows: Vec<Vec<f64>> = samples.iter().map(|sample| of(sample)).collect();
        DenseMatrix::from_2d_vec(&rows)
    };
    let labels: Vec<u8> = known.iter().map(|sample| sample.positive.into()).collect();
    let parameters = DecisionTreeClassifierParameters::default()
        .with_max_depth(DEPTH)
        .with_min_samples_leaf(LEAF);
    let guesses = matrix(&known)
        .and_then(|known| DecisionTreeClassifier::fit(&known, &labels, parameters))
        .and_then(|tree| tree.predict(&matrix(&split.test)?))
        .map_err(|error| TrainError::Training {
            problem: format!("the audit for shortcuts: {error}"),
            remedy: "please report it".into(),
        })?;
    let tested = split.test.iter().zip(&guesses);
    Ok(tested
        .filter(|(sample, guess)| sample.positive == (**guess == 1))
        .count())
}

/// Of the pixels of the network's input that count.
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
