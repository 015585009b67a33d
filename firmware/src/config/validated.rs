//! The validated configuration.

use std::path::{Path, PathBuf};

use anyhow::Result;
use log::LevelFilter;
use smearscope_artifacts::decode::Limits;
use smearscope_artifacts::{EngineConfig, PublicKey};
use smearscope_hardware::config::{Equipment, LinuxLines, PiPins, Wired};
use smearscope_hardware::settings::Settings;

use crate::config::board::BoardKind;
use crate::config::file::Raw;
use crate::config::hias::Hias;
use crate::config::http::HttpSettings;
use crate::config::mqtt::Mqtt;
use crate::config::sim::RawSim;
use crate::config::storage::StorageConfig;
use crate::config::switch_off;
use crate::config::timing::Timing;

/// The configuration as the appliance uses it: every value is valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The configuration as it was written, to show it.
    pub raw: Raw,
    /// Which hardware the bench has.
    pub board: BoardKind,
    /// Folder of the model; `None`: the installed or shipped one.
    pub model: Option<PathBuf>,
    /// Key that must have signed models; `None`: signatures are not checked.
    pub public_key: Option<PublicKey>,
    /// How to start an engine.
    pub engine: EngineConfig,
    /// Program and arguments that switch the machine off; empty: only the program ends.
    pub switch_off: Vec<String>,
    /// Least severe messages to log.
    pub log: LevelFilter,
    /// Time limits and intervals.
    pub timing: Timing,
    /// The largest images that are accepted.
    pub limits: Limits,
    /// Where and how long records are stored; `None`: they are not.
    pub storage: Option<StorageConfig>,
    /// The HTTP API; `None`: no server.
    pub http: Option<HttpSettings>,
    /// The MQTT broker; `None`: no MQTT.
    pub mqtt: Option<Mqtt>,
    /// The HIAS network; `None`: no HIAS.
    pub hias: Option<Hias>,
    /// Whether the message in an answer over HTTP for HIAS ends with a notice.
    pub notice_in_message: bool,
    /// The simulated bench.
    pub sim: RawSim,
    /// The parts of a real bench and their settings.
    pub equipment: Equipment,
    /// Wiring of a Raspberry Pi.
    pub pi: PiPins,
    /// Wiring of another board.
    pub linux: LinuxLines,
}

impl Config {
    /// Folder for everything that outlasts a restart; `None`: nothing is stored.
    pub fn state(&self) -> Option<&Path> {
        self.storage.as_ref().map(|storage| &*storage.state)
    }

    /// Checks what depends on the machine and may be mended without a change of the configuration, so that it does not
    /// prevent a start.
    ///
    /// # Errors
    /// Names the key, the value and what is valid.
    pub fn check_machine(&self) -> Result<()> {
        switch_off::check(&self.switch_off, std::env::var_os("PATH"))
    }

    /// What is valid and dangerous.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(http) = &self.http
            && http.tls.is_none()
            && !http.listen.ip().is_loopback()
        {
            warnings.push(format!(
                "http.tls = \"off\" with http.listen = \"{}\": tokens, images and verdicts cross the network unencrypted; \
                 set http.tls = \"auto\", or listen on 127.0.0.1 behind a proxy that adds TLS",
                http.listen
            ));
        }
        warnings
    }
}

impl Raw {
    /// Checks every value.
    ///
    /// # Errors
    /// Names the key, the value and what is valid.
    pub fn validate(self) -> Result<Config> {
        let raw = self.clone();
        self.check_ranges()?;
        self.oled.validate()?;
        self.camera.validate()?;
        self.rpicam.validate()?;
        if self.board != BoardKind::Sim {
            self.camera.check_scale()?;
        }
        self.pi.validate()?;
        self.linux.validate()?;
        let model = self.model.validate()?;
        let storage = self.storage.validate()?;
        Ok(Config {
            raw,
            board: self.board,
            model: model.folder,
            public_key: model.public_key,
            engine: model.engine,
            switch_off: self.switch_off,
            log: self.log.level.into(),
            timing: self.timing.validate(self.button == Wired::Gpio)?,
            limits: self.limits.validate()?,
            http: self.http.validate(storage.is_some())?,
            storage,
            mqtt: self.mqtt.validate()?,
            notice_in_message: self.hias.notice_in_message,
            hias: self.hias.validate()?,
            sim: self.sim,
            equipment: Equipment {
                display: self.display,
                leds: self.leds,
                button: self.button,
                oled: self.oled,
                camera: self.camera,
                rpicam: self.rpicam,
            },
            pi: self.pi,
            linux: self.linux,
        })
    }
}

#[cfg(test)]
mod tests {
    use smearscope_hardware::settings::Rule;
    use toml::{Table, Value};

    use super::*;
    use crate::config::storage::Retention;

    fn error(text: &str) -> String {
        let result = Raw::parse(text).and_then(Raw::validate);
        format!("{:#}", result.unwrap_err())
    }

    #[test]
    fn defaults_are_valid() {
        let config = Raw::parse("").unwrap().validate().unwrap();
        assert_eq!(
            config.limits,
            Limits {
                max_bytes: 32 << 20,
                max_pixels: 32_000_000,
            }
        );
        assert_eq!(config.engine.devices, ["CPU"]);
        assert_eq!(config.engine.threads, None);
        assert_eq!(config.storage, None);
    }

