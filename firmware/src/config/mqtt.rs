//! `[mqtt]` and `[hias]`: which broker, as whom, and what is told there.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::config::secret::{HIDDEN, Secret};

/// A password is a line.
const MAX_PASSWORD: usize = 1024;
/// Longer names are no names. A topic may have 65,535 bytes.
const MAX_NAME: usize = 128;

/// MQTT for everyone: the broker, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
// Each is a switch of its own in the file.
#[allow(clippy::struct_excessive_bools)]
pub struct RawMqtt {
    /// The broker's name or address; empty: no broker.
    pub host: String,
    /// Its port; 0: 8883 with TLS, 1883 without.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Certificates of who vouches for the broker; empty: those that the system trusts.
    pub ca_file: PathBuf,
    /// Whether a broker on another machine may do without TLS.
    pub allow_plain: bool,
    /// User; empty: none.
    pub user: String,
    /// Password.
    pub password: Secret,
    /// File whose first line is the password, instead.
    pub password_file: PathBuf,
    /// What this appliance is called in topics; empty: the machine's name.
    pub device: String,
    /// What all topics begin with.
    pub prefix: String,
    /// Whether commands are listened to.
    pub commands: bool,
    /// Whether Home Assistant is told what there is.
    pub discovery: bool,
    /// What Home Assistant's discovery topics begin with.
    pub discovery_prefix: String,
}

impl Default for RawMqtt {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            tls: true,
            ca_file: PathBuf::new(),
            allow_plain: false,
            user: String::new(),
            password: Secret::default(),
            password_file: PathBuf::new(),
            device: String::new(),
            prefix: "smearscope".into(),
            commands: true,
            discovery: false,
            discovery_prefix: "homeassistant".into(),
        }
    }
}

/// A HIAS network: its broker, and who the appliance is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawHias {
    /// The broker's name or address; empty: no HIAS.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Certificates of who vouches for the broker; empty: those that the system trusts.
    pub ca_file: PathBuf,
    /// Whether a broker on another machine may do without TLS.
    pub allow_plain: bool,
    /// HIAS location.
    pub location: String,
    /// HIAS zone.
    pub zone: String,
    /// HIAS entity: the agent.
    pub entity: String,
    /// The agent's name, and the client's.
    pub name: String,
    /// User.
    pub user: String,
    /// Password.
    pub password: Secret,
    /// File whose first line is the password, instead.
    pub password_file: PathBuf,
    /// Where the appliance stands, degrees north.
    pub latitude: f64,
    /// Where the appliance stands, degrees east.
    pub longitude: f64,
    /// Topic of the states.
    pub states_topic: StatesTopic,
    /// Whether `Classification` is published as well.
    pub classification: bool,
}

impl Default for RawHias {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 8883,
            tls: true,
            ca_file: PathBuf::new(),
            allow_plain: false,
            location: String::new(),
            zone: String::new(),
            entity: String::new(),
            name: String::new(),
            user: String::new(),
            password: Secret::default(),
            password_file: PathBuf::new(),
            latitude: 0.0,
            longitude: 0.0,
            states_topic: StatesTopic::States,
            classification: false,
        }
    }
}

/// What HIAS calls the topic of states; versions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatesTopic {
    /// `States`.
    States,
    /// `State`.
    State,
}

impl StatesTopic {
    /// The topic's last level.
    pub fn name(self) -> &'static str {
        match self {
            Self::States => "States",
            Self::State => "State",
        }
    }
}

/// A broker, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whom to trust; none: without TLS.
    pub trust: Option<Trust>,
    /// User and password, if any.
    pub login: Option<(String, Secret)>,
}

/// Who vouches for a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those that the system trusts.
    System,
    /// Those whose certificates (PEM) are in a file.
    File(PathBuf),
}

/// `[mqtt]` as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mqtt {
    /// The broker.
    pub broker: Broker,
    /// What this appliance is called.
    pub device: String,
    /// What all topics begin with.
    pub prefix: String,
    /// Whether commands are listened to.
    pub commands: bool,
    /// What Home Assistant's discovery topics begin with, if it is told.
    pub discovery: Option<String>,
}

impl Mqtt {
    /// Names the broker and the topics in the table of deliveries.
    pub(crate) fn destination(&self) -> String {
        format!(
            "mqtt://{}:{}/{}/{}",
            self.broker.host, self.broker.port, self.prefix, self.device
        )
    }
}

/// `[hias]` as it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Hias {
    /// The broker.
    pub broker: Broker,
    /// What all topics begin with.
    pub base: String,
    /// The agent's name, and the client's.
    pub name: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Topic of the states.
    pub states: StatesTopic,
    /// Whether `Classification` is published as well.
    pub classification: bool,
}

