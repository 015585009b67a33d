//! `smearscope token`: makes, lists and takes back tokens of the HTTP API.

use std::io::Write;

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::config::Config;
use crate::http::tokens::{Role, Tokens};

/// What to do with tokens.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token and prints it, once.
    New {
        /// What it allows: to look and to have images classified, or to press the button, too.
        #[arg(long)]
        role: Role,
    },
    /// Lists the tokens by their ids.
    List,
    /// Takes a token back, at once.
    Revoke {
        /// As the list names it.
        id: String,
    },
}

impl TokenCommand {
    pub(crate) fn run(&self, config: &Config, out: &mut impl Write) -> Result<()> {
        let Some(state) = config.state() else {
            bail!("tokens have no place to be kept; set storage.state");
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
