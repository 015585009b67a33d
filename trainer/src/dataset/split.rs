//! Parts of a dataset that share no group.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Dataset, Sample};
use crate::error::TrainError;

/// Which images give the figures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TestPart {
    /// Groups drawn at random, about this share of each class.
    Share(f64),
    /// The files named in a text file, one a line.
    Listed(PathBuf),
    /// The 20 images of ALL-IDB1 that the reference project held back.
    Reference,
}

/// How a dataset is split; what is left trains.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SplitPlan {
    pub(crate) test: TestPart,
    /// About this share of each class chooses the epoch and the temperature.
    pub(crate) validation: f64,
    pub(crate) seed: u64,
}

/// Three parts that share no group.
#[derive(Debug, Default)]
pub(crate) struct Split {
    /// Moves the weights.
    pub(crate) train: Vec<Sample>,
    /// Chooses the epoch and the temperature.
    pub(crate) validation: Vec<Sample>,
    /// Gives the figures, once.
    pub(crate) test: Vec<Sample>,
}

const TRAIN: usize = 0;
const VALIDATION: usize = 1;
const TEST: usize = 2;

/// The test images of "Acute Lymphoblastic Leukemia oneAPI Classifier".
const REFERENCE_HOLDOUT: [&str; 20] = [
    "Im006_1", "Im020_1", "Im024_1", "Im026_1", "Im028_1", "Im031_1", "Im035_0", "Im041_0",
    "Im047_0", "Im053_1", "Im057_1", "Im060_1", "Im063_1", "Im069_0", "Im074_0", "Im088_0",
    "Im095_0", "Im099_0", "Im101_0", "Im106_0",
];

impl Dataset {
    /// Splits into parts of both classes alike that share no group.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the named test images are not there, or if they cut a group;
    /// [`TrainError::Training`] if there are too few groups for three parts of both classes.
    pub(crate) fn split(self, plan: &SplitPlan) -> Result<Split, TrainError> {
        let mut counts = vec![[0; 2]; self.groups.names.len()];
        for sample in &self.samples {
            counts[sample.group][usize::from(sample.positive)] += 1;
        }
        let part_of = match &plan.test {
            TestPart::Share(test) => {
                let shares = [1.0 - plan.validation - test, plan.validation, *test];
                allot(&counts, &shares, plan.seed)
            }
            named => {
                let held_out = self.named(named)?;
                self.refuse_cuts(&held_out)?;
                let mut parts = self.allot_rest(&counts, &held_out, plan);
                for index in held_out {
                    parts[self.samples[index].group] = TEST;
                }
                parts
            }
        };
        let mut split = Split::default();
        let (negative, positive) = (self.negative, self.positive);
        let groups_of = |class: usize| counts.iter().filter(|count| count[class] > 0).count();
        for sample in self.samples {
            match part_of[sample.group] {
                TRAIN => split.train.push(sample),
                VALIDATION => split.validation.push(sample),
                _ => split.test.push(sample),
            }
        }
        let parts = [
            ("training", &split.train),
            ("validation", &split.validation),
            ("test", &split.test),
        ];
        for (part, samples) in parts {
            for (class, name) in [(false, &negative), (true, &positive)] {
                if !samples.iter().any(|sample| sample.positive == class) {
                    return Err(TrainError::Training {
                        problem: format!(
                            "the {part} part would hold nothing of class {name}, which lies in {} groups",
                            groups_of(class.into())
                        ),
                        remedy: "give images of more patients, or larger shares".into(),
                    });
                }
            }
        }
        Ok(split)
    }

    /// The indices of the named test images.
    fn named(&self, test: &TestPart) -> Result<Vec<usize>, TrainError> {
        let (place, names) = match test {
            TestPart::Listed(path) => (path.as_path(), read_names(path)?),
            _ => (
                self.root.as_path(),
                REFERENCE_HOLDOUT.map(str::to_owned).to_vec(),
            ),
        };
        let mut indices = Vec::new();
        for name in names {
            let before = indices.len();
            let samples = self.samples.iter().enumerate();
            indices.extend(
                samples
                    .filter(|(_, sample)| is_named(&sample.path, &name))
                    .map(|(index, _)| index),
            );
            let found = indices.len() - before;
            if found != 1 {
                return Err(TrainError::data(
                    place,
                    format!("the held-out image {name} stands for {found} images"),
                    "name each held-out image by its file name, and make file names unique",
                ));
            }
        }
        Ok(indices)
    }

