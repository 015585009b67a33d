//! Access control: host names, origins, tokens and TLS.

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::support::http::*;
use crate::support::*;

#[test]
fn on_loopback_programs_need_no_token_and_pages_of_other_sites_get_nothing() {
    let served = Served::start("names = [\"bench.example\"]\n").ready();
    let device = |header: (&str, &str)| served.send("GET", "/v1/device", &[header], b"");
    let named = device(("host", "bench.example"));
    assert!(named.problem(401).contains("addressed to bench.example"));
    let fine = device(("host", "localhost"));
    assert_eq!(fine.status, 200);
    assert!(
        fine.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    assert_eq!(fine.header("x-content-type-options"), "nosniff");
    assert_eq!(fine.header("cache-control"), "no-store");
    let rebound = device(("host", "evil.example"));
    assert!(rebound.problem(421).contains("http.names"));
    let press = |header: (&str, &str)| served.send("POST", "/v1/captures", &[header], b"");
    for header in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        assert!(
            press(header).problem(403).contains("other sites"),
            "{header:?}"
        );
    }
    let proxied = device(("x-forwarded-for", "192.0.2.1"));
    assert!(proxied.problem(401).contains("smearscope token new"));
    assert_eq!(served.get("/v1/device").json()["state"]["fields"], 0);
}

#[test]
fn a_token_allows_what_its_role_does_until_it_is_taken_back_and_no_log_has_it() {
    let served = Served::start("access = \"token\"\n");
    let (viewer, operator) = (served.token("viewer"), served.token("operator"));
    let send = |method: &str, path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        served.send(method, path, &[("authorization", &bearer)], b"")
    };
    let none = served.get("/v1/device");
    none.problem(401);
    assert_eq!(
        none.header("www-authenticate"),
        "Bearer realm=\"smearscope\""
    );
    assert_eq!(served.get("/v1/health/live").status, 200);
    assert_eq!(send("GET", "/v1/device", &viewer).status, 200);
    assert!(
        send("POST", "/v1/slides/next", &viewer)
            .problem(403)
            .contains("operator")
    );
    while send("POST", "/v1/slides/next", &operator).status == 409 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    send("GET", &format!("/v1/device?token={viewer}"), "").problem(401);

    let token = |args: &[&str]| {
        let output = smearscope(["token"].iter().chain(args))
            .arg("--config")
            .arg(served.config())
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let list = token(&["list"]);
    // The appliance made the first one at its start and showed it on the screen.
    assert_eq!(list.lines().count(), 3, "{list}");
    let id = list.lines().find(|line| line.contains("viewer")).unwrap();
    let id = id.split_whitespace().next().unwrap();
    token(&["revoke", id]);
    send("GET", "/v1/device", &viewer).problem(401);
    assert_eq!(send("GET", "/v1/device", &operator).status, 200);
    let wait = loop {
        let answer = send("GET", "/v1/device", "wrong");
        if answer.status != 401 {
            break answer;
        }
    };
    wait.problem(429);
    assert!(wait.header("retry-after").parse::<u32>().unwrap() > 0);
    let log = served.end().join("\n");
    assert!(log.contains("a wrong token came from 127.0.0.1"), "{log}");
    assert!(!log.contains(&viewer) && !log.contains(&operator));
}

#[test]
fn where_others_can_connect_it_speaks_tls_and_names_its_certificate() {
    let served = Served::start_unread("listen = \"0.0.0.0:0\"\n");
    let told = served.logged("certificate: SHA-256 ");
    let address = served.logged("listening on https://0.0.0.0:");
    let port = address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let certificate = CertificateDer::from_pem_file(served.state("tls/certificate.pem")).unwrap();
    let digest = Sha256::digest(&certificate);
    let told = told.rsplit_once("SHA-256 ").unwrap().1.replace(' ', "");
    let told: Vec<u8> = (0..told.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&told[at..at + 2], 16).unwrap())
        .collect();
    assert_eq!(told, digest.as_slice());

    let token = served.token("viewer");
    let request = format!(
        "GET /v1/device HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let answer = over_tls(port, certificate, "127.0.0.1", &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn other_machines_are_not_let_in_without_a_place_for_tokens() {
    let output = smearscope(["config", "check"])
        .env("SMEARSCOPE__HTTP__LISTEN", "0.0.0.0:8080")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("storage.state"));
}
