//! TLS: the configured certificate, or a self-signed one that the first start creates.
//!
//! The screen shows the fingerprint of a self-signed certificate, so that users can compare it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::config::http::Tls;
use crate::http::certificate::{self, Contents, SelfSigned};
use crate::http::machine::{self, Machine};
use crate::system::clock::ClockState;

/// Pause after a renewal that failed.
const RETRY: Duration = Duration::from_mins(1);

/// The certificate of the server.
pub(crate) struct TlsIdentity {
    loaded: Loaded,
    /// Whether it was just created or renewed.
    pub(crate) is_new: bool,
    /// `None`: it is the operator's own.
    renewal: Option<Renewal>,
}

struct Loaded {
    acceptor: TlsAcceptor,
    fingerprint: String,
}

struct Renewal {
    files: SelfSigned,
    names: Vec<String>,
    machine: Machine,
    contents: Contents,
    /// Not before this, if a renewal failed.
    retry: Option<Instant>,
}

impl TlsIdentity {
    /// Reads the certificate that `tls` names, or the self-signed one in `state`; creates that if it does not exist, and
    /// renews it if it does not fit this machine with these names.
    pub(crate) fn open(tls: &Tls, state: Option<&Path>, names: &[String]) -> Result<Self> {
        match tls {
            Tls::Own { certificate, key } => Ok(Self {
                loaded: Loaded::read(certificate, key).context(
                    "http.certificate and http.key must name a certificate chain and its private key, both in PEM",
                )?,
                is_new: false,
                renewal: None,
            }),
            Tls::SelfSigned => {
                let state =
                    state.context("there is no folder for the certificate; set storage.state")?;
                let files = SelfSigned::of(state);
                let machine = Machine::this(names);
                let (now, clock) = time();
                let reason = files.prepare(&machine, now, clock)?;
                if let Some(reason) = &reason {
                    log::info!("a new certificate was created ({reason})");
                }
                let (loaded, contents) = load(&files)?;
                Ok(Self {
                    loaded,
                    is_new: reason.is_some(),
                    renewal: Some(Renewal {
                        files,
                        names: names.to_vec(),
                        machine,
                        contents,
                        retry: None,
                    }),
                })
            }
        }
    }

    /// SHA-256 of the certificate, in groups of digits.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.loaded.fingerprint
    }

    /// What accepts a connection to this address of the machine. A self-signed certificate that lacks the address or
    /// ends soon is renewed before.
    pub(crate) fn acceptor(&mut self, address: IpAddr) -> TlsAcceptor {
        if let Some(renewal) = &mut self.renewal {
            match renewal.renew(address) {
                Ok(None) => {}
                Ok(Some(loaded)) => self.loaded = loaded,
                Err(error) => log::warn!("the certificate cannot be renewed: {error:#}"),
            }
        }
        self.loaded.acceptor.clone()
    }
}

impl Renewal {
    fn renew(&mut self, address: IpAddr) -> Result<Option<Loaded>> {
        if self.retry.is_some_and(|retry| Instant::now() < retry) {
            return Ok(None);
        }
        if let Some(address) = machine::lasting(address)
            && self.contents.lacks(address)
            && !self.machine.is_full()
        {
            // Addresses that it no longer has make room for this one.
            self.machine = Machine::this(&self.names);
            self.machine.add(address);
        }
        let (now, clock) = time();
        let is_fitting = self.contents.why_renew(&self.machine, now, clock).is_none();
        if is_fitting {
            return Ok(None);
        }
        self.retry = Some(Instant::now() + RETRY);
        let reason = self.files.prepare(&self.machine, now, clock)?;
        let (loaded, contents) = load(&self.files)?;
        log::warn!(
            "the certificate was renewed ({}); programs that have a copy may need the new one (`smearscope tls \
             export`), SHA-256 {}",
            reason.unwrap_or_default(),
            loaded.fingerprint
        );
        self.contents = contents;
        self.retry = None;
        Ok(Some(loaded))
    }
}

/// The time by the clock, and what is known about the clock.
fn time() -> (Timestamp, ClockState) {
    let now = Timestamp::now();
    (now, ClockState::at(now, None))
}

fn load(files: &SelfSigned) -> Result<(Loaded, Contents)> {
    let loaded = Loaded::read(&files.certificate(), &files.key());
    let loaded = loaded.with_context(|| files.remedy())?;
    let contents = Contents::of(&certificate::chain(&files.certificate())?[0])?;
    Ok((loaded, contents))
}

impl Loaded {
    fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let chain = certificate::chain(certificate)?;
        let fingerprint = certificate::fingerprint(&chain[0]);
        let secret = PrivateKeyDer::from_pem_file(key)
            .with_context(|| format!("{} is not a private key in PEM format", key.display()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .with_context(|| {
                format!(
                    "{} is not the certificate of the key in {}",
                    certificate.display(),
                    key.display()
                )
            })?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            fingerprint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_created_once_reused_and_renewed_for_an_address_that_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["bench.local".to_owned()];
        let open = || TlsIdentity::open(&Tls::SelfSigned, Some(folder.path()), &names);
        let first = open().unwrap();
        assert!(first.is_new);
        assert_eq!(first.fingerprint().len(), 64 + 15);
        let mut again = open().unwrap();
        assert!(!again.is_new);
        assert_eq!(again.fingerprint(), first.fingerprint());
        again.acceptor("127.0.0.1".parse().unwrap());
        assert_eq!(again.fingerprint(), first.fingerprint());
        let used = "2001:db8::7".parse().unwrap();
        again.acceptor(used);
        assert_ne!(again.fingerprint(), first.fingerprint());
        let renewed = open().unwrap();
        assert!(!renewed.is_new);
        assert_eq!(renewed.fingerprint(), again.fingerprint());
        let files = SelfSigned::of(folder.path());
        for damaged in [files.key(), files.certificate()] {
            std::fs::write(&damaged, "damaged").unwrap();
            let error = format!("{:#}", open().err().unwrap());
            let name = damaged.file_name().unwrap().to_str().unwrap();
            assert!(error.contains(name), "{error}");
            assert!(error.contains("remove it"), "{error}");
        }
    }

    #[test]
    fn a_missing_key_is_told_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let open = || TlsIdentity::open(&Tls::SelfSigned, Some(folder.path()), &[]);
        open().unwrap();
        let key = SelfSigned::of(folder.path()).key();
        std::fs::remove_file(&key).unwrap();
        let error = format!("{:#}", open().err().unwrap());
        assert!(error.contains(key.to_str().unwrap()), "{error}");
        assert!(error.contains("remove it"), "{error}");
        let own = Tls::Own {
            certificate: SelfSigned::of(folder.path()).certificate(),
            key: key.clone(),
        };
        let error = format!("{:#}", TlsIdentity::open(&own, None, &[]).err().unwrap());
        assert!(error.contains(key.to_str().unwrap()), "{error}");
        assert!(error.contains("http.key"), "{error}");
    }
}
