//! The command line.

pub(crate) mod augment;
pub(crate) mod benchmark;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod fit;
pub(crate) mod import;
pub(crate) mod inspect;

use std::path::PathBuf;

use burn::tensor::Device;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::cli::export::Precision;
use crate::dataset::{Holdout, Layout, Source, TestPlan};
use crate::networks::Choice;
use crate::package::destination::Destination;
use crate::package::model_package::Identity;
use crate::training::device;

/// Makes smearscope models: draws labelled fields, trains, checks and exports.
#[derive(Debug, Parser)]
#[command(
    name = "smearscope-train",
    version,
    about,
    after_help = "From nothing to a model that the appliance runs:\n\
        \n  smearscope-train synth --out fields --count 4000\
        \n  smearscope-train fit --data fields --out my-model\
        \n  smearscope classify --model my-model fields/positive\
        \n\n\
        Exit codes: 0 done, 2 wrong command line, 3 unusable images, 4 output cannot be written,\n\
        5 training or export failed. RAYON_NUM_THREADS limits the threads.\n\n\
        Research use only: a model made with this program is not a medical device."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Draws labelled synthetic smear fields, one folder per class
    Synth(SynthArgs),
    /// Shows what is in a dataset: counts, cameras, groups, duplicates, unusable files
    Inspect(InspectArgs),
    /// Shows what augmentation makes of an image
    Augment(AugmentArgs),
    /// Trains a network on a dataset and exports it
    Fit(Box<FitArgs>),
    /// Writes a finished model in another precision
    Export(ExportArgs),
    /// Makes a model folder of a third party's OpenVINO IR
    Import(ImportArgs),
    /// Measures a finished model on labelled images that it never met
    Evaluate(EvaluateArgs),
    /// Times training on this machine
    Bench(BenchArgs),
}

/// Positive fields hold lymphoblasts, negative ones normal white cells only. Stain, magnification,
/// focus, noise, illumination and JPEG quality vary alike in both. On the same kind of machine the
/// same seed gives the same bytes, with any number of threads.
#[derive(Debug, Args)]
pub(crate) struct SynthArgs {
    /// Folder to write `negative/` and `positive/` into; must not hold fields yet
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Number of fields
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// Share of positive fields, 0 to 1
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    pub(crate) positive_share: f64,
    /// Seed; another seed gives other fields
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Most columns of a field; some are square or of other shapes within
    #[arg(long, default_value_t = 640, value_parser = clap::value_parser!(u32).range(64..=2592))]
    pub(crate) width: u32,
    /// Most rows of a field
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(64..=2592))]
    pub(crate) height: u32,
}

/// Which images, and how they lie.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Folder of the images, or the CSV file that lists them
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    #[command(flatten)]
    arrangement: ArrangementArgs,
}

/// What the images' places say.
#[derive(Debug, Args)]
pub(crate) struct ArrangementArgs {
    /// How the images lie there
    #[arg(long, value_enum, default_value_t = Layout::Folder, value_name = "LAYOUT")]
    dataset: Layout,
    /// Classes with the finding, of folder and csv; all others are negative
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "positive",
        value_name = "NAME[,NAME]"
    )]
    positive: Vec<String>,
}

impl ArrangementArgs {
    pub(crate) fn at(self, root: PathBuf) -> Source {
        Source {
            layout: self.dataset,
            root,
            positive: self.positive,
        }
    }
}

impl From<DataArgs> for Source {
    fn from(args: DataArgs) -> Self {
        args.arrangement.at(args.data)
    }
}

/// Groups are images that no split may part: of one subject or capture session where the data says
/// so, and exact and near duplicates. Prints a table, or JSON for scripts; ends with 3 if files
/// cannot be used.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw all images small into this PNG
    #[arg(long, value_name = "PNG")]
    pub(crate) sheet: Option<PathBuf>,
}

