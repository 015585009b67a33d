//! `smearscope token`: creates, lists and revokes tokens of the HTTP API.

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::cli::args::{ConfigArgs, StateArgs, stored};
use crate::cli::exit::{Exit, Failure};
use crate::http::tokens::{Role, Tokens};
use crate::system::logging;

/// Create, list and revoke tokens of the HTTP API.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
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
        let raw = self.state.apply(self.config.read()?);
        let config = raw.validate().map_err(Failure::configuration)?;
        logging::start_for_command(config.log);
        let tokens = Tokens::of(stored(config.state())?);
        self.command.run(&tokens, &mut std::io::stdout().lock())?;
        Ok(Exit::Success)
    }
}

impl TokenCommand {
    fn run(&self, tokens: &Tokens, out: &mut impl Write) -> anyhow::Result<()> {
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
