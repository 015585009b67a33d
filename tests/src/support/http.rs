//! The appliance on the simulated board with its HTTP server, and a client.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use ureq::tls::TlsConfig;

use super::programs::{VOLATILE, built, smearscope};
use super::project::{demo_fields, root};

/// A failed test must end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A running appliance.
pub(crate) struct Served {
    folder: TempDir,
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    /// The server's address: `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// The unread lines of its log.
    log: Mutex<mpsc::Receiver<String>>,
    agent: ureq::Agent,
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }

    /// The detail of a problem document (RFC 9457) with this status.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["title"].is_string());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The end of its input ends the appliance.
        self.stdin = None;
        self.ended();
    }
}

impl Served {
    /// Starts with these lines in the section `[http]`; the camera plays the shipped fields.
    pub(crate) fn start(http: &str) -> Self {
        Self::start_with(http, "", &root().join("hardware/fields"))
    }

    /// Starts with more lines of the section `[storage]` and more sections.
    pub(crate) fn start_with(http: &str, more: &str, fields: &Path) -> Self {
        let mut served = Self::spawn(http, more, fields, Command::spawn);
        let line = served.logged("listening on ");
        served.url = line.rsplit_once(' ').unwrap().1.to_owned();
        served
    }

    /// Waits until it listens on all addresses, with its own certificate, which this client does not verify.
    pub(crate) fn serve_others(&mut self) {
        let line = self.logged("listening on https://0.0.0.0:");
        let (_, port) = line.rsplit_once(':').unwrap();
        self.url = format!("https://127.0.0.1:{port}");
    }

    /// Starts without reading the log.
    pub(crate) fn start_unread(http: &str) -> Self {
        Self::spawn(http, "", &root().join("hardware/fields"), Command::spawn)
    }

    /// Starts as `spawn` does it, without reading the log.
    pub(crate) fn start_by(
        spawn: impl FnOnce(&mut Command) -> std::io::Result<Child>,
        http: &str,
        more: &str,
    ) -> Self {
        Self::spawn(http, more, &root().join("hardware/fields"), spawn)
    }

    fn spawn(
        http: &str,
        more: &str,
        fields: &Path,
        spawn: impl FnOnce(&mut Command) -> std::io::Result<Child>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        fs::create_dir(&state).unwrap();
        let listen = if http.contains("listen") {
            ""
        } else {
            "listen = \"127.0.0.1:0\"\n"
        };
        // Unless the lines set it.
        let state = if more.starts_with("state") {
            String::new()
        } else {
            format!("state = {state:?}\n")
        };
        let mut text = format!(
            "board = \"sim\"\n[sim]\nfields = {fields:?}\n[http]\n{listen}{http}\n\
             [storage]\n{state}{more}\n"
        );
        for (section, setting) in [
            ("[model]", "engine = \"embedded\""),
            ("[timing]", "selftest_s = 0.1"),
        ] {
            if !more.contains(section) {
                text.extend([section, "\n", setting, "\n"]);
            }
        }
        let config = folder.path().join("config.toml");
        fs::write(&config, text).unwrap();
        let mut command = Command::new(built("smearscope"));
        command
            .args(["run", "--panel", "lines", "--config"])
            .arg(&config)
            .current_dir(root())
            .envs([VOLATILE])
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = spawn(&mut command).unwrap();
        let mut stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = stderr.lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Self {
            folder,
            stdin: child.stdin.take(),
            child,
            url: String::new(),
            log: Mutex::new(log),
            agent: agent(),
        }
    }

    /// Waits until the self-test is over, so that a press is accepted.
    pub(crate) fn ready(self) -> Self {
        self.wait_for("ready");
        self
    }

    /// Waits for a state.
    pub(crate) fn wait_for(&self, state: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.get("/v1/device").json()["state"]["name"] != state {
            assert!(Instant::now() < deadline, "never {state}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a line of the log.
    pub(crate) fn logged(&self, part: &str) -> String {
        loop {
            let line = self.log.lock().unwrap().recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{part:?} is not logged"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// A file of the appliance's state.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// Makes a token on the command line.
    pub(crate) fn token(&self, role: &str) -> String {
        let output = smearscope(["token", "new", "--role", role, "--config"])
            .arg(self.config())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Waits until the appliance ends; kills it and returns `None` if it does not.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal to the appliance.
    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Ends the appliance and returns the rest of its log.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.panel("quit");
        self.log.lock().unwrap().iter().collect()
    }

    /// Writes a line to the simulated panel.
    pub(crate) fn panel(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// Opens a TCP connection to the server.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Opens a connection from this address of the machine, which takes little of an answer in advance.
    pub(crate) fn connect_from(&self, address: [u8; 4]) -> TcpStream {
        on_loop(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            socket.bind((address, 0).into()).unwrap();
            let server = self.url.strip_prefix("http://").unwrap();
            let stream = socket.connect(server.parse().unwrap()).await.unwrap();
            stream.into_std().unwrap()
        })
    }

    /// Sends the beginning of an image; the server has asked for the rest, which never comes.
    pub(crate) fn begin_upload(&self) -> TcpStream {
        let mut stream = self.connect();
        stream
            .write_all(
                b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nConnection: close\r\n\
                  Expect: 100-continue\r\n\r\n",
            )
            .unwrap();
        // The server sends this when it asks for the body (RFC 9110, section 10.1.1).
        let mut said = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"x").unwrap();
        stream
    }

    /// Occupies a place in the queue of analyses with an image that cannot be recorded until the result is dropped. No
    /// other image may be on its way.
    pub(crate) fn occupy(&self) -> (rusqlite::Connection, TcpStream) {
        let records = rusqlite::Connection::open(self.state("records.sqlite")).unwrap();
        records.execute_batch("BEGIN IMMEDIATE").unwrap();
        let field = fs::read(&demo_fields()[0]).unwrap();
        let mut stream = self.connect();
        write!(
            stream,
            "POST /v1/classify?store=true HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            field.len()
        )
        .unwrap();
        stream.write_all(&field).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let occupied = b"smearscope_queue_images 1.0";
        while !self
            .get("/metrics")
            .body
            .windows(occupied.len())
            .any(|part| part == occupied)
        {
            assert!(Instant::now() < deadline, "the queue stays empty");
            std::thread::sleep(Duration::from_millis(5));
        }
        (records, stream)
    }

    /// Captures a field as soon as the appliance accepts it; `token` is the header `Authorization`.
    pub(crate) fn capture(&self, token: &str) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let capture = self.send("POST", "/v1/captures", &[("authorization", token)], b"");
            if capture.status != 409 || Instant::now() > deadline {
                assert_eq!(capture.status, 201, "{capture:?}");
                return capture;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &[])
    }

    pub(crate) fn post(&self, path: &str) -> Answer {
        self.send("POST", path, &[], &[])
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.agent.run(request.body(body.to_vec()).unwrap());
        let mut response = response.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_vec().unwrap(),
        }
    }
}

/// Runs a future to its end.
fn on_loop<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

/// Sends a request over TLS to this port of the machine, whose certificate must be valid for `name`, and returns the whole
/// answer; the request must end the connection.
pub(crate) fn over_tls(
    port: u16,
    certificate: CertificateDer<'static>,
    name: &'static str,
    request: &str,
) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    on_loop(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        let name = ServerName::try_from(name).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    })
}

/// A client that returns error statuses as responses and accepts any certificate.
pub(crate) fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .disable_verification(true)
        .build();
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(PATIENCE))
        .tls_config(tls)
        .build()
        .into()
}
