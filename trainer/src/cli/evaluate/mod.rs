//! `smearscope-train evaluate`: the figures of a finished model on other images.

mod cells;
mod fields;
mod output;

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use smearscope_artifacts::{ModelFiles, ModelKind};

use crate::dataset::{CellSplitPlan, Source};
use crate::error::TrainError;
use cells::{CellImages, Judged};
use output::Output;

/// Prints the figures of a model for other images: those of `fit`, with intervals by groups, for a model that judges
/// whole fields (--data); for a model that counts cells (--datasets), how well it finds and names labelled cells, knows
/// the scale, and knows the share of blasts on simulated slides. A model made by this trainer records what it was trained
/// on, and is not evaluated on those images or patients. Near-duplicates of training images are not recognised, unless
/// both are named by --datasets.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(group = ArgGroup::new("evaluated").args(["root", "datasets"]).required(true))]
pub(crate) struct Evaluate {
    /// Folder of the model
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    #[command(flatten)]
    data: Option<Source>,
    /// Folder of the masks of --data, as `synth --masks` writes them: measure how much of the evidence lies on
    /// white cells
    #[arg(long, value_name = "FOLDER", conflicts_with = "datasets")]
    masks: Option<PathBuf>,
    /// File that names sources of labelled cells, such as datasets.toml
    #[arg(long, value_name = "FILE")]
    datasets: Option<PathBuf>,
    /// The images of --datasets that are judged
    #[arg(long, value_enum, default_value_t = Judged::All, conflicts_with = "root")]
    part: Judged,
    #[command(flatten)]
    split: CellSplitPlan,
    #[command(flatten)]
    output: Output,
}

impl Evaluate {
    /// Runs the model on every image and prints the figures.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if the model cannot be loaded or fails on an image;
    /// [`TrainError::Data`] for a model of the other kind, unusable images, or images that the model was trained on;
    /// [`TrainError::Output`] if the report cannot be written.
    pub(super) fn run(&self) -> Result<(), TrainError> {
        self.output.refuse_model_folder()?;
        let files = ModelFiles::open(&self.model)?;
        match (&files.manifest().model, &self.data, &self.datasets) {
            (ModelKind::Field(_), Some(data), _) => {
                let masks = self.masks.as_deref();
                fields::evaluate(&self.model, files.into_field()?, data, masks, &self.output)
            }
            (ModelKind::Cells(_), _, Some(datasets)) => {
                let images = CellImages {
                    datasets,
                    judged: self.part,
                    split: &self.split,
                };
                drop(files);
                cells::evaluate(&self.model, &images, &self.output)
            }
            (ModelKind::Field(_), ..) => Err(TrainError::data(
                &self.model,
                "it judges whole fields (kind = \"field\"), and --datasets names labelled cells",
                "name the fields by --data, or give a model that counts cells",
            )),
            (ModelKind::Cells(_), ..) => Err(TrainError::data(
                &self.model,
                "it counts cells (kind = \"cells\"), and --data names whole fields",
                "name labelled cells by --datasets, or give a model that judges whole fields",
            )),
        }
    }
}
