//! The command line: a file for each command, the arguments that several of them share, and exit codes.

mod args;
mod board;
mod calibrate;
mod classify;
mod completions;
mod config;
mod demo_fields;
mod exit;
mod farewell;
mod faults;
mod folder_answer;
mod image_files;
pub(crate) mod import_hias;
mod judge;
mod local_judge;
mod man;
mod model;
mod picture_folder;
mod plural;
mod records;
mod remote;
mod run;
mod screens;
mod selftest;
mod service_start;
mod tls;
mod token;

use std::io::Write;

use clap::{CommandFactory, Parser, Subcommand};

pub use exit::Exit;

use crate::cli::calibrate::CalibrateArgs;
use crate::cli::classify::ClassifyArgs;
use crate::cli::completions::CompletionsArgs;
use crate::cli::config::ConfigCommandArgs;
use crate::cli::exit::Failure;
use crate::cli::faults::FaultsArgs;
use crate::cli::man::ManArgs;
use crate::cli::model::ModelCommandArgs;
use crate::cli::records::RecordsArgs;
use crate::cli::run::RunArgs;
use crate::cli::screens::ScreensArgs;
use crate::cli::selftest::SelftestArgs;
use crate::cli::tls::TlsArgs;
use crate::cli::token::TokenArgs;
use crate::system::sanitize::printable_lines;

/// What to try first. The short help ends with it; it is what the program prints without arguments.
const FIRST_STEPS: &str = "\
First steps:
  smearscope selftest --board sim            Check model and engine; the board is simulated
  smearscope run --board sim                 Run the appliance on demo fields, in this terminal
  smearscope classify DIR                    Classify the images in DIR
  smearscope config show                     Print every setting with its meaning
  sudo systemctl enable --now smearscope     Run as a service, once the Debian package is installed";

/// Classify blood-smear micrographs for acute lymphoblastic leukemia, on the bench or from files.
///
/// Research use only: not for diagnosis or treatment.
#[derive(Debug, Parser)]
#[command(version, after_help = FIRST_STEPS, after_long_help = format!("{FIRST_STEPS}\n\n{}", exit::HELP))]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    Classify(ClassifyArgs),
    Selftest(SelftestArgs),
    Calibrate(CalibrateArgs),
    Model(ModelCommandArgs),
    Records(RecordsArgs),
    Faults(FaultsArgs),
    Token(TokenArgs),
    Tls(TlsArgs),
    Config(ConfigCommandArgs),
    Screens(ScreensArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Cli {
    /// Runs the command and reports errors on standard error.
    pub fn run(self) -> Exit {
        let result = match self.command {
            Some(command) => command.run(),
            None => print_help().map_err(Failure::from),
        };
        match result {
            Ok(exit) => exit,
            // The reader closed the pipe because it needs no more output.
            Err(failure) if is_broken_pipe(&failure.error) => Exit::Success,
            Err(Failure { exit, error }) => {
                // Standard error may be closed; the exit code still reports the failure.
                let text = printable_lines(&format!("{error:#}"));
                let _ = writeln!(std::io::stderr(), "error: {text}");
                exit
            }
        }
    }
}

fn print_help() -> anyhow::Result<Exit> {
    Cli::command().print_help()?;
    Ok(Exit::Success)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

impl Command {
    fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Run(args) => args.run(),
            Self::Classify(args) => args.run(),
            Self::Selftest(args) => args.run(),
            Self::Calibrate(args) => args.run(),
            Self::Model(args) => args.run(),
            Self::Records(args) => args.run(),
            Self::Faults(args) => args.run(),
            Self::Token(args) => args.run(),
            Self::Tls(args) => args.run(),
            Self::Config(args) => args.run(),
            Self::Screens(args) => Ok(args.run()?),
            Self::Completions(args) => Ok(args.run(Cli::command())?),
            Self::Man(ManArgs {}) => Ok(man::print(Cli::command())?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_use_a_state_folder_take_it_and_the_configuration_by_the_same_options() {
        let program = Cli::command();
        for name in [
            "run", "classify", "selftest", "model", "records", "faults", "token", "tls",
        ] {
            let command = program.find_subcommand(name).unwrap();
            for option in ["config", "state"] {
                let mut options = command.get_arguments().filter_map(clap::Arg::get_long);
                assert!(options.any(|known| known == option), "{name} --{option}");
            }
        }
    }

    #[test]
    fn the_definition_of_the_command_line_is_valid() {
        Cli::command().debug_assert();
    }
}
