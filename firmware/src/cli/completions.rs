//! `smearscope completions`: completion scripts for shells.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::exit::Exit;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: smearscope completions bash > ~/.local/share/bash-completion/completions/smearscope\n\n\
    The Debian package installs the scripts for bash, zsh and fish."
)]
pub(crate) struct CompletionsArgs {
    /// Whose completions to print.
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn run(self, mut command: Command) -> Result<Exit> {
        let name = command.get_name().to_owned();
        // Into memory first, because `generate` panics if it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(Exit::Success)
    }
}
