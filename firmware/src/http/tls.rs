//! TLS: the certificate of the configuration, or one that was made at the first start and signs itself.
//!
//! Who connects to the latter compares its fingerprint with that on the screen.

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

/// Certificate and key in one file, so that they always belong together.
const FILE: &str = "tls.pem";
/// Letters that a person compares at once.
const GROUP: usize = 4;

/// What makes connections secret, and by what they are known.
pub(crate) struct TlsIdentity {
    pub(crate) acceptor: TlsAcceptor,
    /// SHA-256 of the certificate, in groups of letters.
    pub(crate) fingerprint: String,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
}

impl TlsIdentity {
    /// Reads the certificate that `tls` names, or else the one in `state`, which is made if need be.
    pub(crate) fn open(tls: &Tls, state: Option<&Path>, names: &[String]) -> Result<Self> {
        let (certificate, key, is_new) = match tls {
            Tls::Own { certificate, key } => (certificate.clone(), key.clone(), false),
            Tls::SelfSigned => {
                let state =
                    state.context("a certificate has no place to be kept; set storage.state")?;
                let path = state.join(FILE);
                let is_new = !path.exists();
                if is_new {
                    make(&path, names)
                        .with_context(|| format!("{} cannot be made", path.display()))?;
                }
                (path.clone(), path, is_new)
            }
        };
        let unusable =
            |path: &Path| format!("{} holds no certificate and key in PEM", path.display());
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

fn make(path: &Path, names: &[String]) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(names.to_vec())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    match fs::create_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    // Readable by nobody else: `tempfile` makes files so.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(made.cert.pem().as_bytes())?;
    file.write_all(made.signing_key.serialize_pem().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn grouped(letters: &str) -> String {
    let groups: Vec<&str> = (0..letters.len())
        .step_by(GROUP)
        .filter_map(|start| letters.get(start..start + GROUP))
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_known_again() {
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
