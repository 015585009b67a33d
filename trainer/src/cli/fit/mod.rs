//! `smearscope-train fit`: from labelled images to a model folder.

mod cells;
mod field;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgGroup, ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use crate::arguments;
use crate::dataset::{Source, SplitPlan};
use crate::error::TrainError;
use crate::package::{Destination, Identity};
use crate::training::cells::finder_training::WINDOWS;
use crate::training::{Plan, Targets};
use cells::{FitCells, OneNetwork};
use field::FitField;

/// A training, of either kind of model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fit {
    Field(Box<FitField>),
    Cells(Box<FitCells>),
}

impl Fit {
    /// Trains, evaluates, exports and verifies a model. `--out` is created only when all of that is
    /// done.
    ///
    /// # Errors
    /// [`TrainError`] says what failed and how to fix it.
    pub(super) fn run(&self) -> Result<(), TrainError> {
        match self {
            Self::Field(fit) => fit.run(),
            Self::Cells(fit) => fit.run(),
        }
    }
}

/// What a model looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A whole field at once: positive or negative (--data)
    Field,
    /// Each cell of a field: leukocytes are found, named and counted (--datasets)
    Cells,
}

/// With --data, one network learns to judge whole fields. The figures are those of cross-validation: the images are
/// divided into folds, and each fold is judged by a network that was trained on the others. Then a final network is
/// trained on all images and exported. Groups are kept together (`inspect` shows them), except with --protocol reference.
/// Of the images that a network may see, a validation part chooses the epoch. Training needs 150 kB (reference) or
/// 384 kB (compact) of memory per image, and a mask 10 or 26 kB.
///
/// With --datasets, one network learns to find leukocytes and red cells, and another one to name each leukocyte. The
/// images are divided into parts for training, for validation and for testing; the figures, and the errors by which
/// counts are corrected, are those of the test part.
///
/// The exported OpenVINO IR and ONNX files are loaded by every available engine and compared with the
/// trained networks; a model that differs is discarded.
///
/// The training is saved after every epoch, in a folder beside --out whose name ends in
/// `.checkpoints`. After a kill, a power cut or a full disk, the same command with --resume continues
/// from there.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("learned").args(["root", "datasets"]).required(true))]
struct FitOptions {
    /// What the model looks at [default: cells with --datasets, else field]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    out: Destination,
    /// Continue an interrupted training, or start if there is none
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    plan: Plan,
    #[command(flatten)]
    split: SplitPlan,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten, next_help_heading = "Models for whole fields")]
    field: FieldOptions,
    #[command(flatten, next_help_heading = "Models that count cells")]
    cells: CellsOptions,
}

#[derive(Debug, Args)]
struct FieldOptions {
    #[command(flatten)]
    data: Option<Source>,
    #[command(flatten)]
    targets: Targets,
    /// Smallest number of fields of view for the appliance's verdict on a slide
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    min_fields: u32,
}

#[derive(Debug, Args)]
struct CellsOptions {
    /// File that names sources of labelled cells, such as datasets.toml
    #[arg(long, value_name = "FILE")]
    datasets: Option<PathBuf>,
    /// Train only this network, and take the other one from --base
    #[arg(long, value_enum, requires = "base")]
    only: Option<OneNetwork>,
    /// Model whose other network is kept
    #[arg(long, value_name = "FOLDER", requires = "only")]
    base: Option<PathBuf>,
    /// Approximate share of the images and cells that test; the images that `test` names in the file of
    /// data sets are used instead, if it names some
    #[arg(long, default_value_t = 0.2, value_parser = arguments::validation_share)]
    test_share: f64,
    /// Share of blasts among leukocytes above which a slide is positive, and below which it is negative
    #[arg(long, default_value_t = 0.05, value_parser = arguments::blast_share)]
    blast_share: f64,
    /// Smallest number of leukocytes for a negative verdict
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=10_000))]
    min_cells: u32,
}

/// The options that mean nothing for models that count cells.
const FIELD_ONLY: [&str; 11] = [
    "network",
    "input",
    "masks",
    "evidence_weight",
    "class_weights",
    "protocol",
    "folds",
    "holdout",
    "sensitivity",
    "accuracy",
    "min_fields",
];
/// The options that mean nothing for models of whole fields.
const CELLS_ONLY: [&str; 5] = ["only", "base", "test_share", "blast_share", "min_cells"];

impl Args for Fit {
    fn augment_args(command: Command) -> Command {
        FitOptions::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        FitOptions::augment_args_for_update(command)
    }
}

impl FromArgMatches for Fit {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let FitOptions {
            kind,
            out,
            resume,
            plan,
            split,
            identity,
            field,
            cells,
        } = FitOptions::from_arg_matches(matches)?;
        let conflict = |message: &str| clap::Error::raw(ErrorKind::ArgumentConflict, message);
        let refuse = |options: &[&str], kind: &str| {
            let is_given = |id: &&&str| matches.value_source(id) == Some(ValueSource::CommandLine);
            match options.iter().find(is_given) {
                None => Ok(()),
                Some(id) => {
                    let name = id.replace('_', "-");
                    Err(conflict(&format!(
                        "--{name} means nothing for {kind}; leave it out\n"
                    )))
                }
            }
        };
        match (field.data, cells.datasets) {
            (Some(data), _) => {
                if kind == Some(Kind::Cells) {
                    return Err(conflict(
                        "--kind cells learns from labelled cells: name their sources with --datasets\n",
                    ));
                }
                refuse(&CELLS_ONLY, "models of whole fields")?;
                Ok(Self::Field(Box::new(FitField {
                    data,
                    out,
                    resume,
                    plan,
                    split,
                    targets: field.targets,
                    min_fields: field.min_fields,
                    identity,
                })))
            }
            (None, Some(datasets)) => {
                if kind == Some(Kind::Field) {
                    return Err(conflict(
                        "--kind field learns from labelled fields: name their folder with --data\n",
                    ));
                }
                refuse(&FIELD_ONLY, "models that count cells")?;
                Ok(Self::Cells(Box::new(FitCells {
                    datasets,
                    out,
                    resume,
                    plan,
                    validation_share: split.validation,
                    test_share: cells.test_share,
                    only: cells.only,
                    base: cells.base,
                    blast_share: cells.blast_share,
                    min_cells: cells.min_cells,
                    identity,
                    windows: WINDOWS,
                })))
            }
            // clap requires one of them.
            (None, None) => Err(conflict("--data or --datasets is missing\n")),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
