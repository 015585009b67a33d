//! A Mosquitto broker with TLS and passwords, a subscriber, and a proxy that cuts connections.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) const USER: &str = "scope";
pub(crate) const PASSWORD: &str = "correct horse";

/// A broker.
pub(crate) struct Mosquitto {
    folder: TempDir,
    /// The port with TLS.
    pub(crate) port: u16,
    /// The port without TLS, for the test's own client.
    plain: u16,
    process: Mutex<Option<Child>>,
}

impl Mosquitto {
    pub(crate) fn start() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let passwords = folder.path().join("passwords");
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&passwords)
            .args([USER, PASSWORD])
            .output()
            .expect("Mosquitto is missing; run scripts/setup --python");
        assert!(made.status.success(), "{made:?}");
        let (port, plain) = (free_port(), free_port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let text = format!(
            "allow_anonymous false\npassword_file {}\nmax_queued_messages 0\n\
             listener {plain} 127.0.0.1\n\
             listener {port} 127.0.0.1\ncertfile {}\nkeyfile {}\n{}",
            passwords.display(),
            path("server.pem"),
            path("server.key"),
            // Started by root, Mosquitto would change to a user who may not read these files.
            "user root\n",
        );
        fs::write(folder.path().join("mosquitto.conf"), text).unwrap();
        let broker = Arc::new(Self {
            folder,
            port,
            plain,
            process: Mutex::new(None),
        });
        broker.restart();
        broker
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Kills the broker if it runs and starts it again without its state.
    pub(crate) fn restart(&self) {
        self.kill();
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap_or("mosquitto");
        let child = Command::new(program)
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Mosquitto is missing; run scripts/setup --python");
        *self.process.lock().unwrap() = Some(child);
        wait_until("Mosquitto listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A client that subscribes to these topics and can publish.
    pub(crate) fn listener(&self, topics: &'static str) -> Listener {
        Listener::start(self.plain, topics)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes a certificate authority and its certificate for this machine.
fn certify(folder: &Path) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec!["localhost".into()])
        .unwrap()
        .signed_by(&server_key, &issuer)
        .unwrap();
    fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), server_key.serialize_pem()).unwrap();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) is_retained: bool,
}

impl Heard {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap()
    }
}

#[derive(Default)]
struct Ear {
    heard: Vec<Heard>,
    subscriptions: usize,
}

/// A subscriber that reconnects whenever the broker is available.
pub(crate) struct Listener {
    ear: Arc<(Mutex<Ear>, Condvar)>,
    client: Client,
}