impl RawMqtt {
    /// Checks every value; `None` if no broker is named.
    ///
    /// # Errors
    /// Names the key, the value and what is possible.
    pub fn validate(self) -> Result<Option<Mqtt>> {
        if self.host.is_empty() {
            return Ok(None);
        }
        let port = match (self.port, self.tls) {
            (0, true) => 8883,
            (0, false) => 1883,
            (port, _) => port,
        };
        let broker = Section("mqtt").broker(RawBroker {
            host: self.host,
            port,
            tls: self.tls,
            ca_file: self.ca_file,
            allow_plain: self.allow_plain,
            user: self.user,
            password: self.password,
            password_file: self.password_file,
        })?;
        let device = match self.device {
            device if device.is_empty() => machine_name(),
            device => device,
        };
        Section("mqtt").level("device", &device)?;
        // Home Assistant takes no other characters in its topics.
        ensure!(
            device
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
            "mqtt.device = {device:?} is impossible; use letters, digits, _ and -"
        );
        Section("mqtt").levels("prefix", &self.prefix)?;
        Section("mqtt").levels("discovery_prefix", &self.discovery_prefix)?;
        Ok(Some(Mqtt {
            broker,
            device,
            prefix: self.prefix,
            commands: self.commands,
            discovery: self.discovery.then_some(self.discovery_prefix),
        }))
    }
}

impl RawHias {
    /// Checks every value; `None` if no broker is named.
    ///
    /// # Errors
    /// Names the key, the value and what is possible.
    pub fn validate(self) -> Result<Option<Hias>> {
        if self.host.is_empty() {
            return Ok(None);
        }
        ensure!(
            self.port > 0,
            "hias.port = 0 is impossible; use 1 to 65535, mostly 8883"
        );
        for (key, value) in [
            ("location", &self.location),
            ("zone", &self.zone),
            ("entity", &self.entity),
            ("name", &self.name),
        ] {
            Section("hias").level(key, value)?;
        }
        for (key, value, most) in [
            ("latitude", self.latitude, 90.0),
            ("longitude", self.longitude, 180.0),
        ] {
            ensure!(
                (-most..=most).contains(&value),
                "hias.{key} = {value} is impossible; use -{most} to {most} degrees"
            );
        }
        let broker = Section("hias").broker(RawBroker {
            host: self.host,
            port: self.port,
            tls: self.tls,
            ca_file: self.ca_file,
            allow_plain: self.allow_plain,
            user: self.user,
            password: self.password,
            password_file: self.password_file,
        })?;
        Ok(Some(Hias {
            broker,
            base: format!("{}/Agents/{}/{}", self.location, self.zone, self.entity),
            name: self.name,
            latitude: self.latitude,
            longitude: self.longitude,
            states: self.states_topic,
            classification: self.classification,
        }))
    }
}

/// What both sections say of a broker.
struct RawBroker {
    host: String,
    port: u16,
    tls: bool,
    ca_file: PathBuf,
    allow_plain: bool,
    user: String,
    password: Secret,
    password_file: PathBuf,
}

