//! The self-signed certificate: its files, what it says, and when it is renewed.
//!
//! A renewed certificate has the key of the previous one. It names all names and addresses of this machine, also those
//! that it had earlier, so that it does not change back and forth.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use data_encoding::HEXUPPER;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use sha2::{Digest, Sha256};
use sysinfo::Networks;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;

/// The folder of the certificate and its key, in the state folder.
const FOLDER: &str = "tls";
/// Certificate and key in one file, as version 0.1.0 stored them.
const COMBINED: &str = "tls.pem";
/// Days for which a certificate is valid. Apple's systems accept at most 825.
const VALID_DAYS: i64 = 800;
/// Days before its end on which a certificate is renewed.
const RENEW_DAYS: i64 = 30;
/// The most addresses that a certificate names.
const MAX_ADDRESSES: usize = 16;
/// Digits in a group of the fingerprint.
const GROUP: usize = 4;

/// The certificates in a PEM file, that of the server first.
pub(crate) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(anyhow::Error::from)
        .and_then(|chain| {
            anyhow::ensure!(!chain.is_empty(), "it has no certificate");
            Ok(chain)
        })
        .with_context(|| format!("{} is not a certificate in PEM format", path.display()))
}

/// SHA-256 of a certificate, in groups of digits that a person can compare.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digits = HEXUPPER.encode(&Sha256::digest(certificate));
    let groups: Vec<&str> = (0..digits.len())
        .step_by(GROUP)
        .filter_map(|start| digits.get(start..start + GROUP))
        .collect();
    groups.join(" ")
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) names: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Contents {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
            .context("the certificate is damaged")?;
        let alternatives = parsed.subject_alternative_name()?;
        let alternatives = alternatives
            .iter()
            .flat_map(|names| &names.value.general_names);
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        for alternative in alternatives {
            match alternative {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
        let validity = parsed.validity();
        Ok(Self {
            names,
            addresses,
            from: Timestamp::from_second(validity.not_before.timestamp())?,
            until: Timestamp::from_second(validity.not_after.timestamp())?,
        })
    }

    /// Why a certificate for this machine must be renewed.
    pub(crate) fn why_renew(&self, machine: &Machine, now: Timestamp) -> Option<String> {
        if let Some(name) = machine.names.iter().find(|name| !self.names.contains(name)) {
            return Some(format!("it does not name {name}"));
        }
        // Version 0.1.0 named no addresses. Clients have copies of such a certificate, so that it stays.
        let missing = |address: &&IpAddr| !self.addresses.contains(address);
        if !self.addresses.is_empty()
            && let Some(address) = machine.addresses.iter().find(missing)
        {
            return Some(format!("it does not name {address}"));
        }
        let last = self.until.checked_sub((24 * RENEW_DAYS).hours());
        if last.map_or(true, |last| now >= last) {
            return Some(format!("it ends on {}", date(self.until)));
        }
        (now < self.from).then(|| format!("it begins on {}", date(self.from)))
    }
}

/// The day of a time.
pub(crate) fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// The names and addresses by which clients reach this machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Machine {
    /// This machine with these names, some of which may be addresses, and its present IPv4 addresses. Its IPv6 addresses
    /// change too often; those that clients use are [added](Self::add).
    pub(crate) fn this(names: &[String]) -> Self {
        let mut machine = Self {
            names: Vec::new(),
            addresses: vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()],
        };
        for name in names {
            match name.parse() {
                Ok(address) => machine.add(address),
                Err(_) => machine.names.push(name.to_ascii_lowercase()),
            }
        }
        machine.names.dedup();
        for network in Networks::new_with_refreshed_list().values() {
            for network in network.ip_networks() {
                if network.addr.is_ipv4() {
                    machine.add(network.addr);
                }
            }
        }
        machine
    }

    /// Adds an address, unless it is one that only this machine or its cable knows.
    pub(crate) fn add(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        let is_special = match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        let is_special = is_special
            || address.is_loopback()
            || address.is_unspecified()
            || address.is_multicast();
        if !is_special && !self.addresses.contains(&address) && self.addresses.len() < MAX_ADDRESSES
        {
            self.addresses.push(address);
        }
    }
}

/// The files of a self-signed certificate.
#[derive(Debug, Clone)]
pub(crate) struct SelfSigned {
    folder: PathBuf,
    combined: PathBuf,
}

impl SelfSigned {
    /// The certificate in a state folder.
    pub(crate) fn of(state: &Path) -> Self {
        Self {
            folder: state.join(FOLDER),
            combined: state.join(COMBINED),
        }
    }

