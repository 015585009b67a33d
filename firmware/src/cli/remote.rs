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
use smearscope_artifacts::{CountRule, DecisionRule, Verdict};
use smearscope_hardware::with_causes;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Timeout, http};

use crate::cli::judge::{Judge, JudgeError};
use crate::records::{CountEntry, CountRuleEntry};
use crate::report::answer::{Said, result_in_words};
use crate::system::certificate::CertificateProblem;

/// Environment variable with the token; other users can read command lines.
const TOKEN: &str = "SMEARSCOPE_TOKEN";
const CONNECT: Duration = Duration::from_secs(10);
/// Timeout of an answer: longer than a slow appliance with other clients needs.
const ANSWER: Duration = Duration::from_mins(5);
/// Longest pause before a busy appliance is asked again, in seconds.
const LONGEST_WAIT: u64 = 60;
/// How long an image waits in all for an appliance that is busy or cannot use its model or its disk.
const PATIENCE: Duration = Duration::from_mins(5);
/// Pauses in seconds before an image is sent again whose connection failed, though an earlier one was answered.
const RETRIES: [u64; 4] = [1, 2, 4, 8];

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
    /// Waits before the next attempt.
    pause: fn(Duration),
}

/// A response.
struct Response {
    status: StatusCode,
    /// When to try again, if the appliance says so.
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Response {
    /// What the appliance says about an error.
    fn detail(&self) -> String {
        serde_json::from_slice::<Problem>(&self.body).map_or_else(
            |_| format!("it answered {}", self.status),
            |said| said.detail,
        )
    }

    /// When to try again, if the appliance is busy or its trouble may pass.
    fn wait(&self) -> Option<Duration> {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => Some(self.retry_after.unwrap_or_default()),
            StatusCode::SERVICE_UNAVAILABLE => self.retry_after,
            _ => None,
        }
        .map(|wait| wait.clamp(Duration::from_secs(1), Duration::from_secs(LONGEST_WAIT)))
    }
}

/// The model and engine that gave an answer, and the model's limits.
#[derive(Debug, Clone, Deserialize)]
struct By {
    model: String,
    engine: String,
    device: String,
    demo: bool,
    threshold: Option<f32>,
    /// Earlier versions do not send it.
    inconclusive_band: Option<[f32; 2]>,
    /// Earlier versions do not send it.
    count_rule: Option<CountRuleEntry>,
}

impl By {
    /// The limits that decide, as far as they are known.
    fn limits(&self) -> String {
        if let Some(rule) = &self.count_rule {
            return CountRule::from(rule).words();
        }
        let Some(threshold) = self.threshold else {
            return "its limits are not known".into();
        };
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
    /// Earlier versions do not send it.
    count: Option<CountEntry>,
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
    /// The appliance at `url`, for images whose pixels have this size in µm. `certificate` is its TLS certificate, if the system does not trust it already.
    ///
    /// # Errors
    /// If the address or the certificate cannot be used.
    pub(crate) fn new(
        url: &str,
        um_per_pixel: Option<f32>,
        certificate: Option<&Path>,
    ) -> Result<Self> {
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
            url: match um_per_pixel {
                Some(um_per_pixel) => format!("{base}/v1/classify?um_per_pixel={um_per_pixel}"),
                None => format!("{base}/v1/classify"),
            },
            token,
            last: None,
            pause: thread::sleep,
        })
    }

    /// Sends an image once.
    fn send(&self, image: &[u8]) -> Result<Response, ureq::Error> {
        let mut request = self
            .agent
            .post(&self.url)
            .header(CONTENT_TYPE, "application/octet-stream")
            // A busy appliance refuses before the image is sent.
            .header(EXPECT, "100-continue");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut response = request.send(image)?;
        let wait = response.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Response {
            status: response.status(),
            retry_after: wait.map(Duration::from_secs),
            body: response.body_mut().read_to_vec()?,
        })
    }

    /// Sends an image, again while the appliance is busy, and if the connection to an appliance fails that answered
    /// before.
    fn send_patiently(&self, image: &[u8]) -> Result<Response, ureq::Error> {
        let mut retries = RETRIES.into_iter();
        let mut waited = Duration::ZERO;
        loop {
            let response = match self.send(image) {
                Ok(response) => response,
                Err(error) if self.last.is_none() || is_final(&error) => return Err(error),
                Err(error) => {
                    let Some(pause) = retries.next() else {
                        return Err(error);
                    };
                    log::warn!("{}: {}; trying again", self.url, with_causes(&error));
                    (self.pause)(Duration::from_secs(pause));
                    continue;
                }
            };
            let Some(wait) = response.wait().filter(|_| waited < PATIENCE) else {
                return Ok(response);
            };
            if response.status == StatusCode::SERVICE_UNAVAILABLE {
                log::warn!("{}: {}; trying again", self.url, response.detail());
            }
            (self.pause)(wait);
            waited += wait;
        }
    }

    fn answer(&mut self, image: &[u8]) -> Result<RemoteAnswer, JudgeError> {
        let response = self.send_patiently(image).map_err(|error| {
            let problem = with_causes(&error);
            JudgeError::All(match certificate_problem(&error) {
                Some(cause) => anyhow!("{}: {} ({problem})", self.url, distrusted(cause)),
                None => anyhow!(
                    "{} does not answer ({problem}); check that an appliance listens there",
                    self.url
                ),
            })
        })?;
        let Response {
            status, ref body, ..
        } = response;
        if status != StatusCode::OK {
            let detail = response.detail();
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
        self.last = Some(serde_json::from_slice(body).map_err(invalid)?);
        serde_json::from_slice(body).map_err(invalid)
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
            result: result_in_words(answer.probability, answer.count.as_ref()),
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

/// Whether another attempt would fail in the same way or take too long.
fn is_final(error: &ureq::Error) -> bool {
    let is_late = matches!(error, ureq::Error::Timeout(Timeout::Global));
    is_late || certificate_problem(error).is_some()
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
             prints it there), and compare its SHA-256 with the one that `smearscope tls show` prints there"
        }
    }
}

