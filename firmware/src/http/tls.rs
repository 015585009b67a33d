//! TLS: the configured certificate, or a self-signed one that the first start creates.
//!
//! The screen shows the fingerprint of a self-signed certificate, so that users can compare it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use data_encoding::HEXUPPER;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::http::Tls;

/// Certificate and key in one file, so that they always match.
const FILE: &str = "tls.pem";
/// Digits in a group of the fingerprint.
const GROUP: usize = 4;

/// The certificate of the server.
pub(crate) struct TlsIdentity {
    pub(crate) acceptor: TlsAcceptor,
    /// SHA-256 of the certificate, in groups of digits.
    pub(crate) fingerprint: String,
    /// Whether it was just created.
    pub(crate) is_new: bool,
}

impl TlsIdentity {
    /// Reads the certificate that `tls` names, or the self-signed one in `state`; creates that if it does not exist.
    pub(crate) fn open(tls: &Tls, state: Option<&Path>, names: &[String]) -> Result<Self> {
        let (certificate, key, is_new) = match tls {
            Tls::Own { certificate, key } => (certificate.clone(), key.clone(), false),
            Tls::SelfSigned => {
                let state =
                    state.context("there is no folder for the certificate; set storage.state")?;
                let path = state.join(FILE);
                let is_new = !path.exists();
                if is_new {
                    create(&path, names)
                        .with_context(|| format!("cannot create {}", path.display()))?;
                }
                (path.clone(), path, is_new)
            }
        };
        let unusable = |path: &Path| {
            format!(
                "{} has no certificate and key in PEM format",
                path.display()
            )
        };
        let chain = CertificateDer::pem_file_iter(&certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| unusable(&certificate))?;
        let secret = PrivateKeyDer::from_pem_file(&key).with_context(|| unusable(&key))?;
        let first = chain.first().with_context(|| unusable(&certificate))?;
        let fingerprint = grouped(&HEXUPPER.encode(&Sha256::digest(first)));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .with_context(|| unusable(&certificate))?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            fingerprint,
            is_new,
        })
    }
}

/// Creates a self-signed certificate.
fn create(path: &Path, names: &[String]) -> Result<()> {
    let created = rcgen::generate_simple_self_signed(names.to_vec())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    match fs::create_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    // `tempfile` creates files that only the owner can read.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(created.cert.pem().as_bytes())?;
    file.write_all(created.signing_key.serialize_pem().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Inserts spaces, so that a person can compare the digits.
fn grouped(digits: &str) -> String {
    let groups: Vec<&str> = (0..digits.len())
        .step_by(GROUP)
        .filter_map(|start| digits.get(start..start + GROUP))
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_created_once_and_reused() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["bench.local".to_owned()];
        let open = || TlsIdentity::open(&Tls::SelfSigned, Some(folder.path()), &names);
        let first = open().unwrap();
        assert!(first.is_new);
        assert_eq!(first.fingerprint.len(), 64 + 15);
        let again = open().unwrap();
        assert!(!again.is_new);
        assert_eq!(again.fingerprint, first.fingerprint);
        fs::write(folder.path().join(FILE), "damaged").unwrap();
        let error = format!("{:#}", open().err().unwrap());
        assert!(error.contains(FILE), "{error}");
    }
}
