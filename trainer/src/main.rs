//! `smearscope-train`: inspects datasets, draws synthetic fields, trains networks and exports models.

mod arguments;
mod audit;
mod augment;
mod cell_kind;
mod cli;
mod convolution;
mod dataset;
mod error;
mod graph;
mod interruption;
mod mask_region;
mod metrics;
mod networks;
mod normalisation;
mod package;
mod progress;
mod reading;
mod report;
mod stdout;
mod synth;
#[cfg(test)]
mod testing;
mod training;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

fn main() -> ExitCode {
    let log = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(log)
        .format_target(false)
        .format_timestamp(None)
        .init();
    match Cli::parse().run() {
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
