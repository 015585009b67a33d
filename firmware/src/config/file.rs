//! The configuration file: its settings and sections, and reading it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use smearscope_artifacts::did_you_mean;
use smearscope_hardware::config::{CameraConfig, Display, LinuxLines, OledConfig, PiPins, Wired};
use toml::Table;

use crate::config::board::BoardKind;
use crate::config::env;
use crate::config::hias::RawHias;
use crate::config::http::RawHttp;
use crate::config::limits::RawLimits;
use crate::config::log::RawLog;
use crate::config::model::RawModel;
use crate::config::mqtt::RawMqtt;
use crate::config::sim::RawSim;
use crate::config::storage::RawStorage;
use crate::config::timing::RawTiming;

/// The configuration file that is read if no other is named.
pub const DEFAULT_PATH: &str = "/etc/smearscope/config.toml";
/// Largest configuration file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

smearscope_hardware::settings! {
    /// The parts of the appliance.
    pub struct Raw in "" {
        /// Board; "auto": as "pi", but `selftest` tests "sim" on any other machine; "pi": a Raspberry Pi; "linux": another
        /// board; "sim": a simulated bench.
        board: BoardKind = BoardKind::default();
        /// OLED display; `oled.controller` names its chip.
        display: Display = Display::default();
        /// The three LEDs; "gpio": on the pins in the section of the board.
        leds: Wired = Wired::default();
        /// The push-button; "gpio": on the pin in the section of the board.
        button: Wired = Wired::default();
        /// Program and arguments that switch the machine off after the button was held for 8 s, such as
        /// `["systemctl", "poweroff"]`, which the package permits; empty: only smearscope ends.
        switch_off: Vec<String> = Vec::new();
    }
    with sections {
        model: RawModel;
        log: RawLog;
        timing: RawTiming;
        limits: RawLimits;
        storage: RawStorage;
        http: RawHttp;
        mqtt: RawMqtt;
        hias: RawHias;
        sim: RawSim;
        camera: CameraConfig;
        oled: OledConfig;
        pi: PiPins;
        linux: LinuxLines;
    }
}

/// The configuration file that is read: the one that is named, or the default one if it exists.
pub fn existing_file(named: Option<&Path>) -> Option<PathBuf> {
    let default = Path::new(DEFAULT_PATH);
    named
        .or_else(|| default.exists().then_some(default))
        .map(Path::to_path_buf)
}

impl Raw {
    /// Reads [`existing_file`], overridden by `SMEARSCOPE__SECTION__KEY` in the environment.
    ///
    /// # Errors
    /// Names the file, the line and the key, or the variable, and suggests a correction of misspelled names.
    pub fn read(named: Option<&Path>) -> Result<Self> {
        let table = match existing_file(named) {
            Some(path) => Self::read_file(&path)?,
            None => Table::new(),
        };
        env::override_table(table, std::env::vars_os())
    }

    fn read_file(path: &Path) -> Result<Table> {
        let unreadable = || format!("{} cannot be read", path.display());
        let size = path.metadata().with_context(unreadable)?.len();
        if size > MAX_BYTES {
            bail!(
                "{} has {size} bytes; a configuration has at most {MAX_BYTES}",
                path.display()
            );
        }
        let text = std::fs::read_to_string(path).with_context(unreadable)?;
        // Errors here name the line, which a table does not know.
        Self::parse(&text).with_context(|| path.display().to_string())?;
        text.parse().with_context(|| path.display().to_string())
    }

    /// Parses the text of a configuration.
    ///
    /// # Errors
    /// Names the line and the key, and suggests a correction of misspelled names.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            let hint = did_you_mean(error.message())
                .map(|known| format!("; did you mean `{known}`?"))
                .unwrap_or_default();
            anyhow::anyhow!("line {line}: {}{hint}", error.message())
        })
    }
}

#[cfg(test)]
mod tests {
    use smearscope_hardware::settings::{Section, Settings};

    use super::*;

    #[test]
    fn unknown_keys_name_line_and_suggestion() {
        let error = Raw::parse("board = \"sim\"\n[model]\nengin = \"auto\"\n").unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains("line 3"), "{message}");
        assert!(message.contains("did you mean `engine`?"), "{message}");
    }

    #[test]
    fn unknown_values_are_named() {
        let error = |text: &str| format!("{:#}", Raw::parse(text).unwrap_err());
        assert!(error("board = \"toaster\"").contains("toaster"));
        assert!(error("[camera]\nexposure = \"dark\"").contains("\"auto\" or a whole number"));
        assert!(error("[linux]\nred = 2.5").contains("the name or the number of a line"));
        assert!(error("display = \"256x64\"").contains("128x32"));
    }

    #[test]
    fn json_hides_passwords_and_shows_their_files() {
        let raw =
            Raw::parse("[mqtt]\npassword = \"hunter2\"\npassword_file = \"/etc/p\"\n").unwrap();
        let shown = serde_json::to_value(&raw).unwrap();
        assert_eq!(shown["mqtt"]["password"], "(hidden)");
        assert_eq!(shown["mqtt"]["password_file"], "/etc/p");
        assert_eq!(shown["hias"]["password"], "");
    }

    /// Keys whose name says that their value is secret. The path of a file is not secret.
    fn secret_keys(section: &Section) -> Vec<String> {
        let is_secret = |key: &str| {
            ["password", "secret", "token"].map(|word| key.contains(word)) != [false; 3]
                && !key.ends_with("_file")
        };
        let prefix = match section.name {
            "" => String::new(),
            name => format!("{name}."),
        };
        let keys = section.settings.iter().map(|setting| setting.key);
        let own = keys.filter(|key| is_secret(key));
        own.map(|key| format!("{prefix}{key}"))
            .chain(section.sections.iter().flat_map(|inner| secret_keys(inner)))
            .collect()
    }

    #[test]
    fn every_setting_with_the_name_of_a_secret_is_hidden() {
        let keys = secret_keys(Raw::SECTION);
        assert!(keys.contains(&"mqtt.password".to_owned()), "{keys:?}");
        for key in keys {
            let raw = Raw::parse(&format!("{key} = \"hunter2\"\n")).unwrap();
            let shown = toml::to_string(&raw).unwrap();
            assert!(shown.contains("= \"(hidden)\""), "{key}: {shown}");
            let shown = format!("{shown} {} {raw:?}", raw.documented().unwrap());
            assert!(!shown.contains("hunter2"), "{key}: {shown}");
        }
    }

    #[test]
    fn a_file_is_read_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let missing = Raw::read(Some(&path)).unwrap_err();
        assert!(format!("{missing:#}").contains("config.toml cannot be read"));
        std::fs::write(&path, "[camera]\ndevice = 2\n").unwrap();
        let raw = Raw::read(Some(&path)).unwrap();
        assert_eq!(raw.camera.device.path(), Path::new("/dev/video2"));
        std::fs::write(&path, " ".repeat(2 << 20)).unwrap();
        let large = Raw::read(Some(&path)).unwrap_err();
        assert!(format!("{large:#}").contains("at most 1048576"));
    }
}