/// A section by its name, for messages.
struct Section(&'static str);

impl Section {
    fn broker(&self, raw: RawBroker) -> Result<Broker> {
        let section = self.0;
        let RawBroker { host, port, .. } = raw;
        ensure!(
            !host.contains([' ', '/', '[', '\0']) && host.len() <= 255,
            "{section}.host = {host:?} is impossible; give a name or an address without scheme or port"
        );
        ensure!(
            raw.tls || raw.allow_plain || is_loopback(&host),
            "{section}.tls = false would send the password to {host} for everybody to read; set {section}.tls = \
             true, or {section}.allow_plain = true if nobody else is on that network"
        );
        ensure!(
            !raw.tls || host.parse::<Ipv6Addr>().is_err(),
            "{section}.host = {host:?} is impossible with TLS; give the name in the broker's certificate"
        );
        let trust = match (raw.tls, raw.ca_file) {
            (false, _) => None,
            (true, file) if file.as_os_str().is_empty() => Some(Trust::System),
            (true, file) => Some(Trust::File(file)),
        };
        let password = self.password(raw.password, &raw.password_file)?;
        if raw.user.is_empty() && !password.is_empty() {
            bail!("{section}.user is missing; MQTT knows no password without a user");
        }
        Ok(Broker {
            host,
            port,
            trust,
            login: Some((raw.user, password)).filter(|(user, _)| !user.is_empty()),
        })
    }

    fn password(&self, password: Secret, file: &Path) -> Result<Secret> {
        let section = self.0;
        if password.is_placeholder() {
            bail!(
                "{section}.password = {HIDDEN:?} only stands in its place; write the password there, or name a \
                 file that holds it in {section}.password_file"
            );
        }
        if file.as_os_str().is_empty() {
            return Ok(password);
        }
        ensure!(
            password.is_empty(),
            "{section}.password and {section}.password_file are both set; remove one"
        );
        let text = std::fs::read_to_string(file).with_context(|| {
            format!(
                "{section}.password_file = {} cannot be read; check that it exists and that this user may read it",
                file.display()
            )
        })?;
        let line = text.lines().next().unwrap_or_default();
        ensure!(
            !line.is_empty() && line.len() <= MAX_PASSWORD,
            "{section}.password_file = {}: its first line has {} bytes; write a password of 1 to {MAX_PASSWORD} there",
            file.display(),
            line.len()
        );
        Ok(line.to_owned().into())
    }

    /// One level of a topic.
    fn level(&self, key: &str, value: &str) -> Result<()> {
        ensure!(
            !value.contains('/'),
            "{}.{key} = {value:?} is impossible; it is one level of a topic and has no /",
            self.0
        );
        self.levels(key, value)
    }

    /// Levels of a topic.
    fn levels(&self, key: &str, value: &str) -> Result<()> {
        let section = self.0;
        ensure!(!value.is_empty(), "{section}.{key} is missing; give a name");
        ensure!(
            value.len() <= MAX_NAME,
            "{section}.{key} has {} bytes; use at most {MAX_NAME}",
            value.len()
        );
        ensure!(
            !value.contains(['#', '+']) && !value.chars().any(char::is_control),
            "{section}.{key} = {value:?} is impossible; a topic has no #, no + and no control characters"
        );
        Ok(())
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The machine's name, in the characters that topics may have.
fn machine_name() -> String {
    let name = rustix::system::uname();
    let name: String = name
        .nodename()
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(MAX_NAME)
        .collect();
    if name.is_empty() {
        "appliance".into()
    } else {
        name
    }
}

/// What each key means.
pub(crate) const COMMENTS: &[(&str, &str)] = &[
    (
        "mqtt.",
        "MQTT for everyone: what is told and how, see \"On the network\" in the appliance's guide.",
    ),
    (
        "mqtt.host",
        "The broker's name or address; empty: there is none.",
    ),
    ("mqtt.port", "Its port; 0: 8883 with TLS, 1883 without."),
    (
        "mqtt.tls",
        "Whether the connection is encrypted; only a broker on this machine may do without.",
    ),
    (
        "mqtt.ca_file",
        "Certificates (PEM) of who vouches for the broker; empty: those that the system trusts.",
    ),
    (
        "mqtt.allow_plain",
        "Whether a broker on another machine may do without TLS: everybody on the way can then read and \
         change everything, the password included.",
    ),
    ("mqtt.user", "User; empty: none."),
    (
        "mqtt.password",
        "Its password; it is never shown. Better in a file of its own:",
    ),
    (
        "mqtt.password_file",
        "File whose first line is the password.",
    ),
    (
        "mqtt.device",
        "What this appliance is called in topics: letters, digits, _ and -; empty: the machine's name.",
    ),
    ("mqtt.prefix", "What all topics begin with."),
    (
        "mqtt.commands",
        "Whether commands are listened to; whoever may publish to the broker can then take pictures.",
    ),
    (
        "mqtt.discovery",
        "Whether Home Assistant is told what there is.",
    ),
    (
        "mqtt.discovery_prefix",
        "What Home Assistant's discovery topics begin with.",
    ),
    (
        "hias.",
        "A HIAS network; `smearscope config import-hias credentials.json` fills this in.",
    ),
    (
        "hias.host",
        "The HIAS broker's name or address; empty: no HIAS.",
    ),
    ("hias.port", "The HIAS broker's port."),
    (
        "hias.tls",
        "Whether the connection to HIAS is encrypted; only a broker on this machine may do without.",
    ),
    (
        "hias.ca_file",
        "Certificates (PEM) of who vouches for the HIAS broker; empty: those that the system trusts.",
    ),
    (
        "hias.allow_plain",
        "Whether a HIAS broker on another machine may do without TLS; see mqtt.allow_plain.",
    ),
    (
        "hias.location",
        "The appliance's place in HIAS: location, zone, entity (the agent).",
    ),
    (
        "hias.name",
        "The agent's name, also that of the MQTT client.",
    ),
    ("hias.user", "The agent's user."),
    (
        "hias.password",
        "The agent's password; it is never shown. Better in a file of its own:",
    ),
    (
        "hias.password_file",
        "File whose first line is the agent's password.",
    ),
    (
        "hias.latitude",
        "Where the appliance stands, in degrees north and east; nobody else is asked.",
    ),
    (
        "hias.states_topic",
        "Topic of the states: \"States\" or \"State\"; versions of HIAS differ.",
    ),
    (
        "hias.classification",
        "Whether verdicts are published to the topic Classification as well.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    fn parsed(text: &str) -> Result<(Option<Mqtt>, Option<Hias>)> {
        let config = Raw::parse(text).and_then(Raw::validate)?;
        Ok((config.mqtt, config.hias))
    }

    const HIAS: &str = "[hias]\nhost = \"broker\"\nlocation = \"l\"\nzone = \"z\"\nentity = \"e\"\n\
                        name = \"n\"\nuser = \"u\"\npassword = \"p\"\n";

    #[test]
    fn without_a_host_there_is_no_client() {
        assert_eq!(parsed("").unwrap(), (None, None));
    }

    #[test]
    fn ports_and_topics_follow_from_the_settings() {
        let mqtt = parsed("[mqtt]\nhost = \"broker\"\n").unwrap().0.unwrap();
        assert_eq!(mqtt.broker.port, 8883);
        assert_eq!(mqtt.broker.trust, Some(Trust::System));
        assert!(!mqtt.device.is_empty());
        assert_eq!(mqtt.discovery, None);
        let local = parsed("[mqtt]\nhost = \"::1\"\ntls = false\ndiscovery = true\n").unwrap();
        let local = local.0.unwrap();
        assert_eq!((local.broker.port, local.broker.trust), (1883, None));
        assert_eq!(local.discovery.as_deref(), Some("homeassistant"));
        let hias = parsed(HIAS).unwrap().1.unwrap();
        assert_eq!(hias.base, "l/Agents/z/e");
        assert_eq!(hias.broker.login.unwrap().1.reveal(), "p");
    }

    #[test]
    fn impossible_values_name_the_key_and_a_remedy() {
        for (text, message) in [
            (
                "[mqtt]\nhost = \"192.0.2.1\"\ntls = false",
                "mqtt.allow_plain",
            ),
            ("[mqtt]\nhost = \"mqtts://b\"", "without scheme"),
            ("[mqtt]\nhost = \"b\"\ndevice = \"a/b\"", "mqtt.device"),
            ("[mqtt]\nhost = \"b\"\ndevice = \"ä\"", "mqtt.device"),
            ("[mqtt]\nhost = \"b\"\nprefix = \"a/#\"", "mqtt.prefix"),
            (
                "[mqtt]\nhost = \"b\"\npassword = \"x\"",
                "mqtt.user is missing",
            ),
            (
                "[mqtt]\nhost = \"b\"\nuser = \"u\"\npassword = \"(hidden)\"",
                "only stands in its place",
            ),
            (
                "[mqtt]\nhost = \"b\"\nuser = \"u\"\npassword_file = \"/nowhere\"",
                "mqtt.password_file = /nowhere",
            ),
            (
                "[hias]\nhost = \"b\"\nlocation = \"l\"",
                "hias.zone is missing",
            ),
        ] {
            let error = format!("{:#}", parsed(text).unwrap_err());
            assert!(error.contains(message), "{text}: {error}");
        }
        let error = parsed(&format!("{HIAS}latitude = 91.0\n")).unwrap_err();
        assert!(error.to_string().contains("hias.latitude = 91"), "{error}");
        let error = parsed(&format!("{HIAS}states_topic = \"Stats\"\n")).unwrap_err();
        assert!(format!("{error:#}").contains("Stats"), "{error:#}");
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file_and_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "hunter2\n").unwrap();
        let text = format!(
            "[mqtt]\nhost = \"b\"\nuser = \"u\"\npassword_file = {:?}\n",
            file.path()
        );
        let mqtt = parsed(&text).unwrap().0.unwrap();
        assert!(!format!("{mqtt:?}").contains("hunter2"));
        assert_eq!(mqtt.broker.login.unwrap().1.reveal(), "hunter2");
        std::fs::write(&file, "\n").unwrap();
        assert!(parsed(&text).is_err());
        let raw = Raw::parse(&HIAS.replace("\"p\"", "\"hunter2\"")).unwrap();
        let shown = raw.documented().unwrap();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("password = \"(hidden)\""), "{shown}");
    }
}
