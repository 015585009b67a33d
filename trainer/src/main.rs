//! `smearscope-train`: looks at images, draws and varies them, trains networks and exports models.

mod augment;
mod cli;
mod convolution;
mod dataset;
mod error;
mod graph;
mod metrics;
mod networks;
mod package;
mod progress;
mod report;
mod synth;
#[cfg(test)]
mod testing;
mod training;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use cli::augment::Preview;
use cli::benchmark::Bench;
use cli::evaluate::Examination;
use cli::export::Recast;
use cli::fit::Job;
use cli::import::Import;
use cli::inspect::Inspection;
use cli::{
    AugmentArgs, BenchArgs, Cli, Command, EvaluateArgs, ExportArgs, FitArgs, ImportArgs,
    InspectArgs, SynthArgs,
};
use dataset::SplitPlan;
use networks::Architecture;
use synth::Collection;
use training::calibration::Requirements;
use training::protocol::Protocol;
use training::train::Plan;

fn main() -> ExitCode {
    let log = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(log)
        .format_target(false)
        .format_timestamp(None)
        .init();
    let outcome = match Cli::parse().command {
        Command::Synth(args) => Collection::from(args).write(),
        Command::Inspect(args) => Inspection::from(args).run(),
        Command::Augment(args) => Preview::from(args).write(),
        Command::Fit(args) => Job::try_from(*args)
            .unwrap_or_else(|error| error.exit())
            .run(),
        Command::Import(args) => Import::from(args).run(),
        Command::Export(args) => Recast::from(args).run(),
        Command::Evaluate(args) => Examination::from(args).run(),
        Command::Bench(args) => Bench::from(args).run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = error.to_string();
            let mut cause = error.source();
            while let Some(inner) = cause {
                message = format!("{message}: {inner}");
                cause = inner.source();
            }
            eprintln!("smearscope-train: {message}");
            error.exit_code()
        }
    }
}

impl From<SynthArgs> for Collection {
    fn from(args: SynthArgs) -> Self {
        Self {
            out: args.out,
            count: args.count,
            positive_share: args.positive_share,
            seed: args.seed,
            width: args.width,
            height: args.height,
        }
    }
}

impl From<InspectArgs> for Inspection {
    fn from(args: InspectArgs) -> Self {
        Self {
            data: args.data.into(),
            json: args.json,
            sheet: args.sheet,
        }
    }
}

impl From<AugmentArgs> for Preview {
    fn from(args: AugmentArgs) -> Self {
        Self {
            image: args.image,
            out: args.preview,
            seed: args.seed,
        }
    }
}

impl From<ImportArgs> for Import {
    fn from(args: ImportArgs) -> Self {
        Self {
            xml: args.xml,
            bin: args.bin,
            labels: args.labels,
            positive_index: usize::from(!args.positive_first),
            data: args.data.into(),
            out: args.out,
            identity: args.identity,
        }
    }
}

impl From<ExportArgs> for Recast {
    fn from(args: ExportArgs) -> Self {
        Self {
            model: args.model,
            out: args.out,
            precision: args.precision,
            data: args.data.map(|root| args.arrangement.at(root)),
        }
    }
}

impl From<EvaluateArgs> for Examination {
    fn from(args: EvaluateArgs) -> Self {
        Self {
            data: args.data.into(),
            model: args.model,
            json: args.json,
            out: args.out,
        }
    }
}

impl TryFrom<FitArgs> for Job {
    type Error = clap::Error;

    fn try_from(args: FitArgs) -> Result<Self, clap::Error> {
        let test = args.test_plan()?;
        let architecture = Architecture::from(args.network);
        Ok(Self {
            protocol: Protocol {
                plan: Plan {
                    architecture,
                    epochs: args.epochs.into(),
                    patience: args.patience.into(),
                    batch_size: args.batch_size.into(),
                    learning_rate: args.learning_rate.unwrap_or(architecture.learning_rate()),
                    // The published procedure varies them before.
                    varied: !test.is_leaky(),
                    seed: args.seed,
                    device: args.device,
                },
                split: SplitPlan {
                    test,
                    validation: args.validation_share,
                    seed: args.seed,
                },
                requirements: Requirements {
                    sensitivity: args.sensitivity,
                    accuracy: args.accuracy,
                },
            },
            data: args.data.into(),
            out: args.out,
            resume: args.resume,
            min_fields: args.min_fields,
            identity: args.identity,
        })
    }
}

impl From<BenchArgs> for Bench {
    fn from(args: BenchArgs) -> Self {
        Self {
            data: args.data.into(),
            plan: Plan {
                architecture: args.network.into(),
                epochs: 1,
                patience: 1,
                batch_size: args.batch_size.into(),
                learning_rate: Architecture::from(args.network).learning_rate(),
                varied: true,
                seed: 1,
                device: args.device,
            },
            steps: args.steps.into(),
            json: args.json,
        }
    }
}