    /// The file that clients may have.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// The file that nobody else may have.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }

    /// Creates or renews the certificate if that is needed, and returns why it did.
    pub(crate) fn prepare(&self, machine: &Machine, now: Timestamp) -> Result<Option<String>> {
        self.split()?;
        let mut machine = machine.clone();
        let reason = if self.certificate().exists() {
            let chain = chain(&self.certificate()).with_context(|| self.remedy())?;
            let present = Contents::of(&chain[0]).with_context(|| self.remedy())?;
            let Some(reason) = present.why_renew(&machine, now) else {
                return Ok(None);
            };
            present
                .addresses
                .into_iter()
                .for_each(|earlier| machine.add(earlier));
            reason
        } else {
            "there was none".to_owned()
        };
        let key = self.read_or_create_key()?;
        let certificate = sign(&key, &machine, now)?;
        write(&self.certificate(), &certificate)?;
        Ok(Some(reason))
    }

    fn remedy(&self) -> String {
        format!(
            "the folder {} is damaged; remove it, and the next start creates a new certificate",
            self.folder.display()
        )
    }

    /// Splits the file of version 0.1.0. In its place, a link leads to the certificate, which clients may use.
    fn split(&self) -> Result<()> {
        if !fs::symlink_metadata(&self.combined).is_ok_and(|file| file.is_file()) {
            return Ok(());
        }
        let path = self.combined.display();
        let text =
            fs::read_to_string(&self.combined).with_context(|| format!("{path} cannot be read"))?;
        let damaged = || {
            format!(
                "{path} has no certificate and key; remove it, and the next start creates new ones"
            )
        };
        let (certificate, key) = text
            .find("-----BEGIN PRIVATE KEY-----")
            .and_then(|start| text.split_at_checked(start))
            .with_context(damaged)?;
        // The key first: without a certificate, one is created for it.
        write(&self.key(), key)?;
        write(&self.certificate(), certificate)?;
        fs::remove_file(&self.combined)
            .and_then(|()| {
                std::os::unix::fs::symlink(FOLDER.to_owned() + "/certificate.pem", &self.combined)
            })
            .with_context(|| format!("{path} cannot be replaced"))?;
        log::info!(
            "{path} was split into {} and its key",
            self.certificate().display()
        );
        Ok(())
    }

    fn read_or_create_key(&self) -> Result<KeyPair> {
        match fs::read_to_string(self.key()) {
            Ok(key) => KeyPair::from_pem(&key).with_context(|| self.remedy()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                write(&self.key(), &key.serialize_pem())?;
                Ok(key)
            }
            Err(error) => {
                Err(error).with_context(|| format!("{} cannot be read", self.key().display()))
            }
        }
    }
}

/// A new certificate in PEM.
fn sign(key: &KeyPair, machine: &Machine, now: Timestamp) -> Result<String> {
    let mut params = CertificateParams::new(machine.names.clone())?;
    let addresses = machine.addresses.iter().copied().map(SanType::IpAddress);
    params.subject_alt_names.extend(addresses);
    params.distinguished_name = rcgen::DistinguishedName::new();
    // The same for each renewal, so that programs that trust the old certificate trust the new one.
    params
        .distinguished_name
        .push(DnType::CommonName, "smearscope");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "self-signed by this appliance");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // The client's clock may be a little behind.
    let from = date(now).checked_sub(1.day())?;
    let until = from.checked_add(VALID_DAYS.days())?;
    let midnight = |day: Date| {
        date_time_ymd(
            day.year().into(),
            day.month().unsigned_abs(),
            day.day().unsigned_abs(),
        )
    };
    params.not_before = midnight(from);
    params.not_after = midnight(until);
    Ok(params.self_signed(key)?.pem())
}

