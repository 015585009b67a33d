//! Overrides by environment variables: `SMEARSCOPE__SECTION__KEY=value`.

use std::ffi::OsString;

use anyhow::{Result, anyhow};
use smearscope_hardware::settings::{Section, Settings};
use toml::{Table, Value};

use crate::config::file::Raw;
use crate::config::known::{Known, mistake, section};

const PREFIX: &str = "SMEARSCOPE__";
const SEPARATOR: &str = "__";

impl Known {
    /// The settings, overridden by `environment`. A value that is no TOML is a text.
    ///
    /// # Errors
    /// Names the variable whose value is wrong.
    pub(super) fn overridden(
        mut self,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self> {
        let mut settings: Vec<_> = environment
            .filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX))
            .collect();
        // With several errors, the same one is always reported.
        settings.sort();
        for (name, value) in settings {
            let name = name.to_string_lossy();
            let path = name[PREFIX.len()..].to_lowercase();
            let (section, key) = place(&path);
            let value = value_of(section, &key, &value.to_string_lossy());
            match mistake(section, &key, &value) {
                None => insert(&mut self.table, section, key, value),
                Some(mistake) => {
                    let message = format!("{name} in the environment: {}", mistake.message);
                    if !mistake.is_unknown {
                        return Err(anyhow!(message));
                    }
                    self.unknown.push(message);
                }
            }
        }
        Ok(self)
    }
}

/// The section and the key that a variable names. The key of an unknown section contains its name.
fn place(path: &str) -> (&'static Section, String) {
    match path.split_once(SEPARATOR) {
        Some((name, key)) => match section(name) {
            Some(section) => (section, key.to_owned()),
            None => (Raw::SECTION, name.to_owned()),
        },
        None => (Raw::SECTION, path.to_owned()),
    }
}

/// The value of a variable. A text that looks like TOML is a text if only that is valid.
fn value_of(section: &Section, key: &str, text: &str) -> Value {
    let is_valid = |value: &Value| mistake(section, key, value).is_none();
    let as_text = Value::String(text.to_owned());
    match text.parse() {
        Ok(value) if is_valid(&value) || !is_valid(&as_text) => value,
        _ => as_text,
    }
}

fn insert(table: &mut Table, section: &Section, key: String, value: Value) {
    if section.name.is_empty() {
        table.insert(key, value);
        return;
    }
    let inner = table
        .entry(section.name)
        .or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = inner {
        inner.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BoardKind, Raw};

    fn overridden(file: &str, settings: &[(&str, &str)]) -> Result<Raw> {
        let environment = settings
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        Known::parse(file)?.overridden(environment)?.strict()
    }

    fn read(settings: &[(&str, &str)]) -> Result<Raw> {
        overridden("[model]\nthreads = 3\n", settings)
    }

    #[test]
    fn settings_override_the_file_and_leave_the_rest() {
        let raw = read(&[
            ("SMEARSCOPE__BOARD", "sim"),
            ("SMEARSCOPE__MODEL__FOLDER", "123"),
            ("SMEARSCOPE__MODEL__DEVICES", "[\"MYRIAD\", \"CPU\"]"),
            ("SMEARSCOPE__TIMING__CAPTURE_S", "2.5"),
            ("SMEARSCOPE__TIMING__HOLD_S", "7"),
            ("SMEARSCOPE__CAMERA__DEVICE", "/dev/video2"),
            ("SMEARSCOPE_OPENVINO", "/elsewhere"),
            ("HOME", "/root"),
        ])
        .unwrap();
        assert_eq!(raw.board, BoardKind::Sim);
        assert_eq!(raw.model.folder.to_str(), Some("123"));
        assert_eq!(raw.model.devices, ["MYRIAD", "CPU"]);
        assert_eq!(raw.model.threads, 3);
        assert_eq!((raw.timing.capture_s, raw.timing.hold_s), (2.5, 7.0));
        assert_eq!(raw.camera.device.path().to_str(), Some("/dev/video2"));
        let unchanged = Raw::parse("[model]\nthreads = 3\n").unwrap();
        assert_eq!(read(&[]).unwrap(), unchanged);
    }

    #[test]
    fn passwords_stay_and_can_be_overridden() {
        let raw = overridden(
            "[mqtt]\npassword = \"one\"\n[hias]\npassword = \"two\"\n",
            &[
                ("SMEARSCOPE__BOARD", "sim"),
                ("SMEARSCOPE__HIAS__PASSWORD", "three"),
            ],
        )
        .unwrap();
        assert_eq!(raw.mqtt.password.reveal(), "one");
        assert_eq!(raw.hias.password.reveal(), "three");
    }

    #[test]
    fn unknown_settings_name_the_variable_and_a_suggestion() {
        for (name, value, message) in [
            ("SMEARSCOPE__MODEL__ENGIN", "auto", "did you mean `engine`?"),
            (
                "SMEARSCOPE__MODELL__ENGINE",
                "auto",
                "did you mean `model`?",
            ),
            (
                "SMEARSCOPE__MODEL__ENGINE",
                "fast",
                "model.engine = \"fast\" is not valid: must be \"auto\"",
            ),
            (
                "SMEARSCOPE__MODEL__THREADS",
                "many",
                "must be a whole number without quotes",
            ),
            (
                "SMEARSCOPE__MODEL__THREADS__X",
                "1",
                "`model.threads__x` is not a setting",
            ),
            ("SMEARSCOPE__", "1", "is not a setting"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
            assert!(error.contains(message), "{error}");
        }
    }
}
