//! The discovery message for Home Assistant (2024.11 or later), which adds the appliance without further set-up, and the
//! one that removes it.

use serde_json::{Value, json};
use smearscope_artifacts::Verdict;

use crate::config::mqtt::Mqtt;
use crate::mqtt::connection::Message;
use crate::mqtt::payload;
use crate::report::state::StateName;

/// The discovery message: topics with the appliance's values, and buttons for its commands. Home Assistant's page of the
/// device has a link to `page`.
pub(crate) fn message(settings: &Mqtt, page: Option<&str>) -> Message {
    Message::retained(topic(settings), payload::json(&config(settings, page)))
}

/// The empty message that removes the appliance from Home Assistant, and the discovery message from the broker.
pub(crate) fn removal(settings: &Mqtt) -> Message {
    Message::retained(topic(settings), "")
}

fn topic(settings: &Mqtt) -> String {
    format!(
        "{}/device/{}/config",
        settings.discovery_prefix,
        name(settings)
    )
}

fn name(settings: &Mqtt) -> String {
    format!("smearscope_{}", settings.device)
}

fn config(settings: &Mqtt, page: Option<&str>) -> Value {
    let name = name(settings);
    let base = format!("{}/{}", settings.prefix, settings.device);
    let sensor = |id: &str, label: &str, topic: &str, value: &str, icon: &str| {
        json!({
            "p": "sensor",
            "unique_id": format!("{name}_{id}"),
            "name": label,
            "state_topic": format!("{base}/{topic}"),
            "value_template": format!("{{{{ value_json.{value} }}}}"),
            "json_attributes_topic": format!("{base}/{topic}"),
            "icon": icon,
        })
    };
    let mut temperature = sensor(
        "temperature",
        "Temperature",
        "health",
        "temperature_c",
        "mdi:thermometer",
    );
    temperature["device_class"] = "temperature".into();
    temperature["unit_of_measurement"] = "°C".into();
    temperature["state_class"] = "measurement".into();
    let diagnostic = |mut sensor: Value| {
        sensor["entity_category"] = "diagnostic".into();
        sensor
    };
    let temperature = diagnostic(temperature);
    let one_of = |mut sensor: Value, options: Value| {
        sensor["device_class"] = "enum".into();
        sensor["options"] = options;
        sensor
    };
    let verdicts = || json!(Verdict::ALL);
    let mut components = json!({
        "state": one_of(
            sensor("state", "State", "state", "state", "mdi:microscope"),
            json!(StateName::ALL),
        ),
        "verdict": one_of(
            sensor("verdict", "Verdict", "last_verdict", "verdict", "mdi:eye"),
            verdicts(),
        ),
        "slide": one_of(
            sensor("slide", "Slide verdict", "slide", "verdict", "mdi:layers"),
            verdicts(),
        ),
        "temperature": temperature,
        "warnings": diagnostic(sensor(
            "warnings",
            "Warnings",
            "state",
            "warnings | length",
            "mdi:alert",
        )),
    });
    for (id, label, icon) in [
        ("capture", "Capture", "mdi:camera"),
        ("next_slide", "Next slide", "mdi:skip-next"),
    ] {
        // A component with nothing but its platform removes what an earlier message announced.
        components[id] = json!({ "p": "button" });
        if settings.commands {
            components[id] = json!({
                "p": "button",
                "unique_id": format!("{name}_{id}"),
                "name": label,
                "command_topic": format!("{base}/command"),
                "payload_press": id,
                // A new id for each press, so that a repeated delivery is executed once.
                "command_template": "{\"id\": \"ha-{{ now().timestamp() }}\", \"command\": \"{{ value }}\"}",
                "icon": icon,
            });
        }
    }
    let mut device = json!({
        "ids": name,
        "name": format!("smearscope {}", settings.device),
        "mf": "smearscope",
        "mdl": "smearscope (research use only)",
        "sw": env!("CARGO_PKG_VERSION"),
    });
    if let Some(page) = page {
        device["cu"] = page.into();
    }
    json!({
        "dev": device,
        "o": { "name": "smearscope", "sw": env!("CARGO_PKG_VERSION") },
        "availability_topic": format!("{base}/availability"),
        "cmps": components,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    fn discovery_config(more: &str) -> Value {
        let text = format!("[mqtt]\nhost = \"b\"\ndevice = \"box\"\ndiscovery = true\n{more}");
        let mqtt = Raw::parse(&text).and_then(Raw::validate).unwrap().mqtt;
        let message = message(&mqtt.unwrap(), None);
        assert_eq!(message.topic, "homeassistant/device/smearscope_box/config");
        assert!(message.retain);
        serde_json::from_slice(&message.payload).unwrap()
    }

    #[test]
    fn the_configuration_names_every_topic_and_button() {
        let config = discovery_config("");
        assert_eq!(config["availability_topic"], "smearscope/box/availability");
        let components = &config["cmps"];
        let topic = |id: &str| components[id]["state_topic"].as_str().unwrap();
        assert_eq!(topic("state"), "smearscope/box/state");
        assert_eq!(topic("verdict"), "smearscope/box/last_verdict");
        assert_eq!(topic("slide"), "smearscope/box/slide");
        assert_eq!(
            components["verdict"]["value_template"],
            "{{ value_json.verdict }}"
        );
        assert_eq!(components["temperature"]["unit_of_measurement"], "°C");
        assert_eq!(topic("warnings"), "smearscope/box/state");
        assert_eq!(
            components["warnings"]["value_template"],
            "{{ value_json.warnings | length }}"
        );
        assert_eq!(
            components["capture"]["command_topic"],
            "smearscope/box/command"
        );
        // The template of a press gives a valid command.
        let template = components["capture"]["command_template"].as_str().unwrap();
        let sent = template
            .replace("{{ now().timestamp() }}", "1.5")
            .replace("{{ value }}", "capture");
        let command = crate::mqtt::command::Command::parse(sent.as_bytes()).unwrap();
        assert_eq!(command.id, "ha-1.5");
    }

    #[test]
    fn the_device_names_the_web_page_if_others_can_open_it() {
        let mqtt = Raw::parse("[mqtt]\nhost = \"b\"\n").and_then(Raw::validate);
        let mqtt = mqtt.unwrap().mqtt.unwrap();
        let device = |page| config(&mqtt, page)["dev"].clone();
        assert_eq!(
            device(Some("https://192.0.2.7:8080"))["cu"],
            "https://192.0.2.7:8080"
        );
        assert_eq!(device(None).get("cu"), None);
    }

    #[test]
    fn without_commands_the_buttons_are_removed() {
        let config = discovery_config("commands = false\n");
        for id in ["capture", "next_slide"] {
            assert_eq!(config["cmps"][id], json!({ "p": "button" }));
        }
    }

    #[test]
    fn sensors_with_known_values_list_them() {
        let components = &discovery_config("")["cmps"];
        let verdicts = json!(["Positive", "Negative", "Inconclusive"]);
        for (id, options) in [("verdict", &verdicts), ("slide", &verdicts)] {
            assert_eq!(components[id]["device_class"], "enum");
            assert_eq!(&components[id]["options"], options);
        }
        let states = components["state"]["options"].as_array().unwrap();
        for state in ["ready", "selftest", "slide_closed", "off"] {
            assert!(states.contains(&state.into()), "{states:?}");
        }
    }
}