impl Listener {
    fn start(port: u16, topics: &'static str) -> Self {
        let name = format!("test-{topics}-{:?}", Instant::now());
        let mut options = MqttOptions::new(name, "127.0.0.1", port);
        options.set_credentials(USER, PASSWORD);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 64);
        let ear = Arc::<(Mutex<Ear>, Condvar)>::default();
        let listener = Self {
            ear: Arc::clone(&ear),
            client: client.clone(),
        };
        thread::spawn(move || {
            for event in connection.iter() {
                let Ok(event) = event else {
                    // Pauses before the next attempt.
                    thread::sleep(Duration::from_millis(20));
                    continue;
                };
                let mut ear_now = ear.0.lock().unwrap();
                match event {
                    Event::Incoming(Packet::ConnAck(_)) => {
                        client.subscribe(topics, QoS::AtMostOnce).unwrap();
                    }
                    Event::Incoming(Packet::SubAck(_)) => ear_now.subscriptions += 1,
                    Event::Incoming(Packet::Publish(message)) => ear_now.heard.push(Heard {
                        topic: message.topic,
                        payload: String::from_utf8(message.payload.to_vec()).unwrap(),
                        is_retained: message.retain,
                    }),
                    _ => {}
                }
                ear.1.notify_all();
            }
        });
        listener.wait_for_subscriptions(1);
        listener
    }

    /// Number of subscriptions so far, the first one included.
    pub(crate) fn subscriptions(&self) -> usize {
        self.ear.0.lock().unwrap().subscriptions
    }

    pub(crate) fn wait_for_subscriptions(&self, number: usize) {
        self.wait("subscriptions", |ear| {
            (ear.subscriptions >= number).then_some(())
        });
    }

    /// All messages received on a topic so far.
    pub(crate) fn heard(&self, topic: &str) -> Vec<Heard> {
        let ear = self.ear.0.lock().unwrap();
        let heard = ear.heard.iter().filter(|heard| heard.topic == topic);
        heard.cloned().collect()
    }

    /// Waits for `number` messages on a topic and returns all of them.
    pub(crate) fn wait_for(&self, topic: &str, number: usize) -> Vec<Heard> {
        self.wait(topic, |ear| {
            let heard = ear.heard.iter().filter(|heard| heard.topic == topic);
            (heard.clone().count() >= number).then(|| heard.cloned().collect())
        })
    }

    /// Waits for a message on a topic.
    pub(crate) fn wait_for_one(&self, topic: &str, is_meant: impl Fn(&Heard) -> bool) -> Heard {
        self.wait(topic, |ear| {
            let mut heard = ear.heard.iter();
            heard
                .find(|heard| heard.topic == topic && is_meant(heard))
                .cloned()
        })
    }

    fn wait<T>(&self, what: &str, found: impl Fn(&Ear) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut ear = self.ear.0.lock().unwrap();
        loop {
            if let Some(found) = found(&ear) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "did not receive {what} in time: {:?}",
                ear.heard
            );
            ear = self.ear.1.wait_timeout(ear, left).unwrap().0;
        }
    }

    pub(crate) fn say(&self, topic: &str, payload: &str, retain: bool) {
        self.client
            .publish(topic, QoS::AtLeastOnce, retain, payload)
            .unwrap();
    }
}

/// A TCP proxy to a broker that can cut connections.
pub(crate) struct Way {
    pub(crate) port: u16,
    plan: Arc<Mutex<Plan>>,
}

/// When the proxy cuts connections.
#[derive(Default)]
struct Plan {
    /// The byte counts towards the broker after which connections are cut, last one first; later connections stay.
    budgets: Vec<usize>,
    cuts: usize,
    /// Called after each cut with the number of cuts.
    then: Option<Box<dyn FnMut(usize) + Send>>,
}

impl Way {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let way = Self {
            port: listener.local_addr().unwrap().port(),
            plan: Arc::default(),
        };
        let plan = Arc::clone(&way.plan);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(broker)) = (client, TcpStream::connect(("127.0.0.1", port)))
                else {
                    continue;
                };
                let budget = plan.lock().unwrap().budgets.last().copied();
                let back = (broker.try_clone().unwrap(), client.try_clone().unwrap());
                let down = thread::spawn(move || carry(back.0, back.1, None));
                if carry(client, broker, budget) {
                    let mut plan = plan.lock().unwrap();
                    plan.budgets.pop();
                    plan.cuts += 1;
                    let cuts = plan.cuts;
                    // Handles one connection at a time.
                    if let Some(then) = &mut plan.then {
                        then(cuts);
                    }
                }
                down.join().unwrap();
            }
        });
        way
    }

    /// Cuts each of the next connections after its number of bytes towards the broker.
    pub(crate) fn cut(&self, budgets: Vec<usize>, then: impl FnMut(usize) + Send + 'static) {
        let mut plan = self.plan.lock().unwrap();
        plan.budgets = budgets;
        plan.then = Some(Box::new(then));
    }

    /// Number of cuts so far.
    pub(crate) fn cuts(&self) -> usize {
        self.plan.lock().unwrap().cuts
    }
}

/// Copies bytes until the end or until `budget`, then closes both ends. Returns whether the budget ended it.
fn carry(mut from: TcpStream, mut to: TcpStream, mut budget: Option<usize>) -> bool {
    let mut buffer = [0; 1024];
    loop {
        let most = budget.map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = match from.read(&mut buffer[..most]) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        let is_over = read == 0 || to.write_all(&buffer[..read]).is_err();
        if let Some(left) = &mut budget {
            *left -= read;
        }
        let is_cut = budget == Some(0);
        if is_over || is_cut {
            // Either end may be closed already.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return is_cut;
        }
    }
}
