//! Settings from the environment: `SMEARSCOPE__SECTION__KEY=value` stands above the file's.

use std::ffi::OsString;

use anyhow::{Context, Result};
use serde::Deserialize;
use smearscope_artifacts::did_you_mean;
use toml::{Table, Value};

use crate::config::Raw;

const PREFIX: &str = "SMEARSCOPE__";
const SEPARATOR: &str = "__";

/// Applies the settings of `environment` to a configuration. A value is TOML, or else a plain text.
///
/// # Errors
/// Names the variable, and what may have been meant.
pub(crate) fn apply(
    raw: Raw,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Raw> {
    let mut settings: Vec<_> = environment
        .filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX))
        .collect();
    if settings.is_empty() {
        return Ok(raw);
    }
    // Of two that are wrong, always the same one is named.
    settings.sort();
    let mut table = Table::try_from(&raw).context("the configuration cannot be written")?;
    let mut overridden = raw.clone();
    for (name, value) in settings {
        let name = name.to_string_lossy();
        let value = value.to_string_lossy();
        let path = name[PREFIX.len()..].to_lowercase();
        // A text that happens to look like TOML is meant where only a text is possible.
        let readings = value.parse().ok().into_iter();
        let readings = readings.chain([Value::String(value.to_string())]);
        let mut result = None;
        for reading in readings {
            let tried = with(&table, &path, reading)
                .and_then(|changed| Ok((Raw::deserialize(changed.clone())?, changed)));
            let is_right = tried.is_ok();
            result = result.filter(|_| !is_right).or(Some(tried));
            if is_right {
                break;
            }
        }
        if let Some(result) = result {
            (overridden, table) = result.map_err(|error: toml::de::Error| {
                let hint = did_you_mean(error.message())
                    .map(|known| format!("; did you mean `{known}`?"))
                    .unwrap_or_default();
                anyhow::anyhow!("{name} in the environment: {}{hint}", error.message())
            })?;
        }
    }
    Ok(overridden.with_secrets_of(&raw))
}

/// The table with a value at a path of keys.
fn with(table: &Table, path: &str, value: Value) -> Result<Table, toml::de::Error> {
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
            .ok_or_else(|| serde::de::Error::custom(format!("`{key}` is no section")))?;
    }
    inner.insert(last.into(), value);
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BoardKind;

    fn read(settings: &[(&str, &str)]) -> Result<Raw> {
        let raw = Raw::parse("[model]\nthreads = 3\n")?;
        let environment = settings
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        apply(raw, environment)
    }

    #[test]
    fn settings_stand_above_the_file_and_leave_the_rest() {
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
    fn passwords_stay_and_may_be_set() {
        let raw = Raw::parse("[mqtt]\npassword = \"one\"\n[hias]\npassword = \"two\"\n").unwrap();
        let environment = [
            ("SMEARSCOPE__BOARD", "sim"),
            ("SMEARSCOPE__HIAS__PASSWORD", "three"),
        ];
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let raw = apply(raw, environment.into_iter()).unwrap();
        assert_eq!(raw.mqtt.password.reveal(), "one");
        assert_eq!(raw.hias.password.reveal(), "three");
    }

    #[test]
    fn what_is_no_setting_names_the_variable_and_what_may_be_meant() {
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
            ("SMEARSCOPE__BOARD__PIN", "1", "`board` is no section"),
            ("SMEARSCOPE__", "1", "unknown field"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
            assert!(error.contains(message), "{error}");
        }
    }
}
