//! The section `[http]`: where the server listens, and how much it takes.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The section as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawHttp {
    /// Address and port; empty: there is no server.
    pub listen: String,
    /// Names of this machine, beside its addresses, `localhost` and its host name.
    pub names: Vec<String>,
    /// When a token is needed.
    pub access: AccessKind,
    /// Addresses of proxies whose requests to `/Inference` need no token.
    pub inference_from: Vec<String>,
    /// Whether connections are secret.
    pub tls: TlsKind,
    /// Certificate in PEM, with its chain; empty: one that signs itself.
    pub certificate: PathBuf,
    /// Its key in PEM.
    pub key: PathBuf,
    /// From the first byte of a request to the end of its headers, in seconds.
    pub header_s: f64,
    /// From the headers of a request to the end of its body, in seconds.
    pub body_s: f64,
    /// Largest body, in MiB.
    pub body_mib: u64,
    /// Images that are analysed at once.
    pub analyses: usize,
    /// Images that may wait for that.
    pub queue: usize,
}

impl Default for RawHttp {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            names: Vec::new(),
            access: AccessKind::Auto,
            inference_from: Vec::new(),
            tls: TlsKind::Auto,
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            header_s: 10.0,
            body_s: 60.0,
            body_mib: 32,
            analyses: 1,
            queue: 4,
        }
    }
}

/// When a token is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessKind {
    /// Where others than this machine can connect.
    Auto,
    /// Always.
    Token,
}

/// Whether connections are secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsKind {
    /// Where others than this machine can connect.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Which certificate makes connections secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// One of the operator's.
    Own {
        /// With its chain, in PEM.
        certificate: PathBuf,
        /// In PEM.
        key: PathBuf,
    },
    /// One that is made at the first start.
    SelfSigned,
}

/// The section as it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names of this machine that it does not know by itself.
    pub names: Vec<String>,
    /// When a token is needed.
    pub access: AccessKind,
    /// Proxies whose requests to `/Inference` need no token.
    pub inference_from: Vec<IpAddr>,
    /// What makes connections secret, if anything does.
    pub tls: Option<Tls>,
    /// From the first byte of a request to the end of its headers.
    pub header: Duration,
    /// From the headers of a request to the end of its body.
    pub body: Duration,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Images that are analysed at once.
    pub analyses: usize,
    /// Images that may wait for that.
    pub queue: usize,
}

impl HttpSettings {
    /// Whether requests need a token.
    pub fn needs_token(&self) -> bool {
        self.access == AccessKind::Token || !self.listen.ip().is_loopback()
    }
}

impl RawHttp {
    /// Checks every value; `None` where there is no server. Tokens and a certificate need a place to be kept.
    ///
    /// # Errors
    /// Names the key, the value and what is possible.
    pub fn validate(self, has_state: bool) -> Result<Option<HttpSettings>> {
        let seconds = |key: &str, value: f64| {
            if (0.1..=600.0).contains(&value) {
                Ok(Duration::from_secs_f64(value))
            } else {
                bail!("http.{key} = {value} is impossible; use 0.1 to 600 seconds")
            }
        };
        let (header, body) = (
            seconds("header_s", self.header_s)?,
            seconds("body_s", self.body_s)?,
        );
        if !(1..=1024).contains(&self.body_mib) {
            bail!(
                "http.body_mib = {} is impossible; use 1 to 1024",
                self.body_mib
            );
        }
        let within = |key: &str, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) {
                Ok(value)
            } else {
                bail!("http.{key} = {value} is impossible; use {least} to {most}")
            }
        };
        let analyses = within("analyses", self.analyses, 1, 16)?;
        let queue = within("queue", self.queue, 0, 64)?;
        if self.listen.is_empty() {
            return Ok(None);
        }
        let listen: SocketAddr = self.listen.parse().with_context(|| {
            format!(
                "http.listen = {:?} is no address and port; use one such as \"127.0.0.1:8080\", or \"\" for \
                 no server",
                self.listen
            )
        })?;
        let is_open = !listen.ip().is_loopback();
        let is_secret = match self.tls {
            TlsKind::Auto => is_open,
            TlsKind::On => true,
            TlsKind::Off => false,
        };
        let tls = match (
            self.certificate.as_os_str().is_empty(),
            self.key.as_os_str().is_empty(),
        ) {
            _ if !is_secret => None,
            (true, true) => Some(Tls::SelfSigned),
            (false, false) => Some(Tls::Own {
                certificate: self.certificate,
                key: self.key,
            }),
            _ => bail!("http.certificate and http.key belong together; set both, or none"),
        };
        let needs_state =
            is_open || self.access == AccessKind::Token || tls == Some(Tls::SelfSigned);
        if needs_state && !has_state {
            bail!(
                "http.listen = {:?} needs a token or a certificate, which storage.state must hold; set that, or \
                 listen on 127.0.0.1",
                self.listen
            );
        }
        let inference_from = self.inference_from.iter().map(|address| {
            address.parse().with_context(|| {
                format!(
                    "http.inference_from: {address:?} is no address; use one such as \"127.0.0.1\""
                )
            })
        });
        let inference_from = inference_from.collect::<Result<_>>()?;
        Ok(Some(HttpSettings {
            listen,
            names: self.names,
            access: self.access,
            inference_from,
            tls,
            header,
            body,
            max_body: (self.body_mib as usize) << 20,
            analyses,
            queue,
        }))
    }
}

