//! `smearscope tls`: shows and exports the certificate of the HTTP API.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use data_encoding::BASE64;

use crate::cli::args::{ConfigArgs, StateArgs, stored};
use crate::cli::exit::{Exit, Failure};
use crate::config::Config;
use crate::config::http::Tls;
use crate::http::certificate::{self, Contents, SelfSigned};
use crate::records::RecordsError;
use crate::system::logging;

/// Letters in a line of a PEM file.
const LINE: usize = 64;

/// Show and export the TLS certificate of the HTTP API.
#[derive(Debug, Args)]
pub(crate) struct TlsArgs {
    #[command(subcommand)]
    command: TlsCommand,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Subcommand)]
enum TlsCommand {
    /// Print the certificate's SHA-256, which the screen shows after a start with a new one, its names and its validity.
    Show,
    /// Print the certificate in PEM, without the private key, for the programs that connect to this appliance.
    Export {
        /// File to write instead of standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

impl TlsArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let config = self.state.apply(self.config.read()?);
        let config = config.validate().map_err(Failure::configuration)?;
        logging::start_for_command(config.log);
        let path = file(&config)?;
        self.command.run(&path, &mut std::io::stdout().lock())?;
        Ok(Exit::Success)
    }
}

impl TlsCommand {
    fn run(&self, path: &Path, standard: &mut impl Write) -> Result<()> {
        let chain = certificate::chain(path)?;
        match self {
            Self::Show => {
                let contents = Contents::of(&chain[0])?;
                let addresses = contents.addresses.iter().map(ToString::to_string);
                let names: Vec<_> = contents.names.iter().cloned().chain(addresses).collect();
                writeln!(standard, "file:    {}", path.display())?;
                writeln!(standard, "SHA-256: {}", certificate::fingerprint(&chain[0]))?;
                writeln!(standard, "names:   {}", names.join(", "))?;
                let (from, until) = (
                    certificate::date(contents.from),
                    certificate::date(contents.until),
                );
                writeln!(standard, "valid:   {from} to {until}")?;
            }
            Self::Export { out } => {
                let text: String = chain.iter().map(|certificate| pem(certificate)).collect();
                match out {
                    None => standard.write_all(text.as_bytes())?,
                    Some(out) => std::fs::write(out, text)
                        .with_context(|| format!("{} cannot be written", out.display()))?,
                }
            }
        }
        Ok(())
    }
}

/// The file with the certificate.
fn file(config: &Config) -> Result<PathBuf, Failure> {
    if let Some(Tls::Own { certificate, .. }) =
        config.http.as_ref().and_then(|http| http.tls.as_ref())
    {
        return Ok(certificate.clone());
    }
    Ok(existing(stored(config.state())?)?)
}

fn existing(state: &Path) -> Result<PathBuf> {
    let path = SelfSigned::of(state).certificate();
    match File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "there is no certificate in {} yet; it is created when the appliance first starts with TLS (http.tls)",
            state.display()
        ),
        Err(error) => Err(RecordsError::unreadable(&path)(error))?,
    }
}

/// A certificate in PEM.
fn pem(certificate: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let letters = BASE64.encode(certificate);
    for start in (0..letters.len()).step_by(LINE) {
        let end = letters.len().min(start + LINE);
        text.push_str(letters.get(start..end).unwrap_or_default());
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_exported_certificate_is_the_one_in_the_file() {
        let made = rcgen::generate_simple_self_signed(["bench".to_owned()]).unwrap();
        let expected = made.cert.pem().replace("\r\n", "\n");
        assert_eq!(pem(made.cert.der()), expected);
    }

    #[test]
    fn a_certificate_that_does_not_exist_yet_is_said_to_come() {
        let state = tempfile::tempdir().unwrap();
        let error = existing(state.path()).unwrap_err().to_string();
        assert!(error.contains("http.tls"), "{error}");
        fs::create_dir(state.path().join("tls")).unwrap();
        fs::write(state.path().join("tls/certificate.pem"), "").unwrap();
        assert!(existing(state.path()).is_ok());
    }
}
