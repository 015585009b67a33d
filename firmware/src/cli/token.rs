//! `smearscope token`: creates, lists and revokes tokens of the HTTP API.

use std::io::Write;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::cli::args::ConfigArgs;
use crate::cli::exit::{Exit, Failure};
use crate::config::Config;
use crate::http::tokens::{Role, Tokens};
use crate::system::logging;

/// Create, list and revoke tokens of the HTTP API.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Create a token and print it, once.
    New {
        /// What the token allows: a viewer reads and classifies, an operator also presses the button.
        #[arg(long)]
        role: Role,
    },
    /// List the tokens by their ids.
    List,
    /// Revoke a token with immediate effect.
    Revoke {
        /// The token's id in the list.
        id: String,
    },
}

impl TokenArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        logging::start_for_command();
        let config = self.config.validated()?;
        self.command.run(&config, &mut std::io::stdout().lock())?;
        Ok(Exit::Success)
    }
}

impl TokenCommand {
    fn run(&self, config: &Config, out: &mut impl Write) -> Result<()> {
        let Some(state) = config.state() else {
            bail!("tokens cannot be stored because storage.state is empty; set it to a folder");
        };
        let tokens = Tokens::of(state);
        match self {
            Self::New { role } => writeln!(out, "{}", tokens.create(*role)?)?,
            Self::List => {
                for entry in tokens.entries()? {
                    let role = match entry.role {
                        Role::Viewer => "viewer",
                        Role::Operator => "operator",
                    };
                    writeln!(out, "{}  {role:8}  {}", entry.id, entry.created_at)?;
                }
            }
            Self::Revoke { id } => {
                if !tokens.revoke(id)? {
                    bail!("there is no token {id}; see `smearscope token list`");
                }
            }
        }
        Ok(())
    }
}