    /// Refuses test images of which a copy, or another image of the same group, would be trained on.
    fn refuse_cuts(&self, held_out: &[usize]) -> Result<(), TrainError> {
        const REMEDY: &str = "hold out both or neither: figures from such a split look better than \
                              the model is";
        let held: HashSet<usize> = held_out.iter().copied().collect();
        let path = |index: usize| self.samples[index].path.display();
        let cut = |one: &usize, other: &usize| held.contains(one) != held.contains(other);
        if let Some((one, other)) = self.groups.duplicates.all().find(|(a, b)| cut(a, b)) {
            return Err(TrainError::data(
                &self.root,
                format!(
                    "{} and {} are the same image, and one is held out",
                    path(one),
                    path(other)
                ),
                REMEDY,
            ));
        }
        for &one in held_out {
            let group = self.samples[one].group;
            let same_group = |index: &usize| self.samples[*index].group == group;
            let rest = (0..self.samples.len()).filter(same_group);
            if let Some(other) = rest.into_iter().find(|other| cut(&one, other)) {
                return Err(TrainError::data(
                    &self.root,
                    format!(
                        "{} is held out and {} is not, though both are of {}",
                        path(one),
                        path(other),
                        self.groups.names[group]
                    ),
                    REMEDY,
                ));
            }
        }
        Ok(())
    }

    /// Training and validation for the groups that are not held out.
    fn allot_rest(
        &self,
        counts: &[[usize; 2]],
        held_out: &[usize],
        plan: &SplitPlan,
    ) -> Vec<usize> {
        let mut rest = counts.to_vec();
        for &index in held_out {
            rest[self.samples[index].group] = [0; 2];
        }
        allot(&rest, &[1.0 - plan.validation, plan.validation], plan.seed)
    }
}

/// Gives every group to one part, so that each part comes as near as it can to its share of each
/// class. The largest groups choose first; those of a size in random order.
fn allot(counts: &[[usize; 2]], shares: &[f64], seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order.sort_by_key(|&group| std::cmp::Reverse(counts[group][0] + counts[group][1]));
    let totals = counts
        .iter()
        .fold([0; 2], |sum, count| [sum[0] + count[0], sum[1] + count[1]]);
    let mut filled = vec![[0_usize; 2]; shares.len()];
    let mut part_of = vec![0; counts.len()];
    for group in order {
        // How much the squared distance from the targets, relative to them, would grow.
        let growth = |part: usize| -> f64 {
            (0..2)
                .map(|class| {
                    let target = shares[part] * totals[class] as f64;
                    let (now, more) = (filled[part][class] as f64, counts[group][class] as f64);
                    more * (2.0 * (now - target) + more) / target.max(f64::MIN_POSITIVE)
                })
                .sum()
        };
        let part = (0..shares.len())
            .min_by(|&a, &b| growth(a).total_cmp(&growth(b)))
            .unwrap_or_default();
        for class in 0..2 {
            filled[part][class] += counts[group][class];
        }
        part_of[group] = part;
    }
    part_of
}

fn read_names(path: &Path) -> Result<Vec<String>, TrainError> {
    let text = fs::read_to_string(path).map_err(|error| {
        TrainError::data(
            path,
            format!("it cannot be read: {error}"),
            "give a text file with one file name a line",
        )
    })?;
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(Into::into)
        .collect())
}