fn wrong(url: &str) -> String {
    format!("--url {url} is not the address of an appliance; use one like http://localhost:8080")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Mutex;

    use rustls::CertificateError;

    use super::*;

    const ANSWER: &str = r#"{"verdict": "Positive", "probability": 0.9, "reason": null, "hint": null, "model": "m",
        "engine": "e", "device": "d", "demo": true, "threshold": 0.5}"#;

    /// A server that answers each connection with the next response, and an empty one by closing it.
    fn server(responses: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for response in responses {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\nimage") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                    if request.ends_with(b"\r\n\r\n") {
                        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
                    }
                }
                stream.write_all(response.as_bytes()).unwrap();
            }
        });
        format!("http://{address}")
    }

    fn response(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    #[test]
    fn a_batch_goes_on_after_refusals_and_failures_that_pass() {
        static PAUSES: Mutex<Vec<u64>> = Mutex::new(Vec::new());
        let broken = String::new;
        let busy = || response("429 Too Many Requests\r\nRetry-After: 3", "{}");
        let no_model = || {
            response(
                "503 Service Unavailable\r\nRetry-After: 60",
                r#"{"detail": "no model"}"#,
            )
        };
        let mut responses = vec![busy(), no_model(), response("200 OK", ANSWER)];
        responses.extend([broken(), broken(), response("200 OK", ANSWER)]);
        // A refusal that does not pass.
        responses.extend(std::iter::repeat_with(no_model).take(6));
        responses.push(response("503 Service Unavailable", r#"{"detail": "off"}"#));
        responses.extend(std::iter::repeat_with(broken).take(5));
        let mut remote = Remote::new(&server(responses), None, None).unwrap();
        remote.pause = |pause| PAUSES.lock().unwrap().push(pause.as_secs());
        let mut ask = || {
            let answer = remote.answer(b"image");
            let pauses = std::mem::take(&mut *PAUSES.lock().unwrap());
            let said = match answer {
                Ok(answer) => answer.verdict.to_string(),
                Err(JudgeError::Image(error)) => error,
                Err(JudgeError::All(error)) => error.to_string(),
            };
            (said, pauses)
        };
        assert_eq!(ask(), ("Positive".into(), vec![3, 60]));
        assert_eq!(ask(), ("Positive".into(), vec![1, 2]));
        let (said, pauses) = ask();
        assert!(said.ends_with("no model"), "{said}");
        assert_eq!(pauses, [60; 5]);
        let (said, pauses) = ask();
        assert!(
            said.ends_with("off") && pauses.is_empty(),
            "{said} {pauses:?}"
        );
        let (said, pauses) = ask();
        assert!(said.contains("does not answer"), "{said}");
        assert_eq!(pauses, [1, 2, 4, 8]);
    }

    #[test]
    fn an_address_where_nothing_ever_answered_is_not_tried_again() {
        let mut remote = Remote::new(&server(vec![String::new()]), None, None).unwrap();
        remote.pause = |_| panic!("it waits");
        assert!(matches!(remote.answer(b"image"), Err(JudgeError::All(_))));
    }

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
            let error = Remote::new(url, None, None)
                .err()
                .map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains("--url")), "{url}");
        }
        let remote = Remote::new("http://localhost:8080/", None, None).unwrap();
        assert_eq!(remote.url, "http://localhost:8080/v1/classify");
    }
}
