//! `[http]`: where the HTTP server listens, and how much it accepts.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use smearscope_hardware::settings::{InvalidValue, Settings};

smearscope_hardware::settings! {
    /// The HTTP API.
    pub struct RawHttp in "http" {
        /// Address and port, with port 0 for any free one; empty: no server.
        listen: String = "127.0.0.1:8080".into();
        /// Names of this machine, in addition to its addresses, "localhost" and its host name.
        names: Vec<String> = Vec::new();
        /// When a token is required; "auto": for all requests if other machines can connect, else for those that may come
        /// through a proxy; "token": for all requests. See `smearscope token`.
        access: AccessKind = AccessKind::Auto;
        /// Addresses of reverse proxies whose requests to `/Inference` (for HIAS) need no token.
        inference_from: Vec<String> = Vec::new();
        /// TLS; "auto": on if other machines can connect; "off": never, because something else encrypts.
        tls: TlsKind = TlsKind::Auto;
        /// Certificate chain in PEM; empty: generate a self-signed certificate.
        certificate: PathBuf = PathBuf::new();
        /// Private key of the certificate in PEM.
        key: PathBuf = PathBuf::new();
        /// Time limit for the headers of a request, from its first byte.
        header_s: f64 = 10.0, valid(0.1..=600.0, "seconds");
        /// Time limit for the body of a request, from the end of its headers.
        body_s: f64 = 60.0, valid(0.1..=600.0, "seconds");
        /// Time limit for progress: a client is disconnected if in this time of waiting for it, it takes less than 16 KiB
        /// per second of its answers, or sends less than 16 KiB of a body.
        stall_s: f64 = 20.0, valid(0.1..=600.0, "seconds");
        /// Largest body of a request, in MiB.
        body_mib: u64 = 32, valid(1..=1024, "MiB");
        /// Images from the network that are analysed at the same time; each needs the memory of a model.
        analyses: usize = 1, valid(1..=16);
        /// Images from the network that may wait for analysis; further ones are refused with status 429.
        queue: usize = 4, valid(0..=64);
    }
}

/// When a token is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessKind {
    /// For all requests if other machines can connect, else for those that may come through a proxy.
    Auto,
    /// For all requests.
    Token,
}

/// When connections use TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsKind {
    /// If other machines can connect.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Certificate of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The operator's own.
    Own {
        /// Certificate chain in PEM.
        certificate: PathBuf,
        /// Private key in PEM.
        key: PathBuf,
    },
    /// Generated at the first start.
    SelfSigned,
}

/// Validated `[http]`.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// Address and port.
    pub listen: SocketAddr,
    /// Names of this machine, in addition to its addresses, `localhost` and its host name.
    pub names: Vec<String>,
    /// When a token is required.
    pub access: AccessKind,
    /// Addresses of proxies whose requests to `/Inference` need no token.
    pub inference_from: Vec<IpAddr>,
    /// Certificate for TLS; `None`: without TLS.
    pub tls: Option<Tls>,
    /// Time limit for the headers of a request, from its first byte.
    pub header: Duration,
    /// Time limit for the body of a request, from the end of its headers.
    pub body: Duration,
    /// Time limit for progress of an answer or a body.
    pub stall: Duration,
    /// Largest body of a request, in bytes.
    pub max_body: usize,
    /// Images that are analysed at the same time.
    pub analyses: usize,
    /// Images that may wait for analysis.
    pub queue: usize,
}

impl HttpSettings {
    /// Whether requests need a token.
    pub fn needs_token(&self) -> bool {
        self.access == AccessKind::Token || !self.listen.ip().is_loopback()
    }
}

impl RawHttp {
    /// Checks every value; `None` if there is no server. Tokens and a self-signed certificate need `storage.state`.
    pub(crate) fn validate(self, has_state: bool) -> Result<Option<HttpSettings>> {
        self.check_ranges()?;
        if self.listen.is_empty() {
            return Ok(None);
        }
        let invalid_listen = |requirement: &str| {
            InvalidValue::new("http.listen", format!("{:?}", self.listen), requirement)
        };
        let listen: SocketAddr = self.listen.parse().ok().with_context(|| {
            invalid_listen(
                "must be an address and port, such as \"127.0.0.1:8080\", or \"\" for no server",
            )
        })?;
        let is_public = !listen.ip().is_loopback();
        let needs_tls = match self.tls {
            TlsKind::Auto => is_public,
            TlsKind::On => true,
            TlsKind::Off => false,
        };
        let tls = match (
            self.certificate.as_os_str().is_empty(),
            self.key.as_os_str().is_empty(),
        ) {
            _ if !needs_tls => None,
            (true, true) => Some(Tls::SelfSigned),
            (false, false) => Some(Tls::Own {
                certificate: self.certificate,
                key: self.key,
            }),
            _ => bail!("only one of http.certificate and http.key is set; set both or neither"),
        };
        let needs_state =
            is_public || self.access == AccessKind::Token || tls == Some(Tls::SelfSigned);
        if needs_state && !has_state {
            let requirement = "needs storage.state to store a token or a certificate; set it, or listen on 127.0.0.1";
            return Err(invalid_listen(requirement).into());
        }
        let inference_from = self.inference_from.iter().map(|address| {
            let requirement = "must be IP addresses, such as \"127.0.0.1\"";
            let error =
                || InvalidValue::new("http.inference_from", format!("{address:?}"), requirement);
            address.parse().ok().with_context(error)
        });
        let inference_from = inference_from.collect::<Result<_>>()?;
        Ok(Some(HttpSettings {
            listen,
            names: self.names,
            access: self.access,
            inference_from,
            tls,
            header: Duration::from_secs_f64(self.header_s),
            body: Duration::from_secs_f64(self.body_s),
            stall: Duration::from_secs_f64(self.stall_s),
            max_body: (self.body_mib as usize) << 20,
            analyses: self.analyses,
            queue: self.queue,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut RawHttp)) -> Result<Option<HttpSettings>> {
        let mut raw = RawHttp::default();
        change(&mut raw);
        raw.validate(true)
    }

    #[test]
    fn loopback_is_the_default_and_no_server_is_possible() {
        let settings = RawHttp::default().validate(false).unwrap().unwrap();
        assert!(settings.listen.ip().is_loopback());
        assert_eq!(settings.max_body, 32 << 20);
        assert_eq!(with(|raw| raw.listen.clear()).unwrap(), None);
    }

    #[test]
    fn invalid_values_name_the_key() {
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
        assert!(error(|raw| raw.stall_s = 0.0).contains("http.stall_s = 0"));
        assert!(error(|raw| raw.analyses = 0).contains("http.analyses = 0"));
        assert!(error(|raw| raw.queue = 100).contains("http.queue = 100"));
        assert!(error(|raw| raw.body_mib = 0).contains("http.body_mib = 0"));
    }

    #[test]
    fn other_machines_need_a_token_and_tls_which_need_storage() {
        let public = || RawHttp {
            listen: "0.0.0.0:8080".into(),
            ..RawHttp::default()
        };
        let settings = public().validate(true).unwrap().unwrap();
        assert!(settings.needs_token());
        assert_eq!(settings.tls, Some(Tls::SelfSigned));
        let error = public().validate(false).unwrap_err().to_string();
        assert!(error.contains("storage.state"), "{error}");
        let own = with(|raw| raw.access = AccessKind::Token).unwrap().unwrap();
        assert!(own.needs_token() && own.tls.is_none());
    }
}