/// Whether a path ends in this file name, with or without its extension.
fn is_named(path: &Path, name: &str) -> bool {
    path.ends_with(name) || path.with_extension("").ends_with(name)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::super::groups::{Basis, Duplicates, Groups};
    use super::*;

    /// One sample per class letter (`-` or `+`), in groups numbered by hand.
    fn dataset(samples: &[(char, usize)]) -> Dataset {
        let groups = samples
            .iter()
            .map(|(_, group)| group + 1)
            .max()
            .unwrap_or(0);
        Dataset {
            root: "data".into(),
            negative: "healthy".into(),
            positive: "blasts".into(),
            provenance: None,
            samples: samples
                .iter()
                .enumerate()
                .map(|(number, &(class, group))| Sample {
                    path: format!("data/{number}.png").into(),
                    positive: class == '+',
                    group,
                    input: RgbImage::new(1, 1),
                    picture: RgbImage::new(2, 2),
                })
                .collect(),
            groups: Groups {
                basis: Basis::Subject,
                of: samples.iter().map(|(_, group)| *group).collect(),
                names: (0..groups)
                    .map(|group| format!("patient {group}"))
                    .collect(),
                duplicates: Duplicates::default(),
            },
        }
    }

    fn plan(test: TestPart) -> SplitPlan {
        SplitPlan {
            test,
            validation: 0.2,
            seed: 1,
        }
    }

    fn parts(split: &Split) -> [&[Sample]; 3] {
        [&split.train, &split.validation, &split.test]
    }

    fn names(samples: &[Sample]) -> Vec<&Path> {
        samples.iter().map(|sample| sample.path.as_path()).collect()
    }

    #[test]
    fn single_images_split_by_their_shares() {
        let samples: Vec<(char, usize)> = (0..30)
            .map(|number| (if number < 20 { '-' } else { '+' }, number))
            .collect();
        let split = |seed| {
            let test = TestPart::Share(0.1);
            let plan = SplitPlan { seed, ..plan(test) };
            dataset(&samples).split(&plan).unwrap()
        };
        let first = split(1);
        let sizes = parts(&first).map(|part| {
            let positives = part.iter().filter(|sample| sample.positive).count();
            (part.len() - positives, positives)
        });
        assert_eq!(sizes, [(14, 7), (4, 2), (2, 1)]);
        assert_eq!(names(&first.test), names(&split(1).test));
        assert_ne!(names(&first.test), names(&split(2).test));
    }

    #[test]
    fn groups_stay_whole_and_both_classes_are_everywhere() {
        // The capture sessions of ALL-IDB1.
        let sessions = [
            ('+', 1),
            ('+', 2),
            ('+', 9),
            ('+', 5),
            ('+', 2),
            ('+', 14),
            ('-', 4),
            ('-', 5),
            ('-', 5),
            ('+', 16),
            ('-', 14),
            ('-', 17),
            ('-', 14),
        ];
        let samples: Vec<(char, usize)> = sessions
            .iter()
            .enumerate()
            .flat_map(|(group, &(class, size))| vec![(class, group); size])
            .collect();
        for seed in 0..20 {
            let plan = SplitPlan {
                seed,
                ..plan(TestPart::Share(0.2))
            };
            let split = dataset(&samples).split(&plan).unwrap();
            let groups = parts(&split).map(|part| {
                part.iter()
                    .map(|sample| sample.group)
                    .collect::<HashSet<_>>()
            });
            let total: usize = groups.iter().map(HashSet::len).sum();
            assert_eq!(total, sessions.len(), "seed {seed}");
            assert!(split.train.len() > 50, "seed {seed}: {}", split.train.len());
        }
    }

    #[test]
    fn too_few_groups_are_refused() {
        let samples: Vec<(char, usize)> = (0..30)
            .map(|number| {
                if number < 20 {
                    ('-', number)
                } else {
                    ('+', 20 + number % 2)
                }
            })
            .collect();
        let message = dataset(&samples)
            .split(&plan(TestPart::Share(0.2)))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("class blasts, which lies in 2 groups"),
            "{message}"
        );
    }

    /// What is said when these are held out.
    fn holdout(dataset: Dataset, names: &str) -> Result<Split, String> {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("holdout.txt");
        fs::write(&list, names).unwrap();
        let plan = plan(TestPart::Listed(list));
        dataset.split(&plan).map_err(|error| error.to_string())
    }

    fn pairs() -> Dataset {
        let samples: Vec<(char, usize)> = (0..24)
            .map(|number| (if number < 12 { '-' } else { '+' }, number / 2))
            .collect();
        dataset(&samples)
    }

    #[test]
    fn listed_images_are_the_test_part() {
        let split = holdout(pairs(), "0.png\n1\n\n 12.png\n13\n").unwrap();
        let expected = [0, 1, 12, 13].map(|number| format!("data/{number}.png"));
        assert_eq!(names(&split.test), expected.each_ref().map(Path::new));
        assert_eq!(split.train.len() + split.validation.len(), 20);
    }

    #[test]
    fn a_cut_group_is_refused() {
        let message = holdout(pairs(), "0\n12\n13\n").unwrap_err();
        assert!(
            message.contains("data/0.png is held out and data/1.png is not")
                && message.contains("patient 0"),
            "{message}"
        );
    }

    #[test]
    fn a_duplicate_on_the_other_side_is_refused() {
        for near in [false, true] {
            let mut dataset = pairs();
            let duplicates = &mut dataset.groups.duplicates;
            if near {
                duplicates.near.push((13, 20));
            } else {
                duplicates.exact.push((13, 20));
            }
            let message = holdout(dataset, "0\n1\n12\n13\n").unwrap_err();
            assert!(
                message.contains("data/13.png and data/20.png are the same image"),
                "{message}"
            );
        }
    }

    #[test]
    fn names_that_stand_for_nothing_are_refused() {
        let message = holdout(pairs(), "0\n1\nabsent\n").unwrap_err();
        assert!(message.contains("absent stands for 0 images"), "{message}");
        let plan = plan(TestPart::Reference);
        let message = pairs().split(&plan).unwrap_err().to_string();
        assert!(message.contains("Im006_1"), "{message}");
    }
}
