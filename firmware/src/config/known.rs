//! The settings of a file and of the environment, compared with the declared ones: unknown names, and values of the wrong
//! type, each in words that need no knowledge of TOML's terms.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use smearscope_artifacts::{most_similar, read_text};
use smearscope_hardware::settings::{InvalidValue, Section, Settings};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::config::file::Raw;
use crate::config::secret::{Secret, is_secret_key};

/// Largest configuration file, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// The settings that this version knows, and a message for each that it does not.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The known settings; each can be read.
    pub(super) table: Table,
    /// Names the place of each unknown setting or section, and suggests a correction.
    pub(super) unknown: Vec<String>,
}

impl Known {
    /// Reads a file. Returns its text, too.
    pub(super) fn read(path: &Path) -> Result<(Self, String)> {
        let text = read_text(path, MAX_BYTES)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let named = || path.display().to_string();
        let mut known = Self::parse(&text).with_context(named)?;
        for message in &mut known.unknown {
            *message = format!("{}: {message}", path.display());
        }
        Ok((known, text))
    }

    /// The settings of a text, known and valid or not; none if it is not TOML.
    pub(super) fn unchecked(text: &str) -> Self {
        Self {
            table: text.parse().unwrap_or_default(),
            unknown: Vec::new(),
        }
    }

    /// Parses the text of a configuration.
    ///
    /// # Errors
    /// Names the line, and the key or the syntax that is wrong.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let line = |offset: usize| {
            let before = text.get(..offset).unwrap_or_default();
            before.matches('\n').count() + 1
        };
        let syntax = |error: toml::de::Error| {
            let line = line(error.span().map_or(0, |span| span.start));
            anyhow!("line {line}: {}", error.message())
        };
        let spans = DeTable::parse(text).map_err(syntax)?.into_inner();
        let mut known = Self {
            table: text.parse().map_err(syntax)?,
            unknown: Vec::new(),
        };
        let mut mistakes: Vec<_> = mistakes(&known.table)
            .into_iter()
            .map(|mistake| (line(offset(&spans, &mistake.path)), mistake))
            .collect();
        mistakes.sort_by_key(|(line, _)| *line);
        for (
            line,
            Mistake {
                path,
                is_unknown,
                message,
            },
        ) in mistakes
        {
            let message = format!("line {line}: {message}");
            if !is_unknown {
                bail!(message);
            }
            remove(&mut known.table, &path);
            known.unknown.push(message);
        }
        Ok(known)
    }

    /// Whether there is no setting.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |value: &Value| value.as_table().is_some_and(Table::is_empty);
        self.table.values().all(is_empty)
    }

    /// Whether a setting of a section is named.
    pub(super) fn names(&self, section: &str, key: &str) -> bool {
        let section = self.table.get(section).and_then(Value::as_table);
        section.is_some_and(|section| section.contains_key(key))
    }

    /// Whether a setting of a section has a text that is not empty.
    pub(super) fn has_text(&self, section: &str, key: &str) -> bool {
        let text = self.table.get(section).and_then(|section| section.get(key));
        text.and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    }

    /// The settings, unless one is unknown.
    ///
    /// # Errors
    /// The message for the first unknown one.
    pub(super) fn strict(self) -> Result<Raw> {
        match self.unknown.first() {
            Some(unknown) => bail!("{unknown}"),
            None => self.raw(),
        }
    }

    /// The known settings.
    pub(super) fn raw(self) -> Result<Raw> {
        Ok(self.table.try_into()?)
    }
}

/// A name or a value that is wrong.
pub(super) struct Mistake {
    /// The names that lead to it.
    path: Vec<String>,
    /// Whether the name is unknown; else its value is wrong.
    pub(super) is_unknown: bool,
    /// What is wrong.
    pub(super) message: String,
}

/// Everything that is wrong in the table of a configuration.
fn mistakes(table: &Table) -> Vec<Mistake> {
    let mut found = Vec::new();
    for (name, value) in table {
        match (section(name), value) {
            (Some(section), Value::Table(inner)) => {
                let inner = inner.iter();
                found.extend(inner.filter_map(|(key, value)| mistake(section, key, value)));
            }
            (Some(_), _) => found.push(Mistake {
                path: vec![name.clone()],
                is_unknown: false,
                message: format!("`{name}` is a section; write its settings below [{name}]"),
            }),
            (None, value) => found.extend(mistake(Raw::SECTION, name, value)),
        }
    }
    found
}

/// The section with a name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    let mut sections = Raw::SECTION.sections.iter().copied();
    sections.find(|section| section.name == name)
}