/// Writes a file that only its owner can read.
fn write(path: &Path, text: &str) -> Result<()> {
    let write = || -> Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // `tempfile` creates files that only the owner can read.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn machine(names: &[&str], addresses: &[&str]) -> Machine {
        Machine {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            addresses: addresses
                .iter()
                .map(|address| address.parse().unwrap())
                .collect(),
        }
    }

    fn contents(files: &SelfSigned) -> Contents {
        Contents::of(&chain(&files.certificate()).unwrap()[0]).unwrap()
    }

    #[test]
    fn a_certificate_is_renewed_with_its_key_when_it_no_longer_fits() {
        let folder = tempfile::tempdir().unwrap();
        let files = SelfSigned::of(folder.path());
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        let first = machine(&["bench"], &["127.0.0.1", "192.0.2.7"]);
        let prepare = |machine: &Machine, now| files.prepare(machine, now).unwrap();
        assert_eq!(prepare(&first, now).as_deref(), Some("there was none"));
        assert_eq!(prepare(&first, now), None);
        let made = contents(&files);
        assert_eq!(made.names, ["bench"]);
        assert_eq!(made.addresses, first.addresses);
        assert_eq!(date(made.from).to_string(), "2026-11-28");
        assert_eq!(date(made.until).to_string(), "2029-02-05");
        let key = fs::read(files.key()).unwrap();
        assert_eq!(
            files.key().metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        let text = fs::read_to_string(files.certificate()).unwrap();
        assert!(!text.contains("PRIVATE"), "{text}");

        let moved = machine(&["bench"], &["127.0.0.1", "192.0.2.8"]);
        let reason = prepare(&moved, now).unwrap();
        assert_eq!(reason, "it does not name 192.0.2.8");
        let addresses: Vec<_> = contents(&files)
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(addresses, ["127.0.0.1", "192.0.2.8", "192.0.2.7"]);
        assert_eq!(prepare(&first, now), None, "it still has this address");
        let renamed = machine(&["bench", "other.example"], &["127.0.0.1"]);
        assert_eq!(
            prepare(&renamed, now).unwrap(),
            "it does not name other.example"
        );
        let late = "2029-01-06T00:00:00Z".parse().unwrap();
        assert_eq!(prepare(&renamed, late).unwrap(), "it ends on 2029-02-05");
        assert_eq!(prepare(&renamed, now).unwrap(), "it begins on 2029-01-05");
        assert_eq!(fs::read(files.key()).unwrap(), key);
    }

    #[test]
    fn a_program_that_trusts_a_certificate_trusts_the_renewed_one() {
        use tokio_rustls::rustls::RootCertStore;
        use tokio_rustls::rustls::client::WebPkiServerVerifier;
        use tokio_rustls::rustls::client::danger::ServerCertVerifier;
        use tokio_rustls::rustls::crypto::ring::default_provider;
        use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};

        let folder = tempfile::tempdir().unwrap();
        let files = SelfSigned::of(folder.path());
        let certificate = |address| {
            let machine = machine(&["bench"], &["127.0.0.1", address]);
            files.prepare(&machine, Timestamp::now()).unwrap().unwrap();
            chain(&files.certificate()).unwrap().remove(0)
        };
        let (old, new) = (certificate("192.0.2.7"), certificate("192.0.2.8"));
        let mut roots = RootCertStore::empty();
        roots.add(old).unwrap();
        let provider = std::sync::Arc::new(default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
        let verifier = verifier.build().unwrap();
        for name in ["bench", "192.0.2.8"] {
            let name = ServerName::try_from(name).unwrap();
            let result = verifier.verify_server_cert(&new, &[], &name, &[], UnixTime::now());
            assert!(result.is_ok(), "{name:?}: {result:?}");
        }
    }

    #[test]
    fn the_combined_file_of_an_earlier_version_is_split_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let files = SelfSigned::of(folder.path());
        let old = rcgen::generate_simple_self_signed(["bench".to_owned()]).unwrap();
        let (certificate, key) = (old.cert.pem(), old.signing_key.serialize_pem());
        fs::write(&files.combined, format!("{certificate}{key}")).unwrap();
        let machine = machine(&["bench"], &["127.0.0.1", "192.0.2.7"]);
        assert_eq!(files.prepare(&machine, Timestamp::now()).unwrap(), None);
        assert_eq!(
            fs::read_to_string(files.certificate()).unwrap(),
            certificate
        );
        assert_eq!(fs::read_to_string(files.key()).unwrap(), key);
        assert_eq!(
            fs::read_to_string(&files.combined).unwrap(),
            certificate,
            "who reads the old file gets the certificate alone"
        );
        assert_eq!(files.prepare(&machine, Timestamp::now()).unwrap(), None);
    }

    #[test]
    fn addresses_that_clients_cannot_use_are_left_out() {
        let mut machine = machine(&[], &[]);
        for address in [
            "127.0.0.9",
            "0.0.0.0",
            "169.254.1.1",
            "fe80::1",
            "224.0.0.251",
            "::",
        ] {
            machine.add(address.parse().unwrap());
        }
        assert_eq!(machine.addresses, [] as [IpAddr; 0]);
        machine.add("::ffff:192.0.2.7".parse().unwrap());
        assert_eq!(machine.addresses, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
    }
}
