//! Authentication and authorization.
//!
//! - The header `Host` must be an address or a name of this machine, which defeats DNS rebinding.
//! - Cross-site requests from browsers are refused, whatever they ask for.
//! - While no other machine can connect, requests need no token if a person's program or this one's user sends them to
//!   `localhost`, not through a proxy. All others do, except for health checks, the page's files and the OpenAPI document.
//! - After too many wrong tokens, an address must wait before it may try another. Valid tokens need not wait, since many
//!   clients may share an address, that of a proxy. They are random, so that nobody can guess them in any time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Extension, Request, State};
use axum::http::header::{AUTHORIZATION, FORWARDED, HOST, ORIGIN, VIA, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::http::HttpSettings;
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::http::tokens::{Role, Tokens};
use crate::http::{classify, openapi, page};

/// Wrong tokens that an address may send in a burst.
const MAX_FAILURES: f64 = 10.0;
/// Seconds after which one wrong token is forgiven.
const FORGIVE_S: f64 = 10.0;
/// Addresses whose wrong tokens are counted.
const MAX_PEERS: usize = 1024;

/// The access rules, and the recent failures.
pub(crate) struct Access {
    needs_token: bool,
    /// Host names of this machine.
    names: Vec<String>,
    /// Proxies that may post to `/Inference` without a token.
    inference_from: Vec<IpAddr>,
    tokens: Option<Tokens>,
    /// Wrong tokens by address: how many are not forgiven yet, and when the last one came.
    failures: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

/// Why a request is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grant {
    /// Everybody may ask for this.
    Public,
    /// The sender has permission.
    Sender,
}

impl Access {
    pub(crate) fn new(settings: &HttpSettings, names: Vec<String>, tokens: Option<Tokens>) -> Self {
        Self {
            needs_token: settings.needs_token(),
            names,
            inference_from: settings.inference_from.clone(),
            tokens,
            failures: Mutex::default(),
        }
    }

    /// Decides whether a request is allowed.
    fn check(&self, peer: &Peer, request: &Request) -> Result<Grant, Problem> {
        let headers = request.headers();
        let host = self.host(request)?;
        same_origin(headers, request.method(), &host)?;
        let path = request.uri().path();
        if path.starts_with("/v1/health/") || page::has(path) || path == openapi::PATH {
            return Ok(Grant::Public);
        }
        if path == "/Inference" && self.inference_from.contains(&peer.address()) {
            return Ok(Grant::Sender);
        }
        let mut why = String::new();
        if !self.needs_token {
            match distrust(peer, headers, &host) {
                None => return Ok(Grant::Sender),
                Some(reason) => why = reason + "; ",
            }
        }
        let needed = match *request.method() {
            Method::GET | Method::HEAD | Method::OPTIONS => Role::Viewer,
            _ if path == "/v1/classify" && !classify::wants_record(request.uri()) => Role::Viewer,
            _ if path == "/Inference" => Role::Viewer,
            _ => Role::Operator,
        };
        match self.role(peer.address(), headers, &why)? {
            role if role >= needed => Ok(Grant::Sender),
            _ => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "this token may only view; use an operator token",
            )),
        }
    }

    /// The host that the request is addressed to, if it is this machine.
    fn host(&self, request: &Request) -> Result<Authority, Problem> {
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok()?.parse().ok())
            .or_else(|| request.uri().authority().cloned());
        let Some(host) = host else {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "the header Host is missing or invalid; send the name of the appliance",
            ));
        };
        let name = host.host().trim_matches(['[', ']']);
        let is_known = name.parse::<IpAddr>().is_ok()
            || self
                .names
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name));
        if is_known {
            return Ok(host);
        }
        Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this is not a name of the appliance; use its address, or add the name to http.names",
        ))
    }

    /// The role of the request's token; `why` says why it needs one, where that is not plain.
    fn role(&self, peer: IpAddr, headers: &HeaderMap, why: &str) -> Result<Role, Problem> {
        let unknown = |detail: String| {
            Err(Problem::new(StatusCode::UNAUTHORIZED, detail).with(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"smearscope\""),
            ))
        };
        let token = headers.get(AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
        let Some(token) = token else {
            return unknown(format!(
                "{why}send a token as `Authorization: Bearer TOKEN`; `smearscope token new` creates one"
            ));
        };
        let role = match &self.tokens {
            Some(tokens) => tokens
                .role(token)
                .map_err(|error| Problem::internal(&format!("{error:#}")))?,
            None => None,
        };
        if let Some(role) = role {
            return Ok(role);
        }
        if let Some(seconds) = self.must_wait(peer) {
            let detail = "too many wrong tokens from this address; wait";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds));
        }
        self.count_failure(peer);
        unknown("unknown token; `smearscope token new` creates one".into())
    }

    /// Seconds until this address may send another wrong token, if it must wait.
    fn must_wait(&self, peer: IpAddr) -> Option<u32> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let left = failures.get(&peer).map_or(0.0, |failed| remaining(*failed));
        let wait = (left - MAX_FAILURES + 1.0) * FORGIVE_S;
        (wait > 0.0).then_some(wait.ceil() as u32)
    }

    fn count_failure(&self, peer: IpAddr) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_PEERS {
            failures.retain(|_, failed| remaining(*failed) > 0.0);
        }
        if failures.len() >= MAX_PEERS && !failures.contains_key(&peer) {
            // That many addresses at once are one attack; tokens cannot be guessed even so.
            failures.clear();
        }
        let count = failures.get(&peer).map_or(0.0, |failed| remaining(*failed));
        failures.insert(peer, (count + 1.0, Instant::now()));
        log::warn!("a wrong token came from {peer}");
    }
}

