//! Behind a reverse proxy: nginx, with the block that the guide shows and with the shortest one.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, getuid, kill_process};
use smearscope_artifacts::testing::skip;
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::support::http::*;
use crate::support::mosquitto::wait_until;
use crate::support::root;

struct Nginx {
    process: Child,
    _folder: TempDir,
    plain: u16,
    tls: u16,
    certificate: CertificateDer<'static>,
}

impl Nginx {
    /// Passes requests on to this address.
    fn start(appliance: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let made = rcgen::generate_simple_self_signed(["bench.example".to_owned()]).unwrap();
        fs::write(path("bench.pem"), made.cert.pem()).unwrap();
        fs::write(path("bench.key"), made.signing_key.serialize_pem()).unwrap();
        // Both are bound at the same time, so that they differ.
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [plain, tls] = listeners.map(|listener| listener.local_addr().unwrap().port());
        let guide = fs::read_to_string(root().join("firmware/README.md")).unwrap();
        let (_, block) = guide.split_once("```nginx\n").unwrap();
        let (block, _) = block.split_once("```").unwrap();
        let block = block
            .replace("443 ssl", &format!("127.0.0.1:{tls} ssl"))
            .replace("/etc/ssl/bench.example.pem", &path("bench.pem"))
            .replace("/etc/ssl/private/bench.example.key", &path("bench.key"))
            .replace("http://127.0.0.1:8080", appliance);
        // Started by root, it gives up root's rights, as a system's nginx does.
        let user = if getuid().is_root() {
            "user nobody nogroup;"
        } else {
            ""
        };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {};\n", path(name)))
            .concat();
        let text = format!(
            "daemon off;\n{user}\npid {};\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
             server {{ listen 127.0.0.1:{plain}; location / {{ proxy_pass {appliance}; }} }}\n{block}}}\n",
            path("pid")
        );
        fs::write(path("nginx.conf"), text).unwrap();
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap_or("nginx");
        let process = Command::new(program)
            .args(["-e", "stderr", "-c", &path("nginx.conf")])
            .spawn()
            .expect("nginx is missing; run scripts/setup --python");
        let nginx = Self {
            process,
            _folder: folder,
            plain,
            tls,
            certificate: made.cert.der().clone(),
        };
        wait_until("nginx listens", || {
            [plain, tls]
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Told to end, it ends its workers, too.
        if let Some(pid) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

#[test]
fn behind_a_proxy_nobody_is_trusted_without_a_token() {
    let served = Served::start("names = [\"bench.example\"]\n").ready();
    let nginx = Nginx::start(&served.url);
    let token = served.token("viewer");
    let ask = |line: &str, authorization: &str| {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: bench.example\r\nContent-Length: 0\r\nConnection: close\r\n{authorization}\r\n"
        );
        let answer = over_tls(
            nginx.tls,
            nginx.certificate.clone(),
            "bench.example",
            &request,
        );
        answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    assert_eq!(ask("GET /v1/health/live", ""), 200);
    assert_eq!(ask("GET /", ""), 200);
    for line in ["GET /v1/device", "POST /v1/captures", "POST /v1/off"] {
        assert_eq!(ask(line, ""), 401, "{line}");
    }
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(ask("GET /v1/device", &bearer), 200);
    assert_eq!(ask("POST /v1/captures", &bearer), 403);

    // This block adds no header, and sends the address of the appliance as `Host`.
    if !getuid().is_root() {
        skip("nginx has another user only when root starts it");
        return;
    }
    let plain = |method: &str, path: &str| {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", nginx.plain));
        let mut response = agent().run(request.body(()).unwrap()).unwrap();
        let said = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), said)
    };
    assert_eq!(plain("GET", "/v1/health/live").0, 200);
    for (method, path) in [
        ("GET", "/v1/records/export?format=zip"),
        ("POST", "/v1/captures"),
        ("POST", "/v1/off"),
    ] {
        let (status, said) = plain(method, path);
        assert_eq!(status, 401, "{method} {path}: {said}");
        assert!(said.contains("reverse proxy"), "{said}");
    }
    assert_eq!(
        served.get("/v1/device").status,
        200,
        "a person's program is trusted"
    );
}