/// First the image and the transforms of the paper that the reference project follows, then random
/// variations of place, stain, brightness, focus, noise and compression.
#[derive(Debug, Args)]
pub(crate) struct AugmentArgs {
    /// The image to vary
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: PathBuf,
    /// Draw the variations into this PNG
    #[arg(long, value_name = "PNG")]
    pub(crate) preview: PathBuf,
    /// Seed; another seed gives other variations
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The figures are those of cross-validation: the images are dealt into folds, and each fold is judged
/// by a network that trained on the others. Then a last network is trained on all images, and
/// exported. No group is parted, unless by --protocol reference: see `inspect` for what the groups are. Within what a network
/// trains on, a validation part chooses the epoch.
///
/// The exported OpenVINO IR and ONNX are loaded back through every engine that starts here and
/// compared with the trained network; a model that differs is discarded. Training keeps 150 kB (reference) or 384 kB (compact) of
/// memory per image.
///
/// After every epoch the training is saved beside --out, in a folder whose name ends in
/// `.checkpoints`. After a kill, a power cut or a full disk the same command with --resume goes on
/// from there.
#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) out: Destination,
    /// Go on with a training that was interrupted; without one, begin
    #[arg(long)]
    pub(crate) resume: bool,
    /// Which network
    #[arg(long, value_enum, default_value_t = Choice::Compact)]
    pub(crate) network: Choice,
    /// Passes over the training images at most
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) epochs: u16,
    /// Stop after this many epochs without a lower validation loss
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) patience: u16,
    /// Images per step
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) batch_size: u16,
    /// Adam's learning rate in the first epoch; it falls to nothing along half a cosine [default: 1e-3
    /// for compact, 1e-4 for reference]
    #[arg(long, value_parser = learning_rate)]
    pub(crate) learning_rate: Option<f64>,
    /// Device to train on: cpu, wgpu (Vulkan, Metal) or cuda; the last two only where they were built in
    #[arg(long, default_value = "cpu", value_parser = device::named)]
    pub(crate) device: Device,
    /// Seed of the split, the first weights, the order and the variations
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How figures are won: honestly, or as they were published
    #[arg(long, value_enum, default_value_t = Procedure::Grouped)]
    pub(crate) protocol: Procedure,
    /// About this share of what a network may see chooses the epoch
    #[arg(long, default_value_t = 0.2, value_parser = part)]
    pub(crate) validation_share: f64,
    /// Folds of the cross-validation [default: 5]; `each` makes every group a fold
    #[arg(long, value_name = "NUMBER|each", value_parser = folds)]
    folds: Option<TestPlan>,
    /// No cross-validation: these images give the figures, and are never trained on. `reference`
    /// (the 20 that the reference project took from ALL-IDB1), or a text file with one file name a
    /// line
    #[arg(long, value_name = "FILE|reference", conflicts_with = "folds")]
    holdout: Option<PathBuf>,
    /// Share of positive images that the decision threshold must find
    #[arg(long, default_value_t = 0.95, value_parser = requirement)]
    pub(crate) sensitivity: f64,
    /// Share of verdicts that must be right; what it takes is left inconclusive
    #[arg(long, default_value_t = 0.95, value_parser = requirement)]
    pub(crate) accuracy: f64,
    /// Fewest fields of view for the appliance's verdict on a slide
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) min_fields: u32,
    #[command(flatten)]
    pub(crate) identity: Identity,
}

/// The new model folder holds the same model with its OpenVINO IR in another precision; the ONNX file,
/// which the embedded engine runs, stays as it is. Both are run on the golden samples, and on --data
/// where it is given. A precision that changes a golden sample's verdict, a probability by more than
/// it should, or AUROC by 0.005 or more is refused.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder of the model
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) out: Destination,
    /// Of the OpenVINO IR
    #[arg(long, value_enum)]
    pub(crate) precision: Precision,
    /// Labelled images: a folder, or the CSV file that lists them; int8 needs some
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) arrangement: ArrangementArgs,
}

/// For networks with one image of three channels as input and a softmax over two classes as output, such
/// as the reference project's. How an image becomes the input (red or blue first, what the values
/// become, how it is resized) is found by trying all ways in use on labelled images: some ten of each
/// class that the network knows well.
#[derive(Debug, Args)]
#[command(
    mut_arg("name", |name| name.default_value("imported")),
    mut_arg("license", |license| license.default_value("LicenseRef-unknown"))
)]
pub(crate) struct ImportArgs {
    /// Topology
    #[arg(long, value_name = "FILE")]
    pub(crate) xml: PathBuf,
    /// Weights
    #[arg(long, value_name = "FILE")]
    pub(crate) bin: PathBuf,
    /// What the two outputs stand for, in their order
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "negative,positive",
        value_name = "FIRST,SECOND"
    )]
    pub(crate) labels: Vec<String>,
    /// The first output is the one with the finding, not the second
    #[arg(long)]
    pub(crate) positive_first: bool,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) out: Destination,
    #[command(flatten)]
    pub(crate) identity: Identity,
}

