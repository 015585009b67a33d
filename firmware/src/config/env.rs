//! Overrides by environment variables: `SMEARSCOPE__SECTION__KEY=value`.

use std::ffi::OsString;

use anyhow::{Result, anyhow};
use serde::de::DeserializeOwned;
use smearscope_artifacts::did_you_mean;
use toml::{Table, Value};

const PREFIX: &str = "SMEARSCOPE__";
const SEPARATOR: &str = "__";

/// Reads a `T` from a table whose values are overridden by `environment`. A value that is no TOML is a text.
///
/// # Errors
/// Names the variable, and suggests a correction of misspelled names.
pub(crate) fn override_table<T: DeserializeOwned>(
    mut table: Table,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<T> {
    let mut settings: Vec<_> = environment
        .filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX))
        .collect();
    // With several errors, the same one is always reported.
    settings.sort();
    for (name, value) in settings {
        let name = name.to_string_lossy();
        let path = name[PREFIX.len()..].to_lowercase();
        table = with::<T>(&table, &path, &value.to_string_lossy()).map_err(|error| {
            let hint = did_you_mean(error.message())
                .map(|known| format!("; did you mean `{known}`?"))
                .unwrap_or_default();
            anyhow!("{name} in the environment: {}{hint}", error.message())
        })?;
    }
    Ok(table.try_into()?)
}

/// The table with a value at a path, from which a `T` can be read. A text that looks like TOML is a text if only
/// that is valid.
fn with<T: DeserializeOwned>(
    table: &Table,
    path: &str,
    value: &str,
) -> Result<Table, toml::de::Error> {
    let read = |value: Value| {
        let changed = insert(table, path, value)?;
        T::deserialize(changed.clone())?;
        Ok(changed)
    };
    let text = || read(Value::String(value.to_owned()));
    match value.parse().ok().map(read) {
        Some(Ok(changed)) => Ok(changed),
        Some(Err(error)) => text().map_err(|_| error),
        None => text(),
    }
}

/// The table with a value at a path of keys.
fn insert(table: &Table, path: &str, value: Value) -> Result<Table, toml::de::Error> {
    let mut changed = table.clone();
    let mut keys: Vec<_> = path.split(SEPARATOR).collect();
    let last = keys.pop().unwrap_or_default();
    let mut inner = &mut changed;
    for key in keys {
        let entry = inner
            .entry(key)
            .or_insert_with(|| Value::Table(Table::new()));
        inner = entry
            .as_table_mut()
            .ok_or_else(|| serde::de::Error::custom(format!("`{key}` is not a section")))?;
    }
    inner.insert(last.into(), value);
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BoardKind, Raw};

    fn overridden(file: &str, settings: &[(&str, &str)]) -> Result<Raw> {
        let environment = settings
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        override_table(file.parse()?, environment)
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
                "unknown variant `fast`",
            ),
            ("SMEARSCOPE__MODEL__THREADS", "many", "invalid type"),
            (
                "SMEARSCOPE__MODEL__THREADS__X",
                "1",
                "`threads` is not a section",
            ),
            ("SMEARSCOPE__", "1", "unknown field"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
            assert!(error.contains(message), "{error}");
        }
    }
}
