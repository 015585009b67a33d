//! Where the figures go.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use smearscope_artifacts::Manifest;

use crate::error::TrainError;
use crate::stdout;

#[derive(Debug, Clone, PartialEq, Args)]
pub(super) struct Output {
    /// Print the report as JSON: figures, groups, cameras, every image; of cells, figures of every source
    #[arg(long)]
    json: bool,
    /// Write the report as JSON, and plots as PNG and SVG, into this folder; of cells, a picture of some
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Output {
    /// # Errors
    /// [`TrainError::Refused`] if the report of a model would be overwritten.
    pub(super) fn refuse_model_folder(&self) -> Result<(), TrainError> {
        match &self.out {
            Some(folder) if folder.join(Manifest::FILE_NAME).exists() => Err(TrainError::refused(
                folder,
                "it is a model folder, whose report would be overwritten",
            )),
            _ => Ok(()),
        }
    }

    /// The folder to write into, if one is wanted; it exists.
    ///
    /// # Errors
    /// [`TrainError::Output`] if it cannot be created.
    pub(super) fn folder(&self) -> Result<Option<&Path>, TrainError> {
        let Some(folder) = &self.out else {
            return Ok(None);
        };
        fs::create_dir_all(folder).map_err(|source| TrainError::output(folder, source))?;
        Ok(Some(folder))
    }

    /// Prints the figures of a model.
    pub(super) fn print<M>(&self, manifest: &Manifest<M>, json: &[u8], figures: impl Display) {
        if self.json {
            stdout::print(format_args!("{}\n", String::from_utf8_lossy(json)));
        } else {
            let Manifest { name, version, .. } = manifest;
            stdout::print(format_args!("{name} {version}\n{figures}"));
        }
    }
}
