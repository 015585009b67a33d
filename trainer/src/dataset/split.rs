//! Splits of a dataset into training, validation and test images that share no group.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::holdout::Holdout;
use super::load::Dataset;
use super::sample::Sample;
use super::stratify::stratify;
use super::test_plan::{SplitPlan, TestPlan};
use crate::error::TrainError;

/// Three parts that share no group.
#[derive(Debug, Default)]
pub(crate) struct Split<'a> {
    /// Images that the weights are fitted to.
    pub(crate) train: Vec<&'a Sample>,
    /// Images that choose the epoch.
    pub(crate) validation: Vec<&'a Sample>,
    /// Images that give the figures.
    pub(crate) test: Vec<&'a Sample>,
}

impl Dataset {
    /// The splits that give the figures. They keep groups together and test none twice.
    ///
    /// # Errors
    /// [`TrainError::Data`] if named test images are missing or cut a group;
    /// [`TrainError::Training`] if there are too few groups for parts of both classes.
    pub(crate) fn splits(&self, plan: &SplitPlan, seed: u64) -> Result<Vec<Split<'_>>, TrainError> {
        let counts = self.counts();
        let fold_of = match &plan.test {
            TestPlan::Folds(folds) => {
                refuse_more_folds_than(counts.len(), *folds)?;
                let shares = vec![1.0 / *folds as f64; *folds];
                // One group for training, one for validation.
                stratify(&counts, &shares, 2, seed)
            }
            TestPlan::EachGroup => (0..counts.len()).collect(),
            TestPlan::Leaky(holdout) => {
                return Ok(vec![self.leaky_split(plan, holdout.as_ref(), seed)?]);
            }
            TestPlan::Named(holdout) => {
                let held_out = self.held_out(holdout)?;
                self.refuse_cut_groups(&held_out)?;
                return Ok(vec![self.split_with(&counts, plan, seed, |index, _| {
                    held_out.contains(&index)
                })?]);
            }
        };
        let folds: BTreeSet<usize> = fold_of.iter().copied().collect();
        folds
            .into_iter()
            .map(|fold| self.split_with(&counts, plan, seed, |_, group| fold_of[group] == fold))
            .collect()
    }

    /// Splits samples as if they were independent of each other.
    fn leaky_split(
        &self,
        plan: &SplitPlan,
        holdout: Option<&Holdout>,
        seed: u64,
    ) -> Result<Split<'_>, TrainError> {
        let held_out = match holdout {
            None => Vec::new(),
            Some(holdout) => self.held_out(holdout)?,
        };
        let mut rest: Vec<usize> = (0..self.samples.len()).collect();
        rest.retain(|index| !held_out.contains(index));
        rest.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let validated = (plan.validation * rest.len() as f64).round() as usize;
        let (validation, train) = rest.split_at(validated);
        let samples = |indices: &[usize]| -> Vec<&Sample> {
            indices.iter().map(|&index| &self.samples[index]).collect()
        };
        let tested = if held_out.is_empty() {
            validation
        } else {
            &held_out
        };
        let split = Split {
            train: samples(train),
            validation: samples(validation),
            test: samples(tested),
        };
        self.refuse_missing_class(&split)?;
        Ok(split)
    }

    /// All images, split for a network that is not tested.
    ///
    /// # Errors
    /// [`TrainError::Training`] if there are too few groups for two parts of both classes.
    pub(crate) fn whole(&self, plan: &SplitPlan, seed: u64) -> Result<Split<'_>, TrainError> {
        self.split_with(&self.counts(), plan, seed, |_, _| false)
    }

    /// Negatives and positives of each group.
    fn counts(&self) -> Vec<[usize; 2]> {
        let mut counts = vec![[0; 2]; self.groups.names.len()];
        for sample in &self.samples {
            counts[sample.group][usize::from(sample.positive)] += 1;
        }
        counts
    }

    /// Splits the samples that `is_tested` rejects, given their index and group, into training and
    /// validation.
    fn split_with(
        &self,
        counts: &[[usize; 2]],
        plan: &SplitPlan,
        seed: u64,
        is_tested: impl Fn(usize, usize) -> bool,
    ) -> Result<Split<'_>, TrainError> {
        let mut rest = counts.to_vec();
        let mut split = Split::default();
        for (index, sample) in self.samples.iter().enumerate() {
            if is_tested(index, sample.group) {
                rest[sample.group] = [0; 2];
                split.test.push(sample);
            }
        }
        let shares = [1.0 - plan.validation, plan.validation];
        let part_of = stratify(&rest, &shares, 1, seed);
        for (index, sample) in self.samples.iter().enumerate() {
            if is_tested(index, sample.group) {
                continue;
            }
            match part_of[sample.group] {
                0 => split.train.push(sample),
                _ => split.validation.push(sample),
            }
        }
        self.refuse_missing_class(&split)?;
        Ok(split)
    }

    /// Refuses a split whose training or validation part lacks a class.
    fn refuse_missing_class(&self, split: &Split) -> Result<(), TrainError> {
        for (part, samples) in [
            ("training", &split.train),
            ("validation", &split.validation),
        ] {
            for (class, name) in [(false, &self.negative), (true, &self.positive)] {
                if !samples.iter().any(|sample| sample.positive == class) {
                    let in_class = |count: &&[usize; 2]| count[usize::from(class)] > 0;
                    let counts = self.counts();
                    return Err(TrainError::Training {
                        problem: format!(
                            "the {part} part would hold no image of class {name}, which has {} groups",
                            counts.iter().filter(in_class).count()
                        ),
                        remedy:
                            "add images of more patients (at least three of each class, better \
                                 ten), or change --folds, --validation-share or --seed"
                                .into(),
                    });
                }
            }
        }
        Ok(())
    }
}