/// What each key means; see [`crate::config`].
pub(crate) const COMMENTS: &[(&str, &str)] = &[
    ("http.", "The HTTP API."),
    (
        "http.listen",
        "Address and port, port 0 for any that is free; empty: there is no server.",
    ),
    (
        "http.names",
        "Names by which the appliance is called, beside its addresses, \"localhost\" and its host name.",
    ),
    (
        "http.access",
        "\"auto\" (a token is needed where other machines can connect), or \"token\" (always); see \
         `smearscope token`.",
    ),
    (
        "http.inference_from",
        "Addresses of reverse proxies whose requests to /Inference (for HIAS) need no token.",
    ),
    (
        "http.tls",
        "\"auto\" (where other machines can connect), \"on\" or \"off\".",
    ),
    (
        "http.certificate",
        "Certificate in PEM, with its chain; empty: one is made that signs itself.",
    ),
    ("http.key", "The certificate's key in PEM."),
    (
        "http.header_s",
        "Seconds within which the headers of a request must be there.",
    ),
    (
        "http.body_s",
        "Seconds within which the body of a request must be there.",
    ),
    ("http.body_mib", "Largest body of a request, in MiB."),
    (
        "http.analyses",
        "Images from the network that are analysed at once; each takes the memory of a model.",
    ),
    (
        "http.queue",
        "Images from the network that may wait for that; whoever sends more is told to come back.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut RawHttp)) -> Result<Option<HttpSettings>> {
        let mut raw = RawHttp::default();
        change(&mut raw);
        raw.validate(true)
    }

    #[test]
    fn loopback_is_the_default_and_nothing_is_possible() {
        let settings = RawHttp::default().validate(false).unwrap().unwrap();
        assert!(settings.listen.ip().is_loopback());
        assert_eq!(settings.max_body, 32 << 20);
        assert_eq!(with(|raw| raw.listen.clear()).unwrap(), None);
    }

    #[test]
    fn impossible_values_name_the_key() {
        let error = |change: fn(&mut RawHttp)| format!("{:#}", with(change).unwrap_err());
        assert!(error(|raw| raw.listen = "localhost:80".into()).contains("http.listen"));
        assert!(
            error(|raw| raw.inference_from = vec!["proxy".into()]).contains("http.inference_from")
        );
        assert!(
            error(|raw| {
                raw.tls = TlsKind::On;
                raw.key = "key.pem".into();
            })
            .contains("http.certificate")
        );
        assert!(error(|raw| raw.header_s = 0.0).contains("http.header_s = 0"));
        assert!(error(|raw| raw.body_s = f64::NAN).contains("http.body_s"));
        assert!(error(|raw| raw.analyses = 0).contains("http.analyses = 0"));
        assert!(error(|raw| raw.queue = 100).contains("http.queue = 100"));
        assert!(error(|raw| raw.body_mib = 0).contains("http.body_mib = 0"));
    }

    #[test]
    fn other_machines_need_a_token_and_a_secret_connection_and_these_a_place() {
        let open = || RawHttp {
            listen: "0.0.0.0:8080".into(),
            ..RawHttp::default()
        };
        let settings = open().validate(true).unwrap().unwrap();
        assert!(settings.needs_token());
        assert_eq!(settings.tls, Some(Tls::SelfSigned));
        let error = open().validate(false).unwrap_err().to_string();
        assert!(error.contains("storage.state"), "{error}");
        let own = with(|raw| raw.access = AccessKind::Token).unwrap().unwrap();
        assert!(own.needs_token() && own.tls.is_none());
    }
}
