//! Splits of a collection of labelled cells into parts for training, validation and testing that share no group.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::Serialize;

use super::super::holdout::{is_named, read_names};
use super::super::stratify::stratify;
use super::collection::CellCollection;
use crate::arguments;
use crate::cell_kind::CellKind;
use crate::error::TrainError;

/// How a collection is split.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct CellSplitPlan {
    /// Approximate share of the images and cells that test; the images that `test` names in the file of
    /// data sets are used instead, if it names some
    #[arg(long, default_value_t = 0.2, value_parser = arguments::validation_share, conflicts_with = "root")]
    pub(crate) test_share: f64,
    /// Approximate share of the images and cells that choose the epoch
    #[arg(long, default_value_t = 0.2, value_parser = arguments::validation_share, conflicts_with = "root")]
    pub(crate) validation_share: f64,
    /// Seed of the split
    #[arg(long, default_value_t = 1, conflicts_with = "root")]
    pub(crate) seed: u64,
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    Train,
    Validation,
    Test,
    /// Nothing: it belongs to the group of a test image that a list names, and the list does not name it.
    LeftOut,
}

/// The part of each image.
#[derive(Debug)]
pub(crate) struct CellSplit {
    pub(crate) part_of: Vec<Part>,
}

impl CellSplit {
    /// The images of a part.
    pub(crate) fn images(&self, part: Part) -> Vec<usize> {
        let parts = self.part_of.iter().enumerate();
        parts
            .filter(|(_, of)| **of == part)
            .map(|(image, _)| image)
            .collect()
    }

    /// Leaves out all test images but these.
    pub(crate) fn keep_tests(&mut self, kept: &BTreeSet<usize>) {
        for (image, part) in self.part_of.iter_mut().enumerate() {
            if *part == Part::Test && !kept.contains(&image) {
                *part = Part::LeftOut;
            }
        }
    }
}

/// What is spread evenly over the parts: the images of a source, and its leukocytes and artefacts of each kind.
type Stratum = (usize, Option<CellKind>);

impl CellCollection {
    /// Splits by groups. Every source and every kind of leukocyte in it has about its share in each part, if it
    /// has enough groups.
    ///
    /// # Errors
    /// [`TrainError::Data`] if a named test image does not exist or is not unique; [`TrainError::Training`]
    /// if a part would be empty.
    pub(crate) fn split(&self, plan: &CellSplitPlan) -> Result<CellSplit, TrainError> {
        let named = self.named_tests()?;
        let tested: BTreeSet<usize> = named
            .iter()
            .map(|index| self.images[*index].group)
            .collect();
        let counts = self.counts(&tested);
        let (shares, parts) = if named.is_empty() {
            let train = 1.0 - plan.validation_share - plan.test_share;
            let shares = vec![train, plan.validation_share, plan.test_share];
            (shares, [Part::Train, Part::Validation, Part::Test])
        } else {
            let shares = vec![1.0 - plan.validation_share, plan.validation_share];
            (shares, [Part::Train, Part::Validation, Part::LeftOut])
        };
        let part_of_group = stratify(&counts, &shares, 1, plan.seed);
        let part_of: Vec<Part> = self
            .images
            .iter()
            .enumerate()
            .map(|(index, image)| {
                if named.contains(&index) {
                    Part::Test
                } else if tested.contains(&image.group) {
                    Part::LeftOut
                } else {
                    parts[part_of_group[image.group]]
                }
            })
            .collect();
        for (part, name) in [
            (Part::Train, "training"),
            (Part::Validation, "validation"),
            (Part::Test, "test"),
        ] {
            if !part_of.contains(&part) {
                return Err(TrainError::Training {
                    problem: format!(
                        "the {name} part would hold no image: there are {} groups",
                        self.group_names.len()
                    ),
                    remedy: "add images of more slides or patients, or change the shares or --seed"
                        .into(),
                });
            }
        }
        Ok(CellSplit { part_of })
    }

    /// The indices of the test images that a list names.
    fn named_tests(&self) -> Result<BTreeSet<usize>, TrainError> {
        let mut indices = BTreeSet::new();
        let Some(list) = &self.test_list else {
            return Ok(indices);
        };
        for name in read_names(list)? {
            let images = self.images.iter().enumerate();
            let found: Vec<usize> = images
                .filter(|(_, image)| is_named(&image.path, &name))
                .map(|(index, _)| index)
                .collect();
            if found.len() != 1 {
                return Err(TrainError::data(
                    list,
                    format!("the test image {name} matches {} images", found.len()),
                    "name each image by its file name, with as many of its folders as make it unique",
                ));
            }
            indices.extend(found);
        }
        Ok(indices)
    }

