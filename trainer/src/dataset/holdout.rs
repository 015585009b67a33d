//! Test images that are held out by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use smearscope_artifacts::read_text;

use super::load::Dataset;
use crate::arguments;
use crate::error::TrainError;

/// Which images are held out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Holdout {
    /// The files named in a text file, one per line.
    Listed(PathBuf),
    /// The 20 images of ALL-IDB1 that the reference project held out.
    Reference,
}

/// Largest list of names, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// The test images of "Acute Lymphoblastic Leukemia oneAPI Classifier".
const REFERENCE_HOLDOUT: [&str; 20] = [
    "Im006_1", "Im020_1", "Im024_1", "Im026_1", "Im028_1", "Im031_1", "Im035_0", "Im041_0",
    "Im047_0", "Im053_1", "Im057_1", "Im060_1", "Im063_1", "Im069_0", "Im074_0", "Im088_0",
    "Im095_0", "Im099_0", "Im101_0", "Im106_0",
];

impl From<PathBuf> for Holdout {
    fn from(list: PathBuf) -> Self {
        if list.as_os_str() == "reference" {
            Self::Reference
        } else {
            Self::Listed(list)
        }
    }
}

impl Holdout {
    /// The command-line option that gives it. It names the list without its folder, which models
    /// should not reveal.
    pub(super) fn option(&self) -> String {
        match self {
            Self::Listed(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                format!("--holdout {}", arguments::quoted(&name.to_string_lossy()))
            }
            Self::Reference => "--holdout reference".into(),
        }
    }
}

impl Dataset {
    /// The indices of the named test images.
    pub(super) fn held_out(&self, holdout: &Holdout) -> Result<Vec<usize>, TrainError> {
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
                    format!("the held-out image {name} matches {found} images"),
                    "name each held-out image by its file name, and make file names unique",
                ));
            }
        }
        Ok(indices)
    }

    /// Refuses test images if a copy, or another image of the same group, would be trained on.
    pub(super) fn refuse_cut_groups(&self, held_out: &[usize]) -> Result<(), TrainError> {
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

/// The file names in a list, one per line.
pub(super) fn read_names(path: &Path) -> Result<Vec<String>, TrainError> {
    let text = read_text(path, MAX_LIST).map_err(|error| {
        TrainError::data(
            path,
            format!("it cannot be read: {error}"),
            "give a text file with one file name per line",
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
            "give a text file with one file name per line",
        ));
    }
    Ok(names)
}

/// Whether a path ends in this file name, with or without its extension.
pub(super) fn is_named(path: &Path, name: &str) -> bool {
    path.ends_with(name) || path.with_extension("").ends_with(name)
}
