//! The evaluation of a model that counts cells.

use std::path::Path;

use clap::ValueEnum;
use log::warn;
use serde::Serialize;
use smearscope_artifacts::{CellCounter, CellsModel, EngineConfig, Manifest};

use super::super::trained_on;
use super::output::Output;
use crate::dataset::{CellCollection, CellSplitPlan, Part, TrainedOn};
use crate::error::TrainError;
use crate::package;
use crate::report::{CellEvaluation, REPORT_FILE};

/// The picture of some cells, in the folder of the report.
const SHEET_FILE: &str = "cells.png";

/// The images of a collection that are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Judged {
    /// Those that the split keeps for testing
    Test,
    /// All that did not train the model
    All,
}

/// Labelled cells to judge a model on.
pub(super) struct CellImages<'a> {
    /// The file that names the sources.
    pub(super) datasets: &'a Path,
    pub(super) judged: Judged,
    pub(super) split: &'a CellSplitPlan,
}

/// The report of an evaluation.
#[derive(Serialize)]
struct Report<'a> {
    /// With these figures.
    manifest: &'a Manifest<CellsModel>,
    #[serde(flatten)]
    evaluation: &'a CellEvaluation,
}

/// Runs the model of a folder on the images and prints the figures.
///
/// # Errors
/// [`TrainError::Artifact`] if the model cannot be loaded or fails on an image; [`TrainError::Data`] for unusable images or
/// labels, or if nothing is left to judge; [`TrainError::Training`] if there are too few groups for a test part;
/// [`TrainError::Output`] if the report cannot be written.
pub(super) fn evaluate(
    model: &Path,
    images: &CellImages,
    output: &Output,
) -> Result<(), TrainError> {
    let collection = CellCollection::read(images.datasets)?;
    collection.refuse_losses()?;
    let all = 0..collection.images.len();
    let indices: Vec<usize> = match images.judged {
        Judged::All => all.collect(),
        Judged::Test => {
            let part_of = collection.split(images.split)?.part_of;
            all.filter(|index| part_of[*index] == Part::Test).collect()
        }
    };
    let (indices, warnings) = match trained_on::read(model)? {
        Some(trained_on) => unseen(&collection, indices, &trained_on)?,
        None => (indices, vec![trained_on::unknown()]),
    };
    let config = EngineConfig {
        // Images are judged side by side.
        threads: Some(1),
        ..EngineConfig::default()
    };
    let counter = CellCounter::load(model, &config)?;
    for fallback in &counter.engine().fallbacks {
        warn!("{fallback}");
    }
    let load = || CellCounter::load(model, &config);
    let mut evaluation = CellEvaluation::measure(load, &collection, &indices)?;
    evaluation.warnings.extend(warnings);

    let name = images.datasets.file_name().unwrap_or_default();
    let which = match images.judged {
        Judged::All => "images",
        Judged::Test => "test images",
    };
    let manifest = Manifest {
        evaluation: evaluation.evaluation(
            format!("the {which} of {}", name.display()),
            "The finished model without the appliance's quality gate, on images that it was not trained on. Fields are \
             searched at their known scale; cells are named at their labelled places. Intervals of areas under curves by \
             groups, of shares by Wilson 1927."
                .into(),
        ),
        ..counter.manifest().clone()
    };
    let json = serde_json::to_vec_pretty(&Report {
        manifest: &manifest,
        evaluation: &evaluation,
    })
    .map_err(|error| TrainError::Export {
        problem: format!("{REPORT_FILE}: {error}"),
    })?;
    if let Some(folder) = output.folder()? {
        package::save(folder, REPORT_FILE, &json)?;
        evaluation.draw_sheet(&folder.join(SHEET_FILE), &collection)?;
    }
    output.print(&manifest, &json, &evaluation);
    Ok(())
}

/// Leaves out the images that the model was trained on, with all others of their groups. Returns the rest, and warnings.
///
/// # Errors
/// [`TrainError::Data`] if nothing is left.
fn unseen(
    collection: &CellCollection,
    indices: Vec<usize>,
    trained_on: &TrainedOn,
) -> Result<(Vec<usize>, Vec<String>), TrainError> {
    let all = indices.len();
    let unseen = collection.unseen(indices, trained_on);
    if unseen.is_empty() {
        return Err(TrainError::data(
            &collection.file,
            format!(
                "the model was trained on all of the {all} images, or on others of their groups"
            ),
            "name other images, or use --part test",
        ));
    }
    let left_out = all - unseen.len();
    let mut warnings = Vec::new();
    if left_out > 0 {
        warnings.push(format!(
            "{left_out} of {all} images were left out: they trained the model, or others of their groups did."
        ));
    }
    let is_nameless = |index: &&usize| {
        let group = collection.images[**index].group;
        collection.subjects_of(group).next().is_none()
    };
    let nameless = unseen.iter().filter(is_nameless).count();
    if nameless > 0 {
        warnings.push(format!(
            "Of {nameless} images it is not known of whom they are: they may be of patients or slides that trained the model."
        ));
    }
    Ok((unseen, warnings))
}
