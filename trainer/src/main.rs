//! `smearscope-train`: looks at images, draws and varies them, trains networks and exports models.

mod augment;
mod batch;
mod calibration;
mod card;
mod cli;
mod contact_sheet;
mod dataset;
mod error;
mod export;
mod fit;
mod golden;
mod inspect;
mod metrics;
mod network;
mod package;
mod progress;
mod protocol;
mod report;
mod sheet;
mod shortcuts;
mod synth;
#[cfg(test)]
mod test_peer;
mod training;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use augment::Preview;
use calibration::Requirements;
use cli::{AugmentArgs, Cli, Command, FitArgs, InspectArgs, SynthArgs};
use dataset::SplitPlan;
use fit::Job;
use inspect::Inspection;
use network::Architecture;
use protocol::Protocol;
use synth::Collection;
use training::Plan;

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
        Command::Fit(args) => Job::from(args).run(),
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

impl From<FitArgs> for Job {
    fn from(args: FitArgs) -> Self {
        Self {
            protocol: Protocol {
                split: SplitPlan {
                    test: args.test_plan(),
                    validation: args.validation_share,
                    seed: args.seed,
                },
                plan: Plan {
                    architecture: Architecture::REFERENCE,
                    epochs: args.epochs.into(),
                    patience: args.patience.into(),
                    batch_size: args.batch_size.into(),
                    learning_rate: args.learning_rate,
                    seed: args.seed,
                },
                requirements: Requirements {
                    sensitivity: args.sensitivity,
                    accuracy: args.accuracy,
                },
            },
            data: args.data.into(),
            out: args.out,
            replace: args.replace,
            name: args.name,
            version: args.model_version,
            license: args.license,
        }
    }
}
