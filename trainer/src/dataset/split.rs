//! Parts of a dataset that share no group.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::load::{Dataset, Sample};
use super::stratify::allot;
use crate::error::TrainError;

/// Which images give the figures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TestPlan {
    /// Every image once: in so many folds, each of them tested by a network that trained on the
    /// others (stratified group k-fold).
    Folds(usize),
    /// The same with every group a fold of its own (leave-one-group-out).
    EachGroup,
    /// Those held out by name.
    Named(Holdout),
    /// The published procedure, for comparison: images are varied first, and then split at random,
    /// so that copies of validation images are trained on. Those held out by name are not varied,
    /// but may be of a patient that is trained on; without any, the validation images are tested.
    Leaky(Option<Holdout>),
}

/// Images held out by name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Holdout {
    /// The files named in a text file, one a line.
    Listed(PathBuf),
    /// The 20 images of ALL-IDB1 that the reference project held back.
    Reference,
}

impl TestPlan {
    /// Whether every image is tested, so that none is left to train the final network apart from it.
    pub(crate) fn is_crossed(&self) -> bool {
        matches!(self, Self::Folds(_) | Self::EachGroup)
    }

    pub(crate) fn is_leaky(&self) -> bool {
        matches!(self, Self::Leaky(_))
    }

    /// As the command line says it.
    pub(crate) fn options(&self) -> String {
        match self {
            Self::Folds(folds) => format!("--folds {folds}"),
            Self::EachGroup => "--folds each".into(),
            Self::Named(holdout) => holdout.option(),
            Self::Leaky(None) => "--protocol reference".into(),
            Self::Leaky(Some(holdout)) => format!("--protocol reference {}", holdout.option()),
        }
    }
}

impl Holdout {
    fn option(&self) -> String {
        match self {
            // Where it lies is nobody else's business.
            Self::Listed(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                format!("--holdout {}", name.display())
            }
            Self::Reference => "--holdout reference".into(),
        }
    }
}

/// How a dataset is split.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SplitPlan {
    pub(crate) test: TestPlan,
    /// About this share of what is not tested chooses the epoch.
    pub(crate) validation: f64,
    pub(crate) seed: u64,
}

/// Three parts that share no group.
#[derive(Debug, Default)]
pub(crate) struct Split<'a> {
    /// Moves the weights.
    pub(crate) train: Vec<&'a Sample>,
    /// Chooses the epoch.
    pub(crate) validation: Vec<&'a Sample>,
    /// Gives the figures, once.
    pub(crate) test: Vec<&'a Sample>,
}

/// The test images of "Acute Lymphoblastic Leukemia oneAPI Classifier".
const REFERENCE_HOLDOUT: [&str; 20] = [
    "Im006_1", "Im020_1", "Im024_1", "Im026_1", "Im028_1", "Im031_1", "Im035_0", "Im041_0",
    "Im047_0", "Im053_1", "Im057_1", "Im060_1", "Im063_1", "Im069_0", "Im074_0", "Im088_0",
    "Im095_0", "Im099_0", "Im101_0", "Im106_0",
];

