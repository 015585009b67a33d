//! Labelled images in one folder per class, as network inputs, and how they are split.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use indicatif::ParallelProgressIterator;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{ArtifactError, InputContract, Preprocessor};

use crate::error::TrainError;
use crate::progress;

/// Where a collection of images comes from; lies beside the class folders where it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provenance {
    /// What they are, in words.
    pub(crate) origin: String,
    /// The command that makes them again.
    pub(crate) command: String,
}

impl Provenance {
    const FILE_NAME: &str = "dataset.toml";

    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let path = folder.join(Self::FILE_NAME);
        let text = toml::to_string(self)
            .map_err(|error| TrainError::output(&path, io::Error::other(error)))?;
        fs::write(&path, text).map_err(|source| TrainError::output(&path, source))
    }

    fn read(folder: &Path) -> Result<Option<Self>, TrainError> {
        let path = folder.join(Self::FILE_NAME);
        let remedy = "correct or remove it";
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .map_err(|error| TrainError::data(&path, error.message(), remedy)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TrainError::data(&path, error.to_string(), remedy)),
        }
    }
}

/// Labelled images, ready for the network.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) negative: String,
    pub(crate) positive: String,
    pub(crate) provenance: Option<Provenance>,
    pub(crate) samples: Vec<Sample>,
}

/// One labelled image.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) path: PathBuf,
    pub(crate) positive: bool,
    /// The network's input, as the contract lays it out.
    pub(crate) input: Vec<f32>,
}

impl Dataset {
    /// Reads every image of every class folder. An image that cannot be used is an error: a model
    /// must not rest on fewer images than its maker believes.
    pub(crate) fn load(
        root: &Path,
        positive: &str,
        contract: &InputContract,
    ) -> Result<Self, TrainError> {
        let classes = class_folders(root)?;
        let listed = classes.join(", ");
        let negatives: Vec<&String> = classes.iter().filter(|class| *class != positive).collect();
        if negatives.len() == classes.len() {
            return Err(TrainError::data(
                root,
                format!("there is no class folder `{positive}`, only: {listed}"),
                "name the folder of the positive class with --positive",
            ));
        }
        let negative = match negatives[..] {
            [] => {
                return Err(TrainError::data(
                    root,
                    format!("there is one class only: {listed}"),
                    "put images of the other class into a folder beside it",
                ));
            }
            [one] => one.clone(),
            _ => "negative".into(),
        };
        let mut labelled = Vec::new();
        for class in &classes {
            let folder = root.join(class);
            let paths = list(&folder)?;
            if paths.is_empty() {
                return Err(TrainError::data(
                    &folder,
                    "this class folder is empty",
                    "put images into it, or remove it",
                ));
            }
            labelled.extend(paths.into_iter().map(|path| (path, class == positive)));
        }
        Ok(Self {
            negative,
            positive: positive.into(),
            provenance: Provenance::read(root)?,
            samples: read_all(root, labelled, contract)?,
        })
    }

    /// Splits into parts of both classes alike.
    pub(crate) fn split(self, shares: &Shares, seed: u64) -> Result<Split, TrainError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut split = Split::default();
        let (positives, negatives): (Vec<Sample>, Vec<Sample>) =
            self.samples.into_iter().partition(|sample| sample.positive);
        for (mut of_class, class) in [(negatives, &self.negative), (positives, &self.positive)] {
            of_class.shuffle(&mut rng);
            let part = |share: f64| ((of_class.len() as f64 * share).round() as usize).max(1);
            let (validation, test) = (part(shares.validation), part(shares.test));
            if of_class.len() < validation + test + 1 {
                return Err(TrainError::Training {
                    problem: format!(
                        "class {class} has {} images, too few for training, validation and test",
                        of_class.len()
                    ),
                    remedy: "give more images, or a smaller --validation-share or --test-share"
                        .into(),
                });
            }
            split.test.extend(of_class.drain(..test));
            split.validation.extend(of_class.drain(..validation));
            split.train.extend(of_class);
        }
        Ok(split)
    }
}

/// Which share of each class goes where; the rest trains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shares {
    pub(crate) validation: f64,
    pub(crate) test: f64,
}

/// Three parts that share no image.
#[derive(Debug, Default)]
pub(crate) struct Split {
    /// Moves the weights.
    pub(crate) train: Vec<Sample>,
    /// Chooses the epoch and the temperature.
    pub(crate) validation: Vec<Sample>,
    /// Gives the figures, once.
    pub(crate) test: Vec<Sample>,
}

fn class_folders(root: &Path) -> Result<Vec<String>, TrainError> {
    let mut classes: Vec<String> = entries(root)?
        .into_iter()
        .filter(|path| path.is_dir())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    classes.sort();
    if classes.is_empty() {
        return Err(TrainError::data(
            root,
            "there are no class folders in it",
            "give a folder that holds one folder of images per class",
        ));
    }
    Ok(classes)
}

/// The images of one class, in the order of their names.
fn list(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let mut paths = entries(folder)?;
    paths.sort();
    Ok(paths)
}

/// What lies in a folder, without hidden files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let unreadable = |error: io::Error| {
        TrainError::data(
            folder,
            format!("the folder cannot be read: {error}"),
            "check the path and its permissions",
        )
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

