//! The contents of `manifest.toml`: everything that a program needs to know to use a model.

use semver::Version;
use serde::Serialize;

use super::cells::CellsModel;
use super::evaluation::Evaluation;
use super::field::FieldModel;
use super::files::{FileEntry, Files};
use crate::files::MANIFEST_FILE;

/// The contents of `manifest.toml`.
///
/// `M` is what the manifest says about the kind of model: [`ModelKind`] as it is read, and [`FieldModel`] or
/// [`CellsModel`] where one kind is needed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest<M = ModelKind> {
    /// Version of this file format, [`Manifest::FORMAT_VERSION`]; earlier versions are converted when they are read.
    pub format_version: u32,
    /// Short name, `[a-z0-9-]+`.
    pub name: String,
    /// Version of the model, by the rules of semantic versioning.
    pub version: Version,
    /// The architecture of its networks, by the trainer's name for it.
    pub architecture: String,
    /// The training data, in a sentence or two.
    pub trained_on: String,
    /// The use that the model is meant for, and the uses that it is not meant for.
    pub intended_use: String,
    /// SPDX expression of the weights' licence.
    pub license: String,
    /// Whether this is a demonstration model. Everything that shows its verdicts must say so.
    pub demo: bool,
    /// The kind of model, its networks, files and rules.
    #[serde(flatten)]
    pub model: M,
    /// Figures that were measured on images the model was not trained on.
    pub evaluation: Evaluation,
}

/// What a manifest says about each kind of model; its fields are those of the manifest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ModelKind {
    /// `kind = "field"`: one network looks at a whole field.
    Field(Box<FieldModel>),
    /// `kind = "cells"`: a network finds cells, another one looks at each, and a rule counts them.
    Cells(Box<CellsModel>),
}

impl From<FieldModel> for ModelKind {
    fn from(model: FieldModel) -> Self {
        Self::Field(Box::new(model))
    }
}

impl From<CellsModel> for ModelKind {
    fn from(model: CellsModel) -> Self {
        Self::Cells(Box::new(model))
    }
}

impl Manifest {
    /// The format version that this crate writes; it reads this one and all before it.
    pub const FORMAT_VERSION: u32 = 2;
    /// The file's name inside a model folder.
    pub const FILE_NAME: &str = MANIFEST_FILE;

    /// All files that the manifest names: networks, then golden samples.
    pub fn entries(&self) -> impl Iterator<Item = &FileEntry> {
        let images = self.golden_images().into_iter().map(|(_, image)| image);
        self.network_files().chain(images)
    }

    /// The files of all networks.
    pub(crate) fn network_files(&self) -> impl Iterator<Item = &FileEntry> {
        let networks = match &self.model {
            ModelKind::Field(model) => [Some(&model.files), None],
            ModelKind::Cells(model) => [Some(&model.finder.files), Some(&model.cell.files)],
        };
        networks.into_iter().flatten().flat_map(Files::entries)
    }

    /// The images of all golden samples, with the names of their fields.
    pub(crate) fn golden_images(&self) -> Vec<(String, &FileEntry)> {
        match &self.model {
            ModelKind::Field(model) => {
                let images = model.golden.iter().map(|sample| &sample.image);
                named("golden", images).collect()
            }
            ModelKind::Cells(model) => {
                let finder = model.finder.golden.iter().map(|sample| &sample.image);
                let cell = model.cell.golden.iter().map(|sample| &sample.image);
                let chain = model.golden.iter().map(|sample| &sample.image);
                named("finder.golden", finder)
                    .chain(named("cell.golden", cell))
                    .chain(named("golden", chain))
                    .collect()
            }
        }
    }
}

fn named<'a>(
    list: &str,
    images: impl Iterator<Item = &'a FileEntry>,
) -> impl Iterator<Item = (String, &'a FileEntry)> {
    images
        .enumerate()
        .map(move |(index, image)| (format!("{list}[{index}].image"), image))
}

impl<M> Manifest<M> {
    /// The manifest with another description of its model.
    pub(crate) fn try_map<N, E>(
        self,
        change: impl FnOnce(M) -> Result<N, E>,
    ) -> Result<Manifest<N>, E> {
        Ok(Manifest {
            format_version: self.format_version,
            name: self.name,
            version: self.version,
            architecture: self.architecture,
            trained_on: self.trained_on,
            intended_use: self.intended_use,
            license: self.license,
            demo: self.demo,
            model: change(self.model)?,
            evaluation: self.evaluation,
        })
    }
}