/// Wrong tokens that are not forgiven yet.
fn remaining((count, last): (f64, Instant)) -> f64 {
    (count - last.elapsed().as_secs_f64() / FORGIVE_S).max(0.0)
}

/// Host names of this machine.
pub(crate) fn names(settings: &HttpSettings) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if let Ok(host) = rustix::system::uname().nodename().to_str() {
        names.extend([host.to_owned(), format!("{host}.local")]);
    }
    names.extend(settings.names.iter().cloned());
    names
}

/// Why a request on loopback needs a token: it may come from another machine, through a proxy.
fn distrust(peer: &Peer, headers: &HeaderMap, host: &Authority) -> Option<String> {
    if let Some(name) = headers.keys().find(|name| {
        [FORWARDED.as_str(), VIA.as_str(), "x-real-ip"].contains(&name.as_str())
            || name.as_str().starts_with("x-forwarded-")
    }) {
        return Some(format!("the request came through a proxy (header {name})"));
    }
    let name = host.host().trim_matches(['[', ']']);
    let is_here = match name.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    };
    if !is_here {
        return Some(format!(
            "the request is addressed to {name}, not to localhost"
        ));
    }
    peer.distrust().map(str::to_owned)
}

/// Refuses requests from pages of other sites. Other programs send neither `Origin` nor `Sec-Fetch-Site`.
fn same_origin(headers: &HeaderMap, method: &Method, host: &Authority) -> Result<(), Problem> {
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let rest = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host.as_str()))
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_navigation = *method == Method::GET && text("sec-fetch-mode") == Some("navigate");
    let is_foreign = headers.get(ORIGIN).is_some_and(|origin| !is_own(origin))
        || text("sec-fetch-site")
            .is_some_and(|site| !matches!(site, "same-origin" | "none") && !is_navigation);
    if is_foreign {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "requests from pages of other sites are refused",
        ));
    }
    Ok(())
}

