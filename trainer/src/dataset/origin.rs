//! Where the images of a dataset come from, in the words of a manifest.

use super::groups::Basis;
use super::load::Dataset;
use super::provenance::Provenance;

/// The origin of a dataset.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) trained_on: String,
    pub(crate) evaluated_on: String,
    /// The command that made the images, if a program made them.
    pub(crate) command: Option<String>,
    /// What separates held-out images from others.
    pub(crate) basis: Basis,
}

impl Origin {
    pub(crate) fn of(dataset: &Dataset) -> Self {
        let basis = dataset.groups.basis;
        if let Some(Provenance { origin, command }) = &dataset.provenance {
            return Self {
                trained_on: format!("{origin}. No image of a patient."),
                evaluated_on: format!(
                    "held-out fields of the same kind ({origin}); says nothing about patients"
                ),
                command: Some(command.clone()),
                basis,
            };
        }
        let root = &dataset.root;
        let name = root.file_name().unwrap_or(root.as_os_str());
        let name = name.to_string_lossy();
        Self {
            trained_on: format!(
                "the collection {name}, of unknown origin; {}.",
                dataset.classes
            ),
            evaluated_on: format!(
                "images of the collection {name}, separated by {}",
                basis.in_words()
            ),
            command: None,
            basis,
        }
    }
}
