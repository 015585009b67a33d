//! From labelled cells to a folder of a model that counts cells.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;
use log::info;
use serde_json::Value;
use smearscope_artifacts::{
    BlastCalls, CellCounter, CellsModel, CountRule, CropInput, EngineChoice, EngineConfig,
    Manifest, ModelFiles, Ruler, Thresholds, TileInput,
};

use crate::arguments;
use crate::dataset::{CellCollection, CellSplit, CellSplitPlan, Part};
use crate::error::TrainError;
use crate::networks::cell::CellNetwork;
use crate::networks::finder::Finder;
use crate::package::{
    Destination, GoldenPicture, GoldenPictures, Identity, TrainedNetworks, cell_model,
    finder_model, write_networks,
};
use crate::progress;
use crate::report;
use crate::stdout;
use crate::training::cells::cell_training::CellTraining;
use crate::training::cells::crops::LabelledCrop;
use crate::training::cells::finder_training::{FinderTraining, WINDOWS};
use crate::training::cells::kinds::{Kinds, can_be_a_class};
use crate::training::cells::mix::Mix;
use crate::training::cells::windows::LabelledField;
use crate::training::{Checkpoints, History, JobDescription, Plan, Training, device_name};

/// A network of a model that counts cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OneNetwork {
    /// The network that finds leukocytes and red cells
    Finder,
    /// The network that names leukocytes
    Cell,
}

/// The training of a model that counts cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FitCells {
    /// File that names the sources.
    pub(super) datasets: PathBuf,
    pub(super) out: Destination,
    /// Whether an interrupted training is continued.
    pub(super) resume: bool,
    pub(super) plan: Plan,
    pub(super) validation_share: f64,
    pub(super) test_share: f64,
    /// The only network that is trained.
    pub(super) only: Option<OneNetwork>,
    /// The model that the other one is from.
    pub(super) base: Option<PathBuf>,
    /// Share of blasts that decides.
    pub(super) blast_share: f64,
    pub(super) min_cells: u32,
    pub(super) identity: Identity,
}

/// Scale and tiles of the finder.
const TILES: TileInput = TileInput {
    um_per_pixel: 0.5,
    side: 256,
    margin: 40,
    stride: 4,
};
/// Scale and size of the crops of the cell network.
const CROPS: CropInput = CropInput {
    um_per_pixel: 0.25,
    side: 96,
    batch: 8,
};
/// How red cells give a scale.
const RULER: Ruler = Ruler {
    red_cell_um: 7.2,
    min_cells: 10,
    max_spread: 0.25,
};
/// Most cells that novelty and measured figures are fitted to; more would not change them.
const MAX_DESCRIBED: usize = 4000;
/// Most cells that are learned from in an epoch.
const MAX_CELLS: usize = 16_384;
/// Highest learning rate if none is given.
const LEARNING_RATE: f64 = 3e-3;
/// Numbers of golden fields, and of golden cells of each class.
const GOLDEN: [usize; 2] = [3, 1];

/// The images of each part, as the networks learn from them.
#[derive(Debug)]
struct Material {
    weights: Vec<f64>,
    kinds: Kinds,
    fields: [Vec<LabelledField>; 2],
    cells: [Vec<LabelledCrop>; 2],
}

/// The networks that were trained, with their histories.
#[derive(Debug, Default)]
struct Networks {
    finder: Option<Finder>,
    cell: Option<CellNetwork>,
    histories: Vec<(String, History)>,
}

impl FitCells {
    /// Trains the networks, measures them, and writes the model.
    ///
    /// # Errors
    /// [`TrainError`] says what failed and how to fix it.
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        let base = self.base()?;
        let collection = CellCollection::read(&self.datasets)?;
        collection.refuse_losses()?;
        let split = collection.split(&CellSplitPlan {
            test_share: self.test_share,
            validation_share: self.validation_share,
            seed: self.plan.seed,
        })?;
        let material = self.material(&collection, &split)?;
        let job = self.job_description(&collection, &split);
        let checkpoints = Checkpoints::open(&self.out.folder, &job, self.resume)?;
        super::advise_to_resume();
        let networks = self.train(&material, &checkpoints)?;
        let _ = (networks, base);
        Ok(())
    }

    fn trains(&self, network: OneNetwork) -> bool {
        self.only.is_none_or(|only| only == network)
    }
}