    /// A configuration that validates all sections, with one number changed.
    fn with_number(section: &str, key: &str, number: f64) -> Result<Config> {
        let mut table: Table =
            "board = \"sim\"\n[hias]\nhost = \"b\"\nlocation = \"l\"\nzone = \"z\"\nentity = \"e\"\nname = \"n\"\n"
                .parse()
                .unwrap();
        let defaults = Table::try_from(Raw::default()).unwrap();
        let value = match defaults[section][key] {
            Value::Float(_) => Value::Float(number),
            _ => Value::Integer(number as i64),
        };
        let entry = table
            .entry(section)
            .or_insert_with(|| Value::Table(Table::new()));
        entry.as_table_mut().unwrap().insert(key.into(), value);
        Raw::parse(&table.to_string()).and_then(Raw::validate)
    }

    #[test]
    fn every_rule_is_enforced() {
        let mut count = 0;
        for section in Raw::SECTION.sections {
            for setting in section.settings {
                let Some(rule) = setting.rule else { continue };
                count += 1;
                let (valid, invalid) = match rule {
                    Rule::Range { min, max, .. } => (max, [min - 0.5, max + 1.0]),
                    Rule::OneOf(values) => (values[0], [1.0, 7.0]),
                };
                let place = format!("{}.{}", section.name, setting.key);
                // A pin may not be used twice, the reserve is below the warning, and of two gains none is set alone.
                let is_free = section.name != "pi"
                    && !["reserve_mib", "red_gain", "blue_gain"].contains(&setting.key);
                if is_free {
                    with_number(section.name, setting.key, valid).expect(&place);
                }
                for number in invalid {
                    let truncated = number as i64;
                    // Below 0 or above the largest value of the type, serde is the judge.
                    if rule.check(&place, truncated as f64).is_ok() && number.fract().abs() > 0.0 {
                        continue;
                    }
                    let error = with_number(section.name, setting.key, number).unwrap_err();
                    let message = format!("{error:#}");
                    let is_named = message.contains(&place) || message.contains("invalid value");
                    assert!(is_named, "{place} = {number}: {message}");
                }
            }
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn invalid_values_name_the_key_and_what_is_valid() {
        assert_eq!(
            error("[timing]\ncapture_s = 0"),
            "timing.capture_s = 0 is not valid: must be between 0.1 and 600 (seconds)"
        );
        for (text, key) in [
            ("[timing]\nhold_s = nan", "timing.hold_s = NaN"),
            ("[limits]\nmegapixels = 100000", "limits.megapixels"),
            ("[storage]\nkeep_days = 40000", "storage.keep_days"),
            (
                "[storage]\nmin_free_mib = 100",
                "storage.min_free_mib = 100 is not valid: must be at least storage.reserve_mib",
            ),
            (
                "[storage]\nidentity = \"the blue stick\"",
                "storage.identity = the blue stick is not valid",
            ),
            ("[model]\ndevices = [\"\"]", "model.devices"),
        ] {
            let message = error(text);
            assert!(message.contains(key), "{text}: {message}");
        }
    }

    #[test]
    fn parts_are_checked() {
        assert!(error("[pi]\nred_pin = 17").contains("pi.button_pin"));
        assert!(error("[pi]\nred_pin = 28").contains("pi.red_pin = 28"));
        assert!(error("[oled]\naddress = 3").contains("oled.address = 3"));
        let endless = "button = \"none\"\n[timing]\ninterval_s = 60";
        assert!(error(endless).contains("timing.slide_fields"));
    }

    #[test]
    fn a_server_for_other_machines_without_tls_is_warned_about() {
        let warnings = |listen: &str| {
            let text = format!(
                "[storage]\nstate = \"/state\"\n[http]\nlisten = \"{listen}\"\ntls = \"off\"\n"
            );
            Raw::parse(&text).unwrap().validate().unwrap().warnings()
        };
        assert_eq!(warnings("127.0.0.1:80"), Vec::<String>::new());
        assert!(warnings("0.0.0.0:80")[0].starts_with("http.tls = \"off\" with http.listen"));
    }

    #[test]
    fn records_are_stored_as_configured() {
        let config = Raw::parse("[storage]\nstate = \"/state\"\nkeep_days = 30\n")
            .and_then(Raw::validate)
            .unwrap();
        let expected = StorageConfig {
            state: "/state".into(),
            identity: None,
            volatile: false,
            retention: Retention {
                keep_days: Some(30),
                may_remove_unexported: false,
            },
            min_free: 1 << 30,
            reserve: 128 << 20,
        };
        assert_eq!(config.storage, Some(expected));
    }

    #[test]
    fn a_headless_bench_and_another_board_are_configured() {
        let config = Raw::parse(
            "board = \"linux\"\ndisplay = \"none\"\nleds = \"none\"\n\
             [camera]\nexposure = 156\n[linux]\nchip = \"pinctrl\"\nbutton = 5\n",
        )
        .and_then(Raw::validate)
        .unwrap();
        assert_eq!(config.equipment.display.size(), None);
        assert_eq!(config.equipment.leds, Wired::None);
        assert_eq!(config.equipment.button, Wired::Gpio);
        assert_eq!(config.linux.button.to_string(), "5");
    }
}
