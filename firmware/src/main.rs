//! The `smearscope` program.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    smearscope::cli::Cli::parse().run().into()
}
