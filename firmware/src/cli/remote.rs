//! `smearscope classify --url`: another appliance classifies the images.

use smearscope_artifacts::Verdict;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_hardware::with_causes;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

use crate::cli::classify::{Judge, Refused};
use crate::report::answer::Said;

/// Where a token is found: command lines and addresses are seen by others.
const TOKEN: &str = "SMEARSCOPE_TOKEN";
const CONNECT: Duration = Duration::from_secs(10);
/// A slow machine with others before this client; no answer takes as long.
const ANSWER: Duration = Duration::from_mins(5);
/// The longest that an appliance has this client wait before it asks again, in seconds.
const LONGEST_WAIT: u64 = 60;

/// An appliance that is asked over HTTP.
pub(crate) struct Remote {
    agent: Agent,
    /// Where images are sent to.
    url: String,
    token: Option<String>,
    /// Who gave the last answer.
    last: Option<By>,
}

/// Who gave an answer.
#[derive(Debug, Clone, Deserialize)]
struct By {
    model: String,
    engine: String,
    device: String,
    demo: bool,
}

/// What an appliance answered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RemoteAnswer {
    verdict: Verdict,
    probability: Option<f32>,
    reason: Option<String>,
    hint: Option<String>,
    /// What else it says is passed on.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What failed, as the appliance says it.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Remote {
    /// The appliance at `url`; of others than this machine, connections are secret, and `certificate` is the one that
    /// it has, if the system does not know whom to trust for it.
    ///
    /// # Errors
    /// If the address or the certificate cannot be used.
    pub(crate) fn new(url: &str, certificate: Option<&Path>) -> Result<Self> {
        let base = url.trim_end_matches('/');
        let parsed: http::Uri = base.parse().with_context(|| wrong(url))?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.path().len() > 1 {
            bail!(wrong(url));
        }
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        let is_here = matches!(parsed.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if parsed.scheme_str() == Some("http") && !is_here && token.is_some() {
            log::warn!("everybody on the way to {base} can read the token; use https");
        }
        let tls = TlsConfig::builder()
            .root_certs(trusted(certificate)?)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .tls_config(tls)
            .build();
        Ok(Self {
            agent: agent.into(),
            url: format!("{base}/v1/classify"),
            token,
            last: None,
        })
    }

    /// Sends an image until the appliance has room for it.
    fn send(&self, image: &[u8]) -> Result<http::Response<Body>, ureq::Error> {
        loop {
            let mut request = self
                .agent
                .post(&self.url)
                .header(CONTENT_TYPE, "application/octet-stream")
                // One that has no room says so before the image is on its way, and hangs up.
                .header(EXPECT, "100-continue");
            if let Some(token) = &self.token {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.send(image)?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(response);
            }
            let wait = response.headers().get(RETRY_AFTER);
            let wait = wait.and_then(|value| value.to_str().ok()?.parse().ok());
            thread::sleep(Duration::from_secs(
                wait.unwrap_or(1).clamp(1, LONGEST_WAIT),
            ));
        }
    }

    fn answer(&mut self, image: &[u8]) -> Result<RemoteAnswer, Refused> {
        let unreachable = |error: ureq::Error| {
            let problem = with_causes(&error);
            Refused::All(anyhow!(
                "{} does not answer ({problem}); check that an appliance listens there",
                self.url
            ))
        };
        let mut response = self.send(image).map_err(unreachable)?;
        let body = response.body_mut().read_to_vec().map_err(unreachable)?;
        let status = response.status();
        if status != StatusCode::OK {
            let detail = serde_json::from_slice::<Problem>(&body).map_or_else(
                |_| format!("{} answered {status}", self.url),
                |said| said.detail,
            );
            return Err(match status {
                StatusCode::UNPROCESSABLE_ENTITY
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::REQUEST_TIMEOUT => Refused::Image(detail),
                StatusCode::UNAUTHORIZED => Refused::All(anyhow!(
                    "{}: {detail}; give the token as {TOKEN} in the environment",
                    self.url
                )),
                _ => Refused::All(anyhow!("{}: {detail}", self.url)),
            });
        }
        let strange = |error: serde_json::Error| {
            Refused::All(anyhow!(
                "{} does not answer as an appliance does ({error}); check the address and the version there",
                self.url
            ))
        };
        self.last = Some(serde_json::from_slice(&body).map_err(strange)?);
        serde_json::from_slice(&body).map_err(strange)
    }
}

impl Judge for Remote {
    type Answer = RemoteAnswer;

    fn judge(&mut self, image: &Path, _: &mut Vec<String>) -> Result<RemoteAnswer, Refused> {
        let bytes = decode::read_bytes(image, &Limits::default());
        let bytes = bytes.map_err(|error| Refused::Image(error.to_string()))?;
        self.answer(&bytes)
    }

    fn said(answer: &RemoteAnswer) -> Said<'_> {
        Said {
            verdict: answer.verdict,
            probability: answer.probability,
            reason: answer.reason.as_deref(),
            hint: answer.hint.as_deref(),
        }
    }

    fn by(&self) -> String {
        match &self.last {
            Some(By {
                model,
                engine,
                device,
                ..
            }) => format!("{model} on {engine}, {device}"),
            None => "no model was asked".into(),
        }
    }

    fn is_demo(&self) -> bool {
        self.last.as_ref().is_some_and(|by| by.demo)
    }
}

/// Whom the client trusts: one certificate, or those that the system does.
fn trusted(certificate: Option<&Path>) -> Result<RootCerts> {
    let certificates = match certificate {
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .with_context(|| {
                format!(
                    "{} is no certificate in PEM; copy tls.pem of the appliance",
                    path.display()
                )
            })?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let certificates: Vec<_> = certificates
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    Ok(RootCerts::new_with_certs(&certificates))
}

fn wrong(url: &str) -> String {
    format!("--url {url} is no address of an appliance; give one like http://localhost:8080")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_server_are_refused() {
        for url in [
            "localhost:8080",
            "ftp://localhost",
            "http://localhost/v1",
            "",
            "http://",
        ] {
            let error = Remote::new(url, None).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains("--url")), "{url}");
        }
        let remote = Remote::new("http://localhost:8080/", None).unwrap();
        assert_eq!(remote.url, "http://localhost:8080/v1/classify");
    }
}
