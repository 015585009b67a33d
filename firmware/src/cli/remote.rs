//! `smearscope classify --url`: classifies images with another appliance, over HTTP.

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
use smearscope_artifacts::{DecisionRule, Verdict};
use smearscope_hardware::with_causes;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

use crate::cli::judge::{Judge, JudgeError};
use crate::report::answer::Said;
use crate::system::certificate::CertificateProblem;

/// Environment variable with the token; other users can read command lines.
const TOKEN: &str = "SMEARSCOPE_TOKEN";
const CONNECT: Duration = Duration::from_secs(10);
/// Timeout of an answer: longer than a slow appliance with other clients needs.
const ANSWER: Duration = Duration::from_mins(5);
/// Longest pause before a busy appliance is asked again, in seconds.
const LONGEST_WAIT: u64 = 60;

/// The largest file that is sent; the appliance has its own limits, which it names when it refuses one.
const LIMITS: Limits = Limits {
    max_bytes: 1 << 30,
    max_pixels: u64::MAX,
};

/// An appliance that classifies images over HTTP.
pub(crate) struct Remote {
    agent: Agent,
    /// URL that images are sent to.
    url: String,
    token: Option<String>,
    /// Model and engine of the last answer.
    last: Option<By>,
}

/// The model and engine that gave an answer, and the model's limits.
#[derive(Debug, Clone, Deserialize)]
struct By {
    model: String,
    engine: String,
    device: String,
    demo: bool,
    threshold: f32,
    /// Earlier versions do not send it.
    inconclusive_band: Option<[f32; 2]>,
}

impl By {
    /// The probabilities that decide, as far as they are known.
    fn limits(&self) -> String {
        let threshold = self.threshold;
        match self.inconclusive_band {
            None => format!("positive from {threshold:.3} outside the model's inconclusive band"),
            Some(inconclusive) => DecisionRule {
                threshold,
                inconclusive,
                // The probabilities are calibrated already.
                offset: 0.0,
                temperature: 1.0,
            }
            .words(),
        }
    }
}

/// An appliance's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RemoteAnswer {
    verdict: Verdict,
    probability: Option<f32>,
    reason: Option<String>,
    hint: Option<String>,
    /// All other keys, passed on as they are.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// An appliance's description of an error.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Remote {
    /// The appliance at `url`. `certificate` is its TLS certificate, if the system does not trust it already.
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
            log::warn!("the token is sent to {base} unencrypted; use https");
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

    /// Sends an image, again and again while the appliance is busy.
    fn send(&self, image: &[u8]) -> Result<http::Response<Body>, ureq::Error> {
        loop {
            let mut request = self
                .agent
                .post(&self.url)
                .header(CONTENT_TYPE, "application/octet-stream")
                // A busy appliance refuses before the image is sent.
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

    fn answer(&mut self, image: &[u8]) -> Result<RemoteAnswer, JudgeError> {
        let unreachable = |error: ureq::Error| {
            let problem = with_causes(&error);
            JudgeError::All(match certificate_problem(&error) {
                Some(cause) => anyhow!("{}: {} ({problem})", self.url, distrusted(cause)),
                None => anyhow!(
                    "{} does not answer ({problem}); check that an appliance listens there",
                    self.url
                ),
            })
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
                | StatusCode::REQUEST_TIMEOUT => JudgeError::Image(detail),
                StatusCode::UNAUTHORIZED => JudgeError::All(anyhow!(
                    "{}: {detail}; set the environment variable {TOKEN} to a token",
                    self.url
                )),
                _ => JudgeError::All(anyhow!("{}: {detail}", self.url)),
            });
        }
        let invalid = |error: serde_json::Error| {
            JudgeError::All(anyhow!(
                "{} is not an appliance of this version ({error}); check the address",
                self.url
            ))
        };
        self.last = Some(serde_json::from_slice(&body).map_err(invalid)?);
        serde_json::from_slice(&body).map_err(invalid)
    }
}

impl Judge for Remote {
    type Answer = RemoteAnswer;

    fn judge(&mut self, image: &Path, _: &mut Vec<String>) -> Result<RemoteAnswer, JudgeError> {
        let bytes = decode::read_bytes(image, &LIMITS);
        let bytes = bytes.map_err(|error| JudgeError::Image(error.to_string()))?;
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
            Some(by) => {
                let (model, engine, device) = (&by.model, &by.engine, &by.device);
                format!("{model} on {engine}, {device}; {}", by.limits())
            }
            None => "no image was classified".into(),
        }
    }

    fn is_demo(&self) -> bool {
        self.last.as_ref().is_some_and(|by| by.demo)
    }
}

/// The certificates that the client trusts: the given one, or those that the system trusts.
fn trusted(certificate: Option<&Path>) -> Result<RootCerts> {
    let certificates = match certificate {
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .with_context(|| {
                format!(
                    "{} is not a certificate in PEM; `smearscope tls export` on the appliance prints its own",
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

/// Why the server's certificate was refused, if that is what failed.
fn certificate_problem(error: &ureq::Error) -> Option<CertificateProblem> {
    match error {
        ureq::Error::Rustls(error) => CertificateProblem::of(error),
        ureq::Error::Io(error) => CertificateProblem::of_connection(error),
        _ => None,
    }
}

/// What a refused certificate means, and what to do.
fn distrusted(problem: CertificateProblem) -> &'static str {
    match problem {
        CertificateProblem::Name => {
            "the appliance's certificate does not name the host in --url; use one of its names, which `smearscope tls \
             show` prints there, or add the host to http.names there and restart it"
        }
        CertificateProblem::Time => {
            "the appliance's certificate is not valid today; check the clocks of both machines, and restart the \
             appliance, which renews it"
        }
        CertificateProblem::Trust => {
            "the appliance's certificate is not trusted; name its certificate with --certificate (`smearscope tls export` \
             prints it there), and compare its SHA-256 with the one on its screen"
        }
    }
}

fn wrong(url: &str) -> String {
    format!("--url {url} is not the address of an appliance; use one like http://localhost:8080")
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn the_limits_are_those_of_the_appliance() {
        let limits = |more: &str| {
            let json = format!(
                r#"{{"model": "m", "engine": "e", "device": "d", "demo": true, "threshold": 0.3{more}}}"#
            );
            serde_json::from_str::<By>(&json).unwrap().limits()
        };
        assert_eq!(
            limits(r#", "inconclusive_band": [0.131, 0.913]"#),
            "positive from 0.913, negative up to 0.131, inconclusive between"
        );
        assert_eq!(
            limits(""),
            "positive from 0.300 outside the model's inconclusive band"
        );
    }

    #[test]
    fn a_refused_certificate_is_told_with_its_remedy() {
        let refused = |error| {
            let error = rustls::Error::InvalidCertificate(error);
            let error = ureq::Error::Io(std::io::Error::other(error));
            certificate_problem(&error).map(distrusted).unwrap()
        };
        assert!(refused(CertificateError::NotValidForName).contains("http.names"));
        assert!(refused(CertificateError::Expired).contains("clocks"));
        assert!(refused(CertificateError::UnknownIssuer).contains("smearscope tls export"));
        assert!(certificate_problem(&ureq::Error::HostNotFound).is_none());
    }

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
