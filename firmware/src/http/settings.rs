//! The section `[http]`: where the server listens, and how much it takes.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The section as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawHttp {
    /// Address and port; empty: there is no server.
    pub listen: String,
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
            header_s: 10.0,
            body_s: 60.0,
            body_mib: 32,
            analyses: 1,
            queue: 4,
        }
    }
}

/// The section as it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// Where it listens.
    pub listen: SocketAddr,
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

impl RawHttp {
    /// Checks every value; `None` where there is no server.
    ///
    /// # Errors
    /// Names the key, the value and what is possible.
    pub fn validate(self) -> Result<Option<HttpSettings>> {
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
        let listen = self.listen.parse().with_context(|| {
            format!(
                "http.listen = {:?} is no address and port; use one such as \"127.0.0.1:8080\", or \"\" for \
                 no server",
                self.listen
            )
        })?;
        Ok(Some(HttpSettings {
            listen,
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
        raw.validate()
    }

    #[test]
    fn loopback_is_the_default_and_nothing_is_possible() {
        let settings = RawHttp::default().validate().unwrap().unwrap();
        assert!(settings.listen.ip().is_loopback());
        assert_eq!(settings.max_body, 32 << 20);
        assert_eq!(with(|raw| raw.listen.clear()).unwrap(), None);
    }

    #[test]
    fn impossible_values_name_the_key() {
        let error = |change: fn(&mut RawHttp)| format!("{:#}", with(change).unwrap_err());
        assert!(error(|raw| raw.listen = "localhost:80".into()).contains("http.listen"));
        assert!(error(|raw| raw.header_s = 0.0).contains("http.header_s = 0"));
        assert!(error(|raw| raw.body_s = f64::NAN).contains("http.body_s"));
        assert!(error(|raw| raw.analyses = 0).contains("http.analyses = 0"));
        assert!(error(|raw| raw.queue = 100).contains("http.queue = 100"));
        assert!(error(|raw| raw.body_mib = 0).contains("http.body_mib = 0"));
    }
}
