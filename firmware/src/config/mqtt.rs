//! `[mqtt]`: a broker, and what is published there.

use std::path::PathBuf;

use anyhow::Result;
use smearscope_hardware::settings::InvalidValue;

use crate::config::broker::{
    Broker, MAX_NAME, RawBroker, broker_section, check_topic, check_topic_level,
};
use crate::config::secret::Secret;

broker_section! {
    /// MQTT; the messages are described in the section "MQTT" of the appliance's README.
    pub struct RawMqtt in "mqtt" {
        {
            /// Name or address of the broker; empty: no MQTT.
            host: String = String::new();
            /// Port of the broker; 0: 8883 with TLS, 1883 without.
            port: u16 = 0;
        }
        {
            /// Name of this appliance in topics: letters, digits, _ and -; empty: the name of the machine.
            device: String = String::new();
            /// First levels of all topics.
            prefix: String = "smearscope".into();
            /// Accept commands. Everyone who may publish to the broker can then capture images.
            commands: bool = true;
            /// Publish with each verdict the cells of its field: up to 150 KB.
            cells: bool = false;
            /// Announce the appliance to Home Assistant.
            discovery: bool = false;
            /// First levels of Home Assistant's discovery topics.
            discovery_prefix: String = "homeassistant".into();
        }
    }
}

/// Validated `[mqtt]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mqtt {
    /// Where verdicts are published and commands come from.
    pub broker: Broker,
    /// Name of this appliance in topics.
    pub device: String,
    /// First levels of all topics.
    pub prefix: String,
    /// Whether commands are accepted.
    pub commands: bool,
    /// Whether verdicts are published with the cells of their fields.
    pub cells: bool,
    /// Whether the appliance is announced to Home Assistant.
    pub discovery: bool,
    /// First levels of Home Assistant's discovery topics.
    pub discovery_prefix: String,
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

impl RawMqtt {
    /// Checks every value; `None` if no broker is named.
    pub(crate) fn validate(self) -> Result<Option<Mqtt>> {
        if self.host.is_empty() {
            return Ok(None);
        }
        let port = match (self.port, self.tls) {
            (0, true) => 8883,
            (0, false) => 1883,
            (port, _) => port,
        };
        let broker = self.broker(port)?;
        let device = match self.device {
            device if device.is_empty() => machine_name(),
            device => device,
        };
        check_topic_level("mqtt.device", &device)?;
        // Home Assistant accepts no other characters in its topics.
        if !device
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        {
            let requirement = "must consist of letters, digits, _ and -";
            return Err(
                InvalidValue::new("mqtt.device", format!("{device:?}"), requirement).into(),
            );
        }
        let prefix = levels("mqtt.prefix", &self.prefix)?;
        let discovery_prefix = levels("mqtt.discovery_prefix", &self.discovery_prefix)?;
        Ok(Some(Mqtt {
            broker,
            device,
            prefix,
            commands: self.commands,
            cells: self.cells,
            discovery: self.discovery,
            discovery_prefix,
        }))
    }
}

/// The first levels of topics. A slash at either end is left out: it would make an empty level.
fn levels(key: &str, value: &str) -> Result<String> {
    let levels = value.trim_matches('/');
    check_topic(key, levels)?;
    Ok(levels.to_owned())
}

/// Name of the machine, in the characters that topics may have.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;
    use crate::config::broker::Trust;

    fn parsed(text: &str) -> Result<Option<Mqtt>> {
        Ok(Raw::parse(text).and_then(Raw::validate)?.mqtt)
    }

    #[test]
    fn without_a_host_there_is_no_client() {
        assert_eq!(parsed("").unwrap(), None);
    }

    #[test]
    fn ports_and_topics_follow_from_the_settings() {
        let mqtt = parsed("[mqtt]\nhost = \"broker\"\n").unwrap().unwrap();
        assert_eq!(mqtt.broker.port, 8883);
        assert_eq!(mqtt.broker.trust, Some(Trust::System));
        assert!(!mqtt.device.is_empty());
        assert!(!mqtt.discovery);
        let local = parsed("[mqtt]\nhost = \"::1\"\ntls = false\ndiscovery = true\n").unwrap();
        let local = local.unwrap();
        assert_eq!((local.broker.port, local.broker.trust), (1883, None));
        assert!(local.discovery);
        assert_eq!(local.discovery_prefix, "homeassistant");
    }

    #[test]
    fn slashes_at_the_ends_of_a_prefix_are_left_out() {
        let text = "[mqtt]\nhost = \"b\"\nprefix = \"/lab/x/\"\ndiscovery = true\n\
                    discovery_prefix = \"homeassistant/\"\n";
        let mqtt = parsed(text).unwrap().unwrap();
        assert_eq!(mqtt.prefix, "lab/x");
        assert_eq!(mqtt.discovery_prefix, "homeassistant");
    }

    #[test]
    fn invalid_values_name_the_key_and_a_remedy() {
        for (text, message) in [
            (
                "[mqtt]\nhost = \"192.0.2.1\"\ntls = false",
                "mqtt.allow_plain",
            ),
            (
                "[mqtt]\nhost = \"mqtts://b\"",
                "mqtt.host = \"mqtts://b\" is not valid: must be a name or an address without scheme",
            ),
            ("[mqtt]\nhost = \"b\"\ndevice = \"a/b\"", "mqtt.device"),
            ("[mqtt]\nhost = \"b\"\ndevice = \"ä\"", "mqtt.device"),
            ("[mqtt]\nhost = \"b\"\nprefix = \"a/#\"", "mqtt.prefix"),
            (
                "[mqtt]\nhost = \"b\"\nprefix = \"/\"",
                "mqtt.prefix is missing",
            ),
            (
                "[mqtt]\nhost = \"b\"\ndiscovery_prefix = \"a//b\"",
                "mqtt.discovery_prefix = \"a//b\" is not valid: must not have an empty level",
            ),
            (
                "[mqtt]\nhost = \"b\"\npassword = \"x\"",
                "mqtt.user is missing",
            ),
            (
                "[mqtt]\nhost = \"b\"\nuser = \"u\"\npassword = \"(hidden)\"",
                "mqtt.password = \"(hidden)\" is a placeholder",
            ),
            (
                "[mqtt]\nhost = \"b\"\nuser = \"u\"\npassword_file = \"/nowhere\"",
                "mqtt.password_file = /nowhere",
            ),
        ] {
            let error = format!("{:#}", parsed(text).unwrap_err());
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file_and_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "hunter2\n").unwrap();
        let text = format!(
            "[mqtt]\nhost = \"b\"\nuser = \"u\"\npassword_file = {:?}\n",
            file.path()
        );
        let mqtt = parsed(&text).unwrap().unwrap();
        assert!(!format!("{mqtt:?}").contains("hunter2"));
        assert_eq!(mqtt.broker.login.unwrap().1.reveal(), "hunter2");
        // As Notepad saves it.
        std::fs::write(&file, "\u{feff}hunter3\r\n").unwrap();
        let login = parsed(&text).unwrap().unwrap().broker.login;
        assert_eq!(login.unwrap().1.reveal(), "hunter3");
        std::fs::write(&file, "\n").unwrap();
        assert!(parsed(&text).is_err());
    }
}