fn refuse_more_folds_than(groups: usize, folds: usize) -> Result<(), TrainError> {
    if folds <= groups {
        return Ok(());
    }
    Err(TrainError::Training {
        problem: format!("{folds} folds need as many groups, and there are {groups}"),
        remedy: "lower --folds, or add images of more patients".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::PathBuf;

    use image::RgbImage;

    use super::super::appearance::Appearance;
    use super::super::capture::Capture;
    use super::super::classes::Classes;
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
            classes: Classes::default(),
            warnings: Vec::new(),
            provenance: None,
            samples: samples
                .iter()
                .enumerate()
                .map(|(number, &(class, group))| Sample {
                    path: format!("data/{number}.png").into(),
                    sha256: number.to_string(),
                    class: class.to_string(),
                    positive: class == '+',
                    group,
                    capture: Capture::default(),
                    size: (1, 1),
                    file_bytes: 1,
                    appearance: Appearance::of(&RgbImage::new(2, 2), b""),
                    input: RgbImage::new(1, 1),
                    picture: RgbImage::new(2, 2),
                    cells: None,
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

    fn plan(test: TestPlan) -> SplitPlan {
        SplitPlan {
            test,
            validation: 0.2,
        }
    }

    fn names(samples: &[&Sample]) -> Vec<PathBuf> {
        samples.iter().map(|sample| sample.path.clone()).collect()
    }

    #[test]
    fn folds_of_single_images_are_stratified_and_follow_the_seed() {
        let samples: Vec<(char, usize)> = (0..30)
            .map(|number| (if number < 20 { '-' } else { '+' }, number))
            .collect();
        let dataset = dataset(&samples);
        let splits = |seed| dataset.splits(&plan(TestPlan::Folds(5)), seed).unwrap();
        let first = splits(1);
        for split in &first {
            let sizes = [&split.train, &split.validation, &split.test].map(|part| {
                let positives = part.iter().filter(|sample| sample.positive).count();
                (part.len() - positives, positives)
            });
            assert_eq!(sizes, [(13, 6), (3, 2), (4, 2)]);
        }
        let tested = |splits: &[Split]| -> Vec<Vec<PathBuf>> {
            splits.iter().map(|split| names(&split.test)).collect()
        };
        assert_eq!(tested(&first), tested(&splits(1)));
        assert_ne!(tested(&first), tested(&splits(2)));
    }

    /// The capture sessions of ALL-IDB1.
    fn sessions() -> Dataset {
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
        dataset(&samples)
    }

    fn assert_each_is_tested_apart_from_its_group(dataset: &Dataset, plan: &SplitPlan, seed: u64) {
        let mut tested: Vec<PathBuf> = Vec::new();
        for split in dataset.splits(plan, seed).unwrap() {
            let groups = [&split.train, &split.validation, &split.test].map(|part| {
                part.iter()
                    .map(|sample| sample.group)
                    .collect::<HashSet<_>>()
            });
            let total: usize = groups.iter().map(HashSet::len).sum();
            assert_eq!(total, 13, "{plan:?}");
            tested.extend(names(&split.test));
        }
        tested.sort();
        let mut all: Vec<PathBuf> = dataset.samples.iter().map(|s| s.path.clone()).collect();
        all.sort();
        assert_eq!(tested, all);
    }

    #[test]
    fn every_image_is_tested_once_and_apart_from_its_group() {
        let dataset = sessions();
        for seed in 0..20 {
            for (folds, test) in (2..=13)
                .map(|folds| (folds, TestPlan::Folds(folds)))
                .chain([(13, TestPlan::EachGroup)])
            {
                let plan = plan(test);
                assert_each_is_tested_apart_from_its_group(&dataset, &plan, seed);
                let splits = dataset.splits(&plan, seed).unwrap();
                assert_eq!(splits.len(), folds);
                // Six sessions are healthy, seven are not.
                for split in splits.iter().filter(|_| folds <= 6) {
                    let positives = split.test.iter().filter(|sample| sample.positive).count();
                    assert!(positives > 0 && positives < split.test.len(), "{plan:?}");
                }
            }
        }
        let plan = plan(TestPlan::EachGroup);
        let whole = dataset.whole(&plan, 1).unwrap();
        assert_eq!(whole.train.len() + whole.validation.len(), 108);
        assert!(whole.test.is_empty() && whole.train.len() > 70);
    }

    #[test]
    fn more_folds_than_groups_are_refused() {
        let error = sessions()
            .splits(&plan(TestPlan::Folds(14)), 1)
            .unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("14 folds need as many groups, and there are 13"),
            "{message}"
        );
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
            .splits(&plan(TestPlan::Folds(5)), 1)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("class blasts, which has 2 groups"),
            "{message}"
        );
    }

    /// What is said when these are held out.
    fn holdout<'a>(dataset: &'a Dataset, names: &str) -> Result<Split<'a>, String> {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("holdout.txt");
        fs::write(&list, names).unwrap();
        let plan = plan(TestPlan::Named(Holdout::Listed(list)));
        let splits = dataset
            .splits(&plan, 1)
            .map_err(|error| error.to_string())?;
        assert_eq!(splits.len(), 1);
        Ok(splits.into_iter().next().unwrap())
    }

    fn pairs() -> Dataset {
        let samples: Vec<(char, usize)> = (0..24)
            .map(|number| (if number < 12 { '-' } else { '+' }, number / 2))
            .collect();
        dataset(&samples)
    }

    #[test]
    fn listed_images_are_the_test_part() {
        let dataset = pairs();
        let split = holdout(&dataset, "0.png\n1\n\n 12.png\n13\n").unwrap();
        let expected = [0, 1, 12, 13].map(|number| format!("data/{number}.png"));
        assert_eq!(names(&split.test), expected.map(PathBuf::from));
        assert_eq!(split.train.len() + split.validation.len(), 20);
    }

    #[test]
    fn a_cut_group_is_refused() {
        let message = holdout(&pairs(), "0\n12\n13\n").unwrap_err();
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
            let message = holdout(&dataset, "0\n1\n12\n13\n").unwrap_err();
            assert!(
                message.contains("data/13.png and data/20.png are the same image"),
                "{message}"
            );
        }
    }

    #[test]
    fn names_that_match_no_image_are_refused() {
        let message = holdout(&pairs(), "0\n1\nabsent\n").unwrap_err();
        assert!(message.contains("absent matches 0 images"), "{message}");
        let message = holdout(&pairs(), " \n\n").unwrap_err();
        assert!(message.contains("it names no image"), "{message}");
        let plan = plan(TestPlan::Named(Holdout::Reference));
        let message = pairs().splits(&plan, 1).unwrap_err().to_string();
        assert!(message.contains("Im006_1"), "{message}");
    }
}
