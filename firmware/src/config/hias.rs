//! `[hias]`: the broker of a HIAS network, and the appliance's place in it.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use smearscope_hardware::settings::Settings;

use crate::config::broker::{Broker, RawBroker, broker_section, check_topic_level};
use crate::config::secret::Secret;

broker_section! {
    /// A HIAS network. `smearscope config import-hias credentials.json` sets these.
    pub struct RawHias in "hias" {
        {
            /// Name or address of the HIAS broker; empty: no HIAS.
            host: String = String::new();
            /// Port of the HIAS broker.
            port: u16 = 8883, valid(1..=65_535);
        }
        {
            /// HIAS location.
            location: String = String::new();
            /// HIAS zone.
            zone: String = String::new();
            /// HIAS entity: the agent.
            entity: String = String::new();
            /// Name of the agent and of the MQTT client.
            name: String = String::new();
            /// Latitude of the appliance, in degrees north. It is not looked up anywhere.
            latitude: f64 = 0.0, valid(-90.0..=90.0, "degrees");
            /// Longitude of the appliance, in degrees east. It is not looked up anywhere.
            longitude: f64 = 0.0, valid(-180.0..=180.0, "degrees");
            /// Last level of the topic for states, which differs between versions of HIAS.
            states_topic: StatesTopic = StatesTopic::States;
            /// Also publish verdicts to the topic `Classification`.
            classification: bool = false;
            /// End `Message` in the answers of `POST /Inference` with "Research use only, not for diagnosis.", as version
            /// 0.1.0 did. Without it, `Message` is the reference's, word for word, and `Notice` has the notice.
            notice_in_message: bool = false;
        }
    }
}

/// Last level of the topic for states, which differs between versions of HIAS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatesTopic {
    /// As the reference publishes.
    States,
    /// As other versions of HIAS expect.
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

/// Validated `[hias]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Hias {
    /// The HIAS network's broker.
    pub broker: Broker,
    /// First levels of all topics.
    pub base: String,
    /// Name of the agent and of the MQTT client.
    pub name: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Topic of the states.
    pub states: StatesTopic,
    /// Whether verdicts are published to `Classification` as well.
    pub classification: bool,
}

impl RawHias {
    /// Checks every value; `None` if no broker is named.
    pub(crate) fn validate(self) -> Result<Option<Hias>> {
        if self.host.is_empty() {
            return Ok(None);
        }
        self.check_ranges()?;
        check_topic_level("hias.location", &self.location)?;
        check_topic_level("hias.zone", &self.zone)?;
        check_topic_level("hias.entity", &self.entity)?;
        check_topic_level("hias.name", &self.name)?;
        Ok(Some(Hias {
            broker: self.broker(self.port)?,
            base: format!("{}/Agents/{}/{}", self.location, self.zone, self.entity),
            name: self.name,
            latitude: self.latitude,
            longitude: self.longitude,
            states: self.states_topic,
            classification: self.classification,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    fn parsed(text: &str) -> Result<Option<Hias>> {
        Ok(Raw::parse(text).and_then(Raw::validate)?.hias)
    }

    const HIAS: &str = "[hias]\nhost = \"broker\"\nlocation = \"l\"\nzone = \"z\"\nentity = \"e\"\n\
                        name = \"n\"\nuser = \"u\"\npassword = \"hunter2\"\n";

    #[test]
    fn topics_and_login_follow_from_the_settings() {
        assert_eq!(parsed("").unwrap(), None);
        let hias = parsed(HIAS).unwrap().unwrap();
        assert_eq!(hias.base, "l/Agents/z/e");
        assert_eq!(hias.broker.login.unwrap().1.reveal(), "hunter2");
    }

    #[test]
    fn invalid_values_name_the_key() {
        let error = |text: &str| format!("{:#}", parsed(text).unwrap_err());
        let incomplete = error("[hias]\nhost = \"b\"\nlocation = \"l\"");
        assert!(incomplete.contains("hias.zone is missing"), "{incomplete}");
        assert_eq!(
            error(&format!("{HIAS}latitude = 91.0\n")),
            "hias.latitude = 91 is not valid: must be between -90 and 90 (degrees)"
        );
        let topic = error(&format!("{HIAS}states_topic = \"Stats\"\n"));
        assert!(topic.contains("Stats"), "{topic}");
    }

    #[test]
    fn the_password_is_not_shown() {
        let shown = Raw::parse(HIAS).unwrap().documented().unwrap();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("password = \"(hidden)\""), "{shown}");
    }
}
