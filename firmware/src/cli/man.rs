//! `smearscope man`: the manual page, with a section for each command.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::exit::Exit;

/// Print the manual page of the program and all its commands.
#[derive(Debug, Args)]
#[command(after_help = "Example: smearscope man | man -l -")]
pub(crate) struct ManArgs {}

/// Prints the manual page of `command`, the whole program.
pub(crate) fn print(mut command: Command) -> Result<Exit> {
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    render_notes(&command, &mut page)?;
    for subcommand in commands(&command) {
        render_command(subcommand, &mut page)?;
    }
    io::stdout().write_all(&page)?;
    Ok(Exit::Success)
}

/// The subcommands without clap's own `help`.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|subcommand| subcommand.get_name() != "help")
}

/// Renders the text after a command's help, if it has one.
fn render_notes(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let text = command.get_after_long_help().or(command.get_after_help());
    let Some(text) = text else { return Ok(()) };
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    for line in text.to_string().lines() {
        if line.is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    roff.to_writer(page)
}

/// Renders a command and, after it, its own commands.
fn render_command(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
    let man = Man::new(command.clone());
    let mut sections = Vec::new();
    man.render_description_section(&mut sections)?;
    man.render_synopsis_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    render_notes(command, &mut sections)?;
    // The sections of the command's page become subsections.
    for line in String::from_utf8_lossy(&sections).lines() {
        match line.strip_prefix(".SH ") {
            Some("DESCRIPTION") => {}
            Some(heading) => writeln!(page, ".SS {heading}")?,
            None => writeln!(page, "{line}")?,
        }
    }
    for subcommand in commands(command) {
        render_command(subcommand, page)?;
    }
    Ok(())
}