    /// Numbers of images and cells of each stratum in each group; none in those that are left out.
    fn counts(&self, left_out: &BTreeSet<usize>) -> Vec<Vec<usize>> {
        let mut by_group: BTreeMap<(usize, Stratum), usize> = BTreeMap::new();
        for image in self
            .images
            .iter()
            .filter(|image| !left_out.contains(&image.group))
        {
            *by_group
                .entry((image.group, (image.source, None)))
                .or_default() += 1;
            // Red cells and platelets are everywhere, and so many that nothing else would count.
            let is_counted =
                |kind: &CellKind| !matches!(kind, CellKind::Erythrocyte | CellKind::Platelet);
            for kind in image.kinds().filter(is_counted) {
                let stratum = (image.source, Some(kind));
                *by_group.entry((image.group, stratum)).or_default() += 1;
            }
        }
        let strata: BTreeSet<Stratum> = by_group.keys().map(|(_, stratum)| *stratum).collect();
        let position: BTreeMap<Stratum, usize> = strata
            .into_iter()
            .enumerate()
            .map(|(position, stratum)| (stratum, position))
            .collect();
        let mut counts = vec![vec![0; position.len()]; self.group_names.len()];
        for ((group, stratum), count) in by_group {
            counts[group][position[&stratum]] = count;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::super::groups::Duplicates;
    use super::super::collection::{ImageContent, LabelledImage};
    use super::*;

    /// Single cells, given by source, kind and group.
    fn collection(cells: &[(usize, CellKind, usize)]) -> CellCollection {
        let image =
            |(number, &(source, kind, group)): (usize, &(usize, CellKind, usize))| LabelledImage {
                path: format!("data/{number}.png").into(),
                sha256: String::new(),
                source,
                group,
                um_per_pixel: None,
                content: ImageContent::Cell(kind),
            };
        let groups = cells.iter().map(|(.., group)| group + 1).max().unwrap_or(0);
        CellCollection {
            file: PathBuf::from("datasets.toml"),
            sources: Vec::new(),
            images: cells.iter().enumerate().map(image).collect(),
            group_names: (0..groups).map(|group| group.to_string()).collect(),
            duplicates: Duplicates::default(),
            overlaps: Vec::new(),
            test_list: None,
        }
    }

    fn plan(seed: u64) -> CellSplitPlan {
        CellSplitPlan {
            test_share: 0.2,
            validation_share: 0.1,
            seed,
        }
    }

    /// Forty groups of three cells of two kinds from two sources.
    fn cells() -> Vec<(usize, CellKind, usize)> {
        (0..120)
            .map(|number| {
                let group = number / 3;
                let kind = [CellKind::Monocyte, CellKind::Lymphoblast][group % 2];
                (usize::from(group >= 20), kind, group)
            })
            .collect()
    }

    #[test]
    fn groups_stay_together_and_every_kind_of_every_source_has_its_share() {
        let cells = cells();
        let collection = collection(&cells);
        let split = collection.split(&plan(1)).unwrap();
        let mut of_stratum: BTreeMap<(usize, CellKind, Part), usize> = BTreeMap::new();
        for ((source, kind, group), part) in cells.iter().zip(&split.part_of) {
            assert_eq!(split.part_of[group * 3], *part);
            *of_stratum.entry((*source, *kind, *part)).or_default() += 1;
        }
        // Of ten groups of each kind in each source; a group is three cells.
        for (part, share) in [(Part::Train, 21), (Part::Validation, 3), (Part::Test, 6)] {
            let of_part = of_stratum.iter().filter(|((.., of), _)| *of == part);
            let counts: Vec<usize> = of_part.map(|(_, count)| *count).collect();
            assert_eq!(counts.len(), 4, "{part:?}");
            assert!(
                counts.iter().all(|count| count.abs_diff(share) <= 3),
                "{counts:?}"
            );
        }
        assert_eq!(collection.split(&plan(1)).unwrap().part_of, split.part_of);
        assert_ne!(collection.split(&plan(2)).unwrap().part_of, split.part_of);
    }

    #[test]
    fn named_images_test_and_the_rest_of_their_groups_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("test.txt");
        fs::write(&list, "0.png\n1\n5.png\n").unwrap();
        let mut collection = collection(&cells());
        collection.test_list = Some(list.clone());
        let part_of = collection.split(&plan(1)).unwrap().part_of;
        let with = |part: Part| -> Vec<usize> {
            (0..part_of.len())
                .filter(|index| part_of[*index] == part)
                .collect()
        };
        assert_eq!(with(Part::Test), [0, 1, 5]);
        assert_eq!(with(Part::LeftOut), [2, 3, 4]);
        // A tenth of 114 cells.
        assert!((6..=18).contains(&with(Part::Validation).len()));
        fs::write(&list, "500.png\n").unwrap();
        let problem = collection.split(&plan(1)).unwrap_err().to_string();
        assert!(problem.contains("500.png matches 0 images"), "{problem}");
    }

    #[test]
    fn too_few_groups_are_told() {
        let collection = collection(&[(0, CellKind::Monocyte, 0), (0, CellKind::Monocyte, 1)]);
        let problem = collection.split(&plan(1)).unwrap_err().to_string();
        assert!(
            problem.contains("would hold no image: there are 2 groups"),
            "{problem}"
        );
    }
}