/// Middleware that refuses requests without permission.
pub(crate) async fn guard(
    State(access): State<Arc<Access>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match access.check(&peer, &request) {
        Ok(Grant::Public) => next.run(request).await,
        Ok(Grant::Sender) => {
            peer.keep();
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn access(needs_token: bool, tokens: Option<Tokens>) -> Access {
        Access {
            needs_token,
            names: vec!["localhost".into(), "bench.local".into()],
            inference_from: vec!["192.0.2.9".parse().unwrap()],
            tokens,
            failures: Mutex::default(),
        }
    }

    fn status(access: &Access, peer: IpAddr, line: &str, headers: &[(&str, &str)]) -> u16 {
        let result = check(access, &Peer::fake(peer, None), line, headers);
        result.map_or_else(|problem| problem.into_parts().0.as_u16(), |_| 200)
    }

    fn check(
        access: &Access,
        peer: &Peer,
        line: &str,
        headers: &[(&str, &str)],
    ) -> Result<Grant, Problem> {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost:8080");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        access.check(peer, &request)
    }

    #[test]
    fn loopback_allows_programs_and_refuses_other_sites() {
        let access = access(false, None);
        let check = |line: &str, headers: &[(&str, &str)]| status(&access, PEER, line, headers);
        assert_eq!(check("GET /v1/device", &[]), 200);
        assert_eq!(check("POST /v1/captures", &[]), 200);
        for host in ["127.0.0.1", "[::1]:8080", "LOCALHOST", "127.0.0.1:80"] {
            assert_eq!(check("GET /v1/device", &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8080"] {
            assert_eq!(check("GET /v1/device", &[("host", host)]), 421, "{host}");
        }
        assert_eq!(check("GET /v1/device", &[("host", "")]), 400);
        for (line, headers, expected) in [
            (
                "POST /v1/captures",
                ("origin", "http://localhost:8080"),
                200,
            ),
            ("POST /v1/captures", ("origin", "http://localhost:81"), 403),
            ("POST /v1/captures", ("origin", "null"), 403),
            ("GET /v1/device", ("origin", "https://evil.example"), 403),
            ("POST /v1/captures", ("sec-fetch-site", "cross-site"), 403),
            ("POST /v1/captures", ("sec-fetch-site", "same-site"), 403),
            ("POST /v1/captures", ("sec-fetch-site", "same-origin"), 200),
            ("GET /v1/device", ("sec-fetch-site", "cross-site"), 403),
        ] {
            assert_eq!(check(line, &[headers]), expected, "{line} {headers:?}");
        }
        let link = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ];
        assert_eq!(check("GET /v1/device", &link), 200);
        assert_eq!(check("POST /v1/captures", &link), 403);
    }

    #[test]
    fn on_loopback_what_may_come_through_a_proxy_needs_a_token() {
        let access = access(false, None);
        let service = Some("the connection is that of a service");
        for (distrust, header, reason) in [
            (
                None,
                ("x-forwarded-for", "192.0.2.3"),
                "header x-forwarded-for",
            ),
            (
                None,
                ("x-forwarded-host", "bench"),
                "header x-forwarded-host",
            ),
            (None, ("x-real-ip", "192.0.2.3"), "header x-real-ip"),
            (None, ("forwarded", "for=192.0.2.3"), "header forwarded"),
            (None, ("via", "1.1 proxy"), "header via"),
            (
                None,
                ("host", "bench.local:8080"),
                "addressed to bench.local",
            ),
            (None, ("host", "192.168.1.7:80"), "addressed to 192.168.1.7"),
            (None, ("host", "[2001:db8::1]"), "addressed to 2001:db8::1"),
            (service, ("accept", "*/*"), "that of a service"),
        ] {
            let peer = Peer::fake(PEER, distrust);
            let refusal = |line| check(&access, &peer, line, &[header]).unwrap_err();
            let (status, _, detail) = refusal("POST /v1/captures").into_parts();
            assert_eq!(status, StatusCode::UNAUTHORIZED);
            assert!(detail.contains(reason), "{detail}");
            assert!(detail.contains("smearscope token new"), "{detail}");
            let public = check(&access, &peer, "GET /v1/health/live", &[header]);
            assert_eq!(public.unwrap(), Grant::Public);
        }
        let local = check(&access, &Peer::fake(PEER, None), "GET /v1/device", &[]);
        assert_eq!(local.unwrap(), Grant::Sender);
    }

    #[test]
    fn tokens_have_roles_and_wrong_tokens_are_limited() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::of(folder.path());
        let bearer = |role| format!("Bearer {}", tokens.create(role).unwrap());
        let (viewer, operator) = (bearer(Role::Viewer), bearer(Role::Operator));
        let access = access(true, Some(tokens.clone()));
        let check =
            |line: &str, token: &str| status(&access, PEER, line, &[("authorization", token)]);
        for open in ["/v1/health/live", "/v1/openapi.json"] {
            assert_eq!(status(&access, PEER, &format!("GET {open}"), &[]), 200);
        }
        assert_eq!(status(&access, PEER, "GET /v1/device", &[]), 401);
        assert_eq!(check("GET /v1/device", &viewer), 200);
        for (query, expected) in [
            ("", 200),
            ("?store=false", 200),
            ("?name=x", 200),
            ("?store=true", 403),
            ("?name=x&store=true", 403),
            // The handler refuses these.
            ("?store=false&store=true", 200),
            ("?store=TRUE", 200),
        ] {
            let line = format!("POST /v1/classify{query}");
            assert_eq!(check(&line, &viewer), expected, "{line}");
        }
        assert_eq!(check("POST /v1/classify?store=true", &operator), 200);
        assert_eq!(check("POST /v1/captures", &viewer), 403);
        assert_eq!(check("POST /v1/captures", &operator), 200);
        let proxy = "192.0.2.9".parse().unwrap();
        assert_eq!(status(&access, proxy, "POST /Inference", &[]), 200);
        assert_eq!(status(&access, PEER, "POST /Inference", &[]), 401);
        assert_eq!(status(&access, proxy, "POST /v1/classify", &[]), 401);

        for _ in 0..MAX_FAILURES as u32 {
            assert_eq!(check("GET /v1/device", "Bearer AAAA"), 401);
        }
        assert_eq!(check("GET /v1/device", "Bearer AAAA"), 429);
        assert_eq!(
            check("GET /v1/device", &viewer),
            200,
            "behind a proxy, strangers have the same address"
        );
        let other = "192.0.2.8".parse().unwrap();
        let headers = [("authorization", "Bearer AAAA")];
        assert_eq!(status(&access, other, "GET /v1/device", &headers), 401);
    }
}
