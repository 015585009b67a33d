//! `smearscope config`: shows, checks and imports configurations.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::args::FileArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::import_hias::ImportHiasArgs;
use crate::config::service::Service;
use crate::config::{Raw, existing_file};

/// Show or check the configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigCommandArgs {
    #[command(subcommand)]
    command: ConfigCommand,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the configuration in use: every setting with its meaning, default and valid values.
    Show {
        /// File to read; the same as --config.
        #[arg(value_name = "FILE", conflicts_with = "config")]
        file: Option<PathBuf>,
    },
    ImportHias(ImportHiasArgs),
    /// Check a configuration; exit code 3 if it is not valid.
    Check {
        /// File to read; the same as --config.
        #[arg(value_name = "FILE", conflicts_with = "config")]
        file: Option<PathBuf>,
        /// Check it as the service reads it, which needs a file with settings.
        #[arg(long)]
        service: bool,
        /// Accept settings that this version does not know, as the service does when it starts; each is a warning.
        #[arg(long, requires = "service")]
        ignore_unknown: bool,
    },
}

impl ConfigCommandArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut stdout = std::io::stdout().lock();
        let named = self.file.path();
        match &self.command {
            ConfigCommand::Show { file } => {
                let raw = Raw::read(file.as_deref().or(named)).map_err(Failure::configuration)?;
                let text = raw.documented().map_err(Failure::configuration)?;
                write(&mut stdout, &text)?;
            }
            ConfigCommand::ImportHias(args) => args.run(named, &mut stdout)?,
            ConfigCommand::Check {
                file,
                service,
                ignore_unknown,
            } => {
                let named = file.as_deref().or(named);
                let line =
                    check(named, *service, *ignore_unknown).map_err(Failure::configuration)?;
                write(&mut stdout, &line)?;
            }
        }
        Ok(Exit::Success)
    }
}

fn write(out: &mut impl Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Checks a file, and prints warnings on standard error. Returns a line that says that it is valid.
fn check(named: Option<&Path>, is_service: bool, ignores_unknown: bool) -> Result<String> {
    let mut warnings = Vec::new();
    let (raw, path) = match Service::detect(is_service) {
        Some(service) => {
            let mut read = service.read(named)?;
            if ignores_unknown {
                warnings.append(&mut read.unknown);
            }
            (read.strict()?, Some(Service::file(named).to_owned()))
        }
        None => (Raw::read(named)?, existing_file(named)),
    };
    let sets_nothing = raw == Raw::default();
    let config = raw.validate()?;
    config.check_machine()?;
    warnings.extend(config.warnings());
    if let Some(path) = path.as_ref().filter(|_| sets_nothing) {
        warnings.push(format!(
            "{} changes no setting: nothing is recorded, and models need no signature",
            path.display()
        ));
    }
    for warning in warnings {
        writeln!(std::io::stderr(), "warning: {warning}")?;
    }
    Ok(match path {
        Some(path) => format!("{}: OK\n", path.display()),
        None => "no file; defaults: OK\n".into(),
    })
}