/// What is wrong with a setting of a section, if anything is.
pub(super) fn mistake(section: &Section, key: &str, value: &Value) -> Option<Mistake> {
    let mut path: Vec<String> = [section.name, key].map(str::to_owned).into();
    path.retain(|name| !name.is_empty());
    let name = path.join(".");
    let mut settings = section.settings.iter();
    let Some(setting) = settings.find(|setting| setting.key == key) else {
        let known = section.settings.iter().map(|setting| setting.key);
        let sections = section.sections.iter().map(|section| section.name);
        let hint = most_similar(key, known.chain(sections))
            .map(|known| format!("; did you mean `{known}`?"))
            .unwrap_or_default();
        let kind = if value.is_table() {
            "section"
        } else {
            "setting"
        };
        return Some(Mistake {
            path,
            is_unknown: true,
            message: format!("`{name}` is not a {kind}{hint}"),
        });
    };
    let inner = Table::from_iter([(key.to_owned(), value.clone())]);
    let alone = match section.name {
        "" => inner,
        name => Table::from_iter([(name.to_owned(), Value::Table(inner))]),
    };
    Raw::deserialize(alone).err()?;
    let shown = if is_secret_key(key) {
        Secret::from(value.to_string()).to_string()
    } else {
        value.to_string()
    };
    let requirement = format!("must be {}", setting.requirement());
    Some(Mistake {
        path,
        is_unknown: false,
        message: InvalidValue::new(&name, shown, requirement).to_string(),
    })
}

/// Where the last of these names is in the text.
fn offset(table: &DeTable<'_>, path: &[String]) -> usize {
    let Some((name, rest)) = path.split_first() else {
        return 0;
    };
    let mut entries = table.iter();
    match entries.find(|(key, _)| key.get_ref() == name) {
        Some((key, value)) => match value.get_ref() {
            DeValue::Table(inner) if !rest.is_empty() => offset(inner, rest),
            _ => key.span().start,
        },
        None => 0,
    }
}

fn remove(table: &mut Table, path: &[String]) {
    match path {
        [name] => {
            table.remove(name);
        }
        [name, rest @ ..] => {
            if let Some(Value::Table(inner)) = table.get_mut(name) {
                remove(inner, rest);
            }
        }
        [] => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_listed_and_the_rest_is_kept() {
        let known = Known::parse(
            "board = \"sim\"\nfuture = 1\n[model]\nthreads = 2\nengin = \"auto\"\n[modem]\nspeed = 3\n",
        )
        .unwrap();
        assert_eq!(
            known.unknown,
            [
                "line 2: `future` is not a setting",
                "line 5: `model.engin` is not a setting; did you mean `engine`?",
                "line 6: `modem` is not a section; did you mean `model`?",
            ]
        );
        assert_eq!(known.raw().unwrap().model.threads, 2);
    }

    #[test]
    fn wrong_values_name_line_key_value_and_what_is_wanted() {
        for (text, message) in [
            (
                "[timing]\nhold_s = \"30\"",
                "line 2: timing.hold_s = \"30\" is not valid: must be a number without quotes: between 0.1 and 86400 (seconds)",
            ),
            (
                "[model]\n\nthreads = -1",
                "line 3: model.threads = -1 is not valid: must be a whole number without quotes: between 0 and 64",
            ),
            (
                "switch_off = \"poweroff\"",
                "line 1: switch_off = \"poweroff\" is not valid: must be a list of texts in square brackets",
            ),
            (
                "display = true",
                "line 1: display = true is not valid: must be \"128x64\", \"128x32\" or \"none\"",
            ),
            (
                "storage.state = 7",
                "line 1: storage.state = 7 is not valid: must be a text in quotes",
            ),
            (
                "[mqtt]\npassword = 12345",
                "line 2: mqtt.password = (hidden) is not valid: must be a text in quotes",
            ),
            (
                "log = \"info\"",
                "line 1: `log` is a section; write its settings below [log]",
            ),
        ] {
            let error = Known::parse(text).unwrap_err().to_string();
            assert_eq!(error, message);
        }
    }

    #[test]
    fn a_configuration_without_settings_is_empty() {
        for text in ["", "\n \n", "# board = \"sim\"\n", "[model]\n[storage]\n"] {
            assert!(Known::parse(text).unwrap().is_empty(), "{text}");
        }
        let known = Known::parse("[storage]\nstate = \"\"\n").unwrap();
        assert!(!known.is_empty());
        assert!(known.names("storage", "state") && !known.names("model", "public_key"));
    }
}