/// Prints the figures of `fit` with their intervals by groups, for other images. A model that this
/// trainer made knows what it was trained on, and is not measured on that, nor on the same patients.
/// Near-duplicates of training images are not recognised here.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// Folder of the model
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Print the report as JSON: figures, groups, cameras, every image
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the report as JSON, and plots as PNG and SVG, into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

/// How the figures of a model are won.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Procedure {
    /// No group is parted; only what a network trains on is varied, anew each epoch
    Grouped,
    /// The published one, for comparison: images are varied first and then split at random, so that
    /// copies of validation images are trained on. Its figures are leaky, and called so
    Reference,
}

/// First the steps alone (forward pass, backward pass, Adam) on one batch of images, then steps as `fit`
/// makes them, with every image varied anew on other threads, and the share of that time for which the
/// network had to wait for images. Writes no model.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Which network
    #[arg(long, value_enum, default_value_t = Choice::Reference)]
    pub(crate) network: Choice,
    /// Images per step
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) batch_size: u16,
    /// Steps to time, of each kind
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) steps: u16,
    /// Device to train on: cpu, wgpu (Vulkan, Metal) or cuda; the last two only where they were built in
    #[arg(long, default_value = "cpu", value_parser = device::named)]
    pub(crate) device: Device,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl FitArgs {
    /// # Errors
    /// A usage error for folds where the procedure has none.
    pub(crate) fn test_plan(&self) -> Result<TestPlan, clap::Error> {
        let holdout = self.holdout.as_ref().map(|list| {
            if list.as_os_str() == "reference" {
                Holdout::Reference
            } else {
                Holdout::Listed(list.clone())
            }
        });
        match (self.protocol, holdout, self.folds.clone()) {
            (Procedure::Grouped, Some(holdout), _) => Ok(TestPlan::Named(holdout)),
            (Procedure::Grouped, None, folds) => Ok(folds.unwrap_or(TestPlan::Folds(5))),
            (Procedure::Reference, holdout, None) => Ok(TestPlan::Leaky(holdout)),
            (Procedure::Reference, _, Some(_)) => Err(Cli::command().error(
                ErrorKind::ArgumentConflict,
                "--folds is for --protocol grouped: the published procedure has one random split",
            )),
        }
    }
}

/// A value as it is written on the command line.
pub(crate) fn spelled(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn number(text: &str, is_valid: impl Fn(f64) -> bool, range: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if is_valid(number) => Ok(number),
        _ => Err(format!("must be a number {range}")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |share| (0.0..=1.0).contains(&share), "from 0 to 1")
}

fn part(text: &str) -> Result<f64, String> {
    number(
        text,
        |part| part > 0.0 && part <= 0.4,
        "above 0 and up to 0.4",
    )
}

fn requirement(text: &str) -> Result<f64, String> {
    number(text, |share| (0.5..=1.0).contains(&share), "from 0.5 to 1")
}

fn folds(text: &str) -> Result<TestPlan, String> {
    if text == "each" {
        return Ok(TestPlan::EachGroup);
    }
    match text.parse() {
        Ok(folds @ 2..=100) => Ok(TestPlan::Folds(folds)),
        _ => Err("must be a number from 2 to 100, or `each`".into()),
    }
}

fn learning_rate(text: &str) -> Result<f64, String> {
    number(
        text,
        |rate| rate > 0.0 && rate <= 1.0,
        "above 0 and up to 1",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_guide_s_import_and_export_are_understood() {
        let import = "t import --xml x --bin b --labels healthy,leukemia --data d --out o";
        let Command::Import(args) = Cli::parse_from(import.split(' ')).command else {
            panic!("another command");
        };
        assert_eq!(args.labels, ["healthy", "leukemia"]);
        assert_eq!(args.identity.license, "LicenseRef-unknown");
        assert_eq!(args.out.folder, PathBuf::from("o"));
        let export = "t export --model m --precision fp16 --out o";
        let Command::Export(args) = Cli::parse_from(export.split(' ')).command else {
            panic!("another command");
        };
        assert_eq!(args.data, None);
    }

    #[test]
    fn impossible_shares_are_refused() {
        for share in ["-0.1", "1.5", "NaN", "half"] {
            assert!(
                Cli::try_parse_from(["t", "synth", "--out", "o", "--positive-share", share])
                    .is_err()
            );
        }
        assert!(
            Cli::try_parse_from(["t", "fit", "--data", "d", "--out", "o", "--folds", "1"]).is_err()
        );
    }
}