fn read_all(
    root: &Path,
    labelled: Vec<(PathBuf, bool)>,
    contract: &InputContract,
) -> Result<Vec<Sample>, TrainError> {
    const MOST_NAMED: usize = 10;

    let bar = progress::bar(labelled.len() as u64, "images read");
    let read: Vec<Result<Sample, String>> = labelled
        .into_par_iter()
        .progress_with(bar)
        .map(|(path, positive)| match prepare(&path, contract) {
            Ok(input) => Ok(Sample {
                path,
                positive,
                input,
            }),
            Err(error) => Err(format!("{}: {error}", path.display())),
        })
        .collect();
    let mut samples = Vec::with_capacity(read.len());
    let mut unusable = Vec::new();
    for outcome in read {
        match outcome {
            Ok(sample) => samples.push(sample),
            Err(message) => unusable.push(message),
        }
    }
    if unusable.is_empty() {
        return Ok(samples);
    }
    let count = unusable.len();
    unusable.truncate(MOST_NAMED);
    let more = match count - unusable.len() {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    Err(TrainError::data(
        root,
        format!(
            "{count} files cannot be used:\n  {}{more}\n",
            unusable.join("\n  ")
        ),
        "repair them, or take them out of the class folders",
    ))
}

fn prepare(path: &Path, contract: &InputContract) -> Result<Vec<f32>, ArtifactError> {
    let image = decode::read(path, &Limits::default())?;
    Ok(Preprocessor::new(contract.clone())?
        .prepare(&image)?
        .data
        .clone())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use image::RgbImage;

    use super::*;
    use crate::network::Architecture;

    fn contract() -> InputContract {
        Architecture {
            side: 16,
            filters: 2,
        }
        .input_contract()
    }

    fn folder_with(classes: &[(&str, usize)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (class, count) in classes {
            fs::create_dir(root.path().join(class)).unwrap();
            for number in 0..*count {
                let shade = (number * 9) as u8;
                let image = RgbImage::from_pixel(20, 20, image::Rgb([shade, 100, 150]));
                image
                    .save(root.path().join(class).join(format!("{number}.png")))
                    .unwrap();
            }
        }
        root
    }

    fn failure(root: &Path, positive: &str) -> String {
        Dataset::load(root, positive, &contract())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn classes_come_from_folders() {
        let root = folder_with(&[("healthy", 3), ("blasts", 2)]);
        let dataset = Dataset::load(root.path(), "blasts", &contract()).unwrap();
        assert_eq!(
            (dataset.negative.as_str(), dataset.positive.as_str()),
            ("healthy", "blasts")
        );
        assert_eq!(
            dataset
                .samples
                .iter()
                .filter(|sample| sample.positive)
                .count(),
            2
        );
        assert_eq!(dataset.samples.len(), 5);
        assert!(
            dataset
                .samples
                .iter()
                .all(|sample| sample.input.len() == 16 * 16 * 3)
        );
        assert_eq!(dataset.provenance, None);
    }

    #[test]
    fn bad_datasets_are_refused_with_a_remedy() {
        let missing = Path::new("/nowhere/at/all");
        assert!(failure(missing, "positive").contains("/nowhere/at/all"));

        let none = folder_with(&[]);
        assert!(failure(none.path(), "positive").contains("no class folders"));

        let one = folder_with(&[("positive", 2)]);
        assert!(failure(one.path(), "positive").contains("one class only"));

        let other = folder_with(&[("a", 1), ("b", 1)]);
        let message = failure(other.path(), "positive");
        assert!(
            message.contains("--positive") && message.contains("a, b"),
            "{message}"
        );

        let empty = folder_with(&[("negative", 1), ("positive", 0)]);
        assert!(failure(empty.path(), "positive").contains("empty"));
    }

    #[test]
    fn unusable_files_are_named() {
        let root = folder_with(&[("negative", 2), ("positive", 2)]);
        fs::write(root.path().join("negative/broken.jpg"), b"no image").unwrap();
        fs::create_dir(root.path().join("positive/nested")).unwrap();
        let message = failure(root.path(), "positive");
        assert!(message.contains("2 files"), "{message}");
        assert!(
            message.contains("broken.jpg") && message.contains("nested"),
            "{message}"
        );
    }

    #[test]
    fn splits_are_stratified_disjoint_and_repeatable() {
        let root = folder_with(&[("negative", 20), ("positive", 10)]);
        let shares = Shares {
            validation: 0.2,
            test: 0.1,
        };
        let split = |seed| {
            Dataset::load(root.path(), "positive", &contract())
                .unwrap()
                .split(&shares, seed)
                .unwrap()
        };
        let names = |samples: &[Sample]| -> Vec<PathBuf> {
            samples.iter().map(|sample| sample.path.clone()).collect()
        };
        let first = split(1);
        let sizes = [&first.train, &first.validation, &first.test].map(|part| {
            let positives = part.iter().filter(|sample| sample.positive).count();
            (part.len() - positives, positives)
        });
        assert_eq!(sizes, [(14, 7), (4, 2), (2, 1)]);
        let all: HashSet<PathBuf> = [&first.train, &first.validation, &first.test]
            .into_iter()
            .flat_map(|part| names(part))
            .collect();
        assert_eq!(all.len(), 30);
        assert_eq!(names(&first.test), names(&split(1).test));
        assert_ne!(names(&first.test), names(&split(2).test));
    }

    #[test]
    fn too_few_images_for_three_parts_are_refused() {
        let root = folder_with(&[("negative", 9), ("positive", 2)]);
        let shares = Shares {
            validation: 0.2,
            test: 0.2,
        };
        let message = Dataset::load(root.path(), "positive", &contract())
            .unwrap()
            .split(&shares, 1)
            .unwrap_err()
            .to_string();
        assert!(message.contains("class positive has 2 images"), "{message}");
    }
}
