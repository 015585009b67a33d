//! The self-signed certificate: its files, what it says, and when it is renewed.
//!
//! A renewed certificate has the key of the previous one. It names all names and addresses of this machine, also those
//! that it had earlier, so that it does not change back and forth. A clock that is not known to be right is no reason to
//! renew it: users who compared its SHA-256 would see another one.

use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use data_encoding::HEXUPPER;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber, date_time_ymd,
};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;

use crate::http::machine::Machine;
use crate::system::clock::{self, ClockState};
use crate::system::files;

/// The folder of the certificate and its key, in the state folder.
const FOLDER: &str = "tls";
/// Certificate and key in one file, as version 0.1.0 stored them.
const COMBINED: &str = "tls.pem";
/// Days for which a certificate is valid. Apple's systems accept at most 825.
const VALID_DAYS: i64 = 800;
/// Days before its end on which a certificate is renewed.
const RENEW_DAYS: i64 = 30;
/// Bytes of a serial number; standards allow up to 20.
const SERIAL: usize = 16;
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

    /// Why a certificate for this machine must be renewed at `now`, by a clock in this state.
    pub(crate) fn why_renew(
        &self,
        machine: &Machine,
        now: Timestamp,
        clock: ClockState,
    ) -> Option<String> {
        let is_missing =
            |name: &&String| !self.names.iter().any(|own| own.eq_ignore_ascii_case(name));
        if let Some(name) = machine.names.iter().find(is_missing) {
            return Some(format!("it does not name {name}"));
        }
        if let Some(address) = machine
            .addresses
            .iter()
            .find(|address| self.lacks(**address))
        {
            return Some(format!("it does not name {address}"));
        }
        let last = self.until.checked_sub((24 * RENEW_DAYS).hours());
        if !clock.is_wrong() && last.map_or(true, |last| now >= last) {
            return Some(format!("it ends on {}", date(self.until)));
        }
        // An earlier clock that was ahead is behind this.
        let is_early = clock == ClockState::Synchronized && now < self.from;
        is_early.then(|| format!("it begins on {}", date(self.from)))
    }

    /// Whether an address is missing. Version 0.1.0 named no addresses. Clients have copies of such a certificate, so
    /// that it stays.
    pub(crate) fn lacks(&self, address: IpAddr) -> bool {
        !self.addresses.is_empty() && !self.addresses.contains(&address)
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

    /// Creates or renews the certificate if that is needed at `now`, by a clock in this state, and returns why it did.
    pub(crate) fn prepare(
        &self,
        machine: &Machine,
        now: Timestamp,
        clock: ClockState,
    ) -> Result<Option<String>> {
        self.split()?;
        let mut machine = machine.clone();
        let reason = if self.certificate().exists() {
            let chain = chain(&self.certificate()).with_context(|| self.remedy())?;
            let present = Contents::of(&chain[0]).with_context(|| self.remedy())?;
            let Some(reason) = present.why_renew(&machine, now, clock) else {
                return Ok(None);
            };
            machine.add_earlier(present.addresses);
            reason
        } else {
            "there was none".to_owned()
        };
        let key = self.read_or_create_key()?;
        let certificate = sign(&key, &machine, now)?;
        write(&self.certificate(), &certificate)?;
        Ok(Some(reason))
    }

    /// What to do if the files cannot be used.
    pub(crate) fn remedy(&self) -> String {
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
    // Programs refuse two certificates of one issuer with the same number, which by default is made from the key. It must
    // be positive.
    let mut serial = [0; SERIAL];
    getrandom::fill(&mut serial).context("the system has no random numbers")?;
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    // The client's clock may be a little behind, and this one may not be set yet.
    let from = date(now).checked_sub(1.day())?.max(clock::FIRST_DAY);
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
    let folder = path.parent().unwrap_or(Path::new("."));
    files::create_private_folder(folder)
        .and_then(|()| files::replace(path, text.as_bytes(), files::PRIVATE))
        .with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    use crate::system::clock::ClockState::{NotSet, Synchronized, Unsynchronized};

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
        let prepare = |machine: &Machine, now| files.prepare(machine, now, Synchronized).unwrap();
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
            let reason = files.prepare(&machine, Timestamp::now(), Unsynchronized);
            reason.unwrap().unwrap();
            chain(&files.certificate()).unwrap().remove(0)
        };
        let (old, new) = (certificate("192.0.2.7"), certificate("192.0.2.8"));
        let serial = |certificate: &CertificateDer<'_>| {
            let (_, parsed) = x509_parser::parse_x509_certificate(certificate).unwrap();
            parsed.raw_serial().to_vec()
        };
        assert_ne!(serial(&old), serial(&new));
        assert!(serial(&old)[0] < 0x80 && serial(&old).len() <= SERIAL);
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
        let prepare = || files.prepare(&machine, Timestamp::now(), Unsynchronized);
        assert_eq!(prepare().unwrap(), None);
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
        assert_eq!(prepare().unwrap(), None);
    }

    #[test]
    fn a_clock_that_is_not_known_to_be_right_does_not_renew_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let files = SelfSigned::of(folder.path());
        // Also by the case of its host name, which certificates ignore.
        let machine = machine(&["Bench.local"], &["127.0.0.1"]);
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let prepare = |now, clock| files.prepare(&machine, time(now), clock).unwrap();
        let start = "1970-01-01T00:02:00Z";
        assert_eq!(prepare(start, NotSet).as_deref(), Some("there was none"));
        let made = contents(&files);
        assert_eq!(date(made.from).to_string(), "2026-01-01");
        let lower = Machine {
            names: vec!["bench.local".into()],
            ..machine.clone()
        };
        assert_eq!(made.why_renew(&lower, made.from, Synchronized), None);
        for (now, clock) in [
            (start, NotSet),
            ("2026-05-01T12:00:00Z", Synchronized),
            // Before it begins.
            ("2025-12-31T12:00:00Z", Unsynchronized),
            ("2099-05-01T12:00:00Z", NotSet),
        ] {
            assert_eq!(prepare(now, clock), None, "{now} {clock:?}");
        }
        let reason = prepare("2028-03-01T12:00:00Z", Unsynchronized).unwrap();
        assert_eq!(reason, "it ends on 2028-03-11");
    }
}