impl Dataset {
    /// The splits that give the figures; no group is parted, and none tested twice.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the named test images are not there, or if they cut a group;
    /// [`TrainError::Training`] if there are too few groups for parts of both classes.
    pub(crate) fn splits(&self, plan: &SplitPlan) -> Result<Vec<Split<'_>>, TrainError> {
        let counts = self.counts();
        let fold_of = match &plan.test {
            TestPlan::Folds(folds) => {
                refuse_more_folds_than(counts.len(), *folds)?;
                let shares = vec![1.0 / *folds as f64; *folds];
                // One for training, one for validation.
                allot(&counts, &shares, 2, plan.seed)
            }
            TestPlan::EachGroup => (0..counts.len()).collect(),
            TestPlan::Leaky(holdout) => return Ok(vec![self.leaky_split(plan, holdout.as_ref())?]),
            TestPlan::Named(holdout) => {
                let held_out = self.named(holdout)?;
                self.refuse_cuts(&held_out)?;
                return Ok(vec![self.split_with(&counts, plan, |index, _| {
                    held_out.contains(&index)
                })?]);
            }
        };
        let folds: BTreeSet<usize> = fold_of.iter().copied().collect();
        folds
            .into_iter()
            .map(|fold| self.split_with(&counts, plan, |_, group| fold_of[group] == fold))
            .collect()
    }

    /// Samples split as if each were independent of every other.
    fn leaky_split(
        &self,
        plan: &SplitPlan,
        holdout: Option<&Holdout>,
    ) -> Result<Split<'_>, TrainError> {
        let held_out = match holdout {
            None => Vec::new(),
            Some(holdout) => self.named(holdout)?,
        };
        let mut rest: Vec<usize> = (0..self.samples.len()).collect();
        rest.retain(|index| !held_out.contains(index));
        rest.shuffle(&mut ChaCha8Rng::seed_from_u64(plan.seed));
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
        self.refuse_lack(&split)?;
        Ok(split)
    }

    /// All images for a last network, that nothing tests.
    ///
    /// # Errors
    /// [`TrainError::Training`] if there are too few groups for two parts of both classes.
    pub(crate) fn whole(&self, plan: &SplitPlan) -> Result<Split<'_>, TrainError> {
        self.split_with(&self.counts(), plan, |_, _| false)
    }

    /// Negatives and positives of each group.
    fn counts(&self) -> Vec<[usize; 2]> {
        let mut counts = vec![[0; 2]; self.groups.names.len()];
        for sample in &self.samples {
            counts[sample.group][usize::from(sample.positive)] += 1;
        }
        counts
    }

    /// Training and validation for the samples (by index and group) that are not tested.
    fn split_with(
        &self,
        counts: &[[usize; 2]],
        plan: &SplitPlan,
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
        let part_of = allot(&rest, &shares, 1, plan.seed);
        for (index, sample) in self.samples.iter().enumerate() {
            if is_tested(index, sample.group) {
                continue;
            }
            match part_of[sample.group] {
                0 => split.train.push(sample),
                _ => split.validation.push(sample),
            }
        }
        self.refuse_lack(&split)?;
        Ok(split)
    }

    /// Both parts need both classes.
    fn refuse_lack(&self, split: &Split) -> Result<(), TrainError> {
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
                            "a {part} part would hold nothing of class {name}, which lies in {} groups",
                            counts.iter().filter(in_class).count()
                        ),
                        remedy: "give images of more patients (three of each class at the least, \
                                 better ten), or another --folds, --validation-share or --seed"
                            .into(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The indices of the named test images.
    pub(super) fn named(&self, holdout: &Holdout) -> Result<Vec<usize>, TrainError> {
        let (place, names) = match holdout {
            Holdout::Listed(path) => (path.as_path(), read_names(path)?),
            Holdout::Reference => (
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
}

fn refuse_more_folds_than(groups: usize, folds: usize) -> Result<(), TrainError> {
    if folds <= groups {
        return Ok(());
    }
    Err(TrainError::Training {
        problem: format!("{folds} folds want as many groups, and there are {groups}"),
        remedy: "ask for fewer --folds, or give images of more patients".into(),
    })
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
    let names: Vec<String> = lines
        .filter(|line| !line.is_empty())
        .map(Into::into)
        .collect();
    if names.is_empty() {
        return Err(TrainError::data(
            path,
            "it names no image",
            "give a text file with one file name a line",
        ));
    }
    Ok(names)
}

/// Whether a path ends in this file name, with or without its extension.
fn is_named(path: &Path, name: &str) -> bool {
    path.ends_with(name) || path.with_extension("").ends_with(name)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::super::capture::Capture;
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
                    sha256: number.to_string(),
                    positive: class == '+',
                    group,
                    capture: Capture::default(),
                    size: (1, 1),
                    file_bytes: 1,
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

    fn plan(test: TestPlan) -> SplitPlan {
        SplitPlan {
            test,
            validation: 0.2,
            seed: 1,
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
        let splits = |seed| {
            let plan = SplitPlan {
                seed,
                ..plan(TestPlan::Folds(5))
            };
            dataset.splits(&plan).unwrap()
        };
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

    fn assert_each_is_tested_apart_from_its_group(dataset: &Dataset, plan: &SplitPlan) {
        let mut tested: Vec<PathBuf> = Vec::new();
        for split in dataset.splits(plan).unwrap() {
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
                let plan = SplitPlan { seed, ..plan(test) };
                assert_each_is_tested_apart_from_its_group(&dataset, &plan);
                let splits = dataset.splits(&plan).unwrap();
                assert_eq!(splits.len(), folds);
                // Six sessions are healthy, seven are not.
                for split in splits.iter().filter(|_| folds <= 6) {
                    let positives = split.test.iter().filter(|sample| sample.positive).count();
                    assert!(positives > 0 && positives < split.test.len(), "{plan:?}");
                }
            }
        }
        let plan = plan(TestPlan::EachGroup);
        let whole = dataset.whole(&plan).unwrap();
        assert_eq!(whole.train.len() + whole.validation.len(), 108);
        assert!(whole.test.is_empty() && whole.train.len() > 70);
    }

    #[test]
    fn more_folds_than_groups_are_refused() {
        let error = sessions().splits(&plan(TestPlan::Folds(14))).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("14 folds want as many groups, and there are 13"),
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
            .splits(&plan(TestPlan::Folds(5)))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("class blasts, which lies in 2 groups"),
            "{message}"
        );
    }

    /// What is said when these are held out.
    fn holdout<'a>(dataset: &'a Dataset, names: &str) -> Result<Split<'a>, String> {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("holdout.txt");
        fs::write(&list, names).unwrap();
        let plan = plan(TestPlan::Named(Holdout::Listed(list)));
        let splits = dataset.splits(&plan).map_err(|error| error.to_string())?;
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
    fn a_list_is_told_by_its_name_alone() {
        let plan = TestPlan::Leaky(Some(Holdout::Listed("/home/someone/held.txt".into())));
        assert_eq!(plan.options(), "--protocol reference --holdout held.txt");
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
    fn names_that_stand_for_nothing_are_refused() {
        let message = holdout(&pairs(), "0\n1\nabsent\n").unwrap_err();
        assert!(message.contains("absent stands for 0 images"), "{message}");
        let message = holdout(&pairs(), " \n\n").unwrap_err();
        assert!(message.contains("it names no image"), "{message}");
        let plan = plan(TestPlan::Named(Holdout::Reference));
        let message = pairs().splits(&plan).unwrap_err().to_string();
        assert!(message.contains("Im006_1"), "{message}");
    }
}
