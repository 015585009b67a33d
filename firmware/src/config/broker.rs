//! The broker of `[mqtt]` and `[hias]`, and the checks that both sections share.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use smearscope_artifacts::read_text;
use smearscope_hardware::settings::InvalidValue;

use crate::config::secret::Secret;

/// Longest password, in bytes.
const MAX_PASSWORD: usize = 1024;
/// Largest file with a password, in bytes; only its first line is used.
const MAX_FILE: u64 = 64 << 10;
/// Longest name in a topic, in bytes. A whole topic may have 65,535.
pub(crate) const MAX_NAME: usize = 128;

/// A broker and how to connect to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Name or address.
    pub host: String,
    /// TCP port, with a default by whether TLS is used.
    pub port: u16,
    /// Certificates to trust; `None`: without TLS.
    pub trust: Option<Trust>,
    /// User and password, if any.
    pub login: Option<(String, Secret)>,
}

/// Certificates that a broker's must be signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those that the system trusts.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// Declares a section with the settings of a broker: its host and port, which the sections name for themselves, what all
/// brokers have, and the rest of the section. Its method `broker` checks them.
macro_rules! broker_section {
    (
        $(#[doc = $doc:literal])+
        $visibility:vis struct $name:ident in $section:literal {
            { $($address:tt)+ }
            { $($rest:tt)+ }
        }
    ) => {
        smearscope_hardware::settings! {
            $(#[doc = $doc])+
            $visibility struct $name in $section {
                $($address)+
                /// Use TLS. Only a broker on this machine may be used without, unless `allow_plain` is set.
                tls: bool = true;
                /// PEM file with the certificates to trust; empty: those that the system trusts.
                ca_file: PathBuf = PathBuf::new();
                /// Allow a broker on another machine without TLS. Everyone on the network can then read and change all
                /// messages and read the password.
                allow_plain: bool = false;
                /// User name; empty: none.
                user: String = String::new();
                /// Password; it is never shown. `password_file` is safer.
                password: Secret = Secret::default();
                /// File whose first line is the password.
                password_file: PathBuf = PathBuf::new();
                $($rest)+
            }
        }

        impl $name {
            /// Checks the settings of the broker, which has this port.
            fn broker(&self, port: u16) -> Result<Broker> {
                RawBroker {
                    host: self.host.clone(),
                    port,
                    tls: self.tls,
                    ca_file: self.ca_file.clone(),
                    allow_plain: self.allow_plain,
                    user: self.user.clone(),
                    password: self.password.clone(),
                    password_file: self.password_file.clone(),
                }
                .validate($section)
            }
        }
    };
}

pub(crate) use broker_section;

/// The settings of a broker, as all sections have them.
pub(crate) struct RawBroker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) ca_file: PathBuf,
    pub(crate) allow_plain: bool,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) password_file: PathBuf,
}

impl RawBroker {
    /// Checks every value; `section` is named in errors.
    pub(crate) fn validate(self, section: &str) -> Result<Broker> {
        let Self { host, port, .. } = self;
        let invalid_host = |requirement: &str| {
            InvalidValue::new(&format!("{section}.host"), format!("{host:?}"), requirement)
        };
        ensure!(
            !host.contains([' ', '/', '[', '\0']) && host.len() <= 255,
            invalid_host("must be a name or an address without scheme and port")
        );
        ensure!(
            self.tls || self.allow_plain || is_loopback(&host),
            "{section}.tls = false would send the password to {host} unencrypted; set {section}.tls = true, or \
             {section}.allow_plain = true on a network that you trust"
        );
        ensure!(
            !self.tls || host.parse::<Ipv6Addr>().is_err(),
            invalid_host("must be the name in the broker's certificate, because TLS is on")
        );
        let trust = match (self.tls, self.ca_file) {
            (false, _) => None,
            (true, file) if file.as_os_str().is_empty() => Some(Trust::System),
            (true, file) => Some(Trust::File(file)),
        };
        let password = password(section, self.password, &self.password_file)?;
        if self.user.is_empty() && !password.is_empty() {
            bail!("{section}.user is missing; MQTT has no password without a user");
        }
        Ok(Broker {
            host,
            port,
            trust,
            login: Some((self.user, password)).filter(|(user, _)| !user.is_empty()),
        })
    }
}

/// The password of a section, or that in its `password_file`.
fn password(section: &str, password: Secret, file: &Path) -> Result<Secret> {
    if password.is_placeholder() {
        bail!(
            "{section}.password = {:?} is a placeholder for a hidden password; write the password there, or name a \
             file that contains it in {section}.password_file",
            password.reveal()
        );
    }
    if file.as_os_str().is_empty() {
        return Ok(password);
    }
    ensure!(
        password.is_empty(),
        "{section}.password and {section}.password_file are both set; remove one"
    );
    let text = read_text(file, MAX_FILE).with_context(|| {
        format!(
            "{section}.password_file = {} cannot be read; check that it exists and that this user may read it",
            file.display()
        )
    })?;
    let line = text.lines().next().unwrap_or_default();
    ensure!(
        !line.is_empty() && line.len() <= MAX_PASSWORD,
        "{section}.password_file = {}: its first line has {} bytes; it must be a password of 1 to {MAX_PASSWORD} bytes",
        file.display(),
        line.len()
    );
    Ok(line.to_owned().into())
}

/// Checks one level of a topic.
pub(crate) fn check_topic_level(key: &str, value: &str) -> Result<()> {
    if value.contains('/') {
        let requirement = "must be one level of a topic, without /";
        return Err(InvalidValue::new(key, format!("{value:?}"), requirement).into());
    }
    check_topic(key, value)
}

/// Checks the levels of a topic.
pub(crate) fn check_topic(key: &str, value: &str) -> Result<()> {
    ensure!(!value.is_empty(), "{key} is missing; give a name");
    if value.split('/').any(str::is_empty) {
        let requirement = "must not have an empty level, as two slashes or one at either end make";
        return Err(InvalidValue::new(key, format!("{value:?}"), requirement).into());
    }
    ensure!(
        value.len() <= MAX_NAME,
        "{key} has {} bytes; it must have at most {MAX_NAME}",
        value.len()
    );
    if value.contains(['#', '+']) || value.chars().any(char::is_control) {
        let requirement = "must not contain #, + or control characters";
        return Err(InvalidValue::new(key, format!("{value:?}"), requirement).into());
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
