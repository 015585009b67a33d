//! Reads the configuration from its file and the environment.

use std::path::Path;

use anyhow::Result;

use crate::config::file::{Raw, existing_file};
use crate::config::known::Known;

impl Raw {
    /// Reads [`existing_file`], overridden by `SMEARSCOPE__SECTION__KEY` in the environment.
    ///
    /// # Errors
    /// Names the file, the line and the key, or the variable, and suggests a correction of misspelled names.
    pub fn read(named: Option<&Path>) -> Result<Self> {
        let known = match existing_file(named) {
            Some(path) => Known::read(&path)?.0,
            None => Known::default(),
        };
        known.overridden(std::env::vars_os())?.strict()
    }

    /// The defaults, overridden by those variables of the environment that are valid.
    pub(crate) fn from_environment() -> Self {
        let known = Known::default().overridden(std::env::vars_os());
        known.and_then(Known::raw).unwrap_or_default()
    }

    /// Parses the text of a configuration.
    ///
    /// # Errors
    /// Names the line and the key, and suggests a correction of misspelled names.
    pub fn parse(text: &str) -> Result<Self> {
        Known::parse(text)?.strict()
    }
}

#[cfg(test)]
mod tests {
    use smearscope_hardware::settings::{Section, Settings};

    use super::*;
    use crate::config::secret::is_secret_key;

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

    /// Keys whose name says that their value is secret.
    fn secret_keys(section: &Section) -> Vec<String> {
        let prefix = match section.name {
            "" => String::new(),
            name => format!("{name}."),
        };
        let keys = section.settings.iter().map(|setting| setting.key);
        let own = keys.filter(|key| is_secret_key(key));
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
        assert!(format!("{large:#}").contains("larger than the 1048576 bytes allowed"));
    }
}
