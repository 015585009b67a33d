//! `smearscope config`: shows, checks and imports configurations.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::exit::{Exit, Failure};
use crate::cli::import_hias::ImportHiasArgs;
use crate::config::{Raw, existing_file};

/// Show or check the configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigCommandArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the configuration in use: every setting with its meaning, default and valid values.
    Show {
        /// File to read.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    ImportHias(ImportHiasArgs),
    /// Check a configuration; exit code 3 if it is not valid.
    Check {
        /// File to read.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

impl ConfigCommandArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        self.command.run().map_err(Failure::configuration)
    }
}

impl ConfigCommand {
    fn run(self) -> Result<Exit> {
        let mut stdout = std::io::stdout().lock();
        match self {
            Self::Show { file } => {
                let raw = Raw::read(file.as_deref())?;
                stdout.write_all(raw.documented()?.as_bytes())?;
            }
            Self::ImportHias(args) => args.run(&mut stdout)?,
            Self::Check { file } => {
                Raw::read(file.as_deref())?.validate()?;
                match existing_file(file.as_deref()) {
                    Some(path) => writeln!(stdout, "{}: OK", path.display())?,
                    None => writeln!(stdout, "no file; defaults: OK")?,
                }
            }
        }
        Ok(Exit::Success)
    }
}
