//! The configuration of the service. It must not start without the settings that protect its records, so a file that is
//! missing, empty or cut off is refused, and a copy of the last good one is kept in its state folder.
//!
//! Settings that this version does not know are ignored at a start, so that an old configuration does not stop the
//! appliance after an upgrade. `config check` and a reload refuse them.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use smearscope_artifacts::read_text;

use crate::config::file::{DEFAULT_PATH, Raw};
use crate::config::known::{Known, MAX_BYTES};

/// The copy of the last good configuration, in the state folder.
const LAST_GOOD: &str = "config.last-good.toml";
/// The state folder of a service that systemd did not create one for.
const DEFAULT_STATE: &str = "/var/lib/smearscope";
/// Environment variable in which systemd names the service's state folders, separated by colons.
const VARIABLE: &str = "STATE_DIRECTORY";
/// What to do about a file that is missing or empty.
const REMEDY: &str = "restore it from a backup, or remove it and reinstall the package with \
                      `sudo apt install --reinstall -o Dpkg::Options::=--force-confmiss smearscope`";

/// The appliance as a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    state: PathBuf,
}

/// A configuration of the service, not yet validated.
#[derive(Debug)]
pub(crate) struct ServiceConfig {
    /// The settings.
    pub(crate) raw: Raw,
    /// A message for each setting that was ignored because this version does not know it.
    pub(crate) unknown: Vec<String>,
    /// The text of the file.
    pub(crate) text: String,
}

impl ServiceConfig {
    /// The settings, unless one is unknown.
    ///
    /// # Errors
    /// The message for the first unknown one.
    pub(crate) fn strict(self) -> Result<Raw> {
        match self.unknown.first() {
            Some(unknown) => bail!("{unknown}"),
            None => Ok(self.raw),
        }
    }
}

impl Service {
    /// The service that this process belongs to: if systemd gave it a state folder, or if `is_service`.
    pub(crate) fn detect(is_service: bool) -> Option<Self> {
        let folders = std::env::var_os(VARIABLE).unwrap_or_default();
        let first = folders.as_bytes().split(|byte| *byte == b':').next();
        let state = match first {
            Some(folder) if !folder.is_empty() => std::ffi::OsStr::from_bytes(folder).into(),
            _ if is_service => DEFAULT_STATE.into(),
            _ => return None,
        };
        Some(Self::of(state))
    }

    /// The service with this state folder.
    pub(crate) fn of(state: PathBuf) -> Self {
        Self { state }
    }

    /// Where the copy of the last good configuration is.
    pub(crate) fn last_good(&self) -> PathBuf {
        self.state.join(LAST_GOOD)
    }

    /// The file that [`Service::read`] reads.
    pub(crate) fn file(named: Option<&Path>) -> &Path {
        named.unwrap_or(Path::new(DEFAULT_PATH))
    }

    /// Reads the named file, or the default one, overridden by the environment.
    ///
    /// # Errors
    /// Those of [`Raw::read`], except for unknown settings. Also if the file is missing, if it has no settings, or if it
    /// lacks one that protects records or patients and that the last good configuration had.
    pub(crate) fn read(&self, named: Option<&Path>) -> Result<ServiceConfig> {
        let path = Self::file(named);
        let shown = path.display();
        ensure!(path.exists(), "{shown} is missing; {REMEDY}");
        let (known, text) = Known::read(path)?;
        ensure!(!known.is_empty(), "{shown} has no settings; {REMEDY}");
        let known = known.overridden(std::env::vars_os())?;
        // A file that was cut off looks like one with fewer settings.
        if let Some(last) = self.last_good_settings()? {
            for (section, key, consequence) in [
                ("storage", "state", "nothing is recorded"),
                ("model", "public_key", "models need no signature"),
            ] {
                let is_lost = last.has_text(section, key) && !known.names(section, key);
                ensure!(
                    !is_lost,
                    "{shown} lacks {section}.{key}, which the last good configuration, {}, has; restore it, or write \
                     {section}.{key} = \"\", with which {consequence}",
                    self.last_good().display()
                );
            }
        }
        self.with_state(known, text)
    }

    /// The settings that the last good configuration names, whether this version accepts their values or not; `None` if
    /// there is none.
    fn last_good_settings(&self) -> Result<Option<Known>> {
        let path = self.last_good();
        match read_text(&path, MAX_BYTES) {
            Ok(text) => Ok(Some(Known::unchecked(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| {
                format!(
                    "{} cannot be read, so a setting may be missing unnoticed; run this as the service's user or as root",
                    path.display()
                )
            }),
        }
    }

    /// The settings with which the service starts: those of the named file or, if these cannot be used, the last good ones.
    ///
    /// # Errors
    /// If neither can be used.
    pub(crate) fn in_use(&self, named: Option<&Path>) -> Result<Raw> {
        let own = self.read(named).and_then(|read| {
            read.raw.clone().validate()?;
            Ok(read.raw)
        });
        own.or_else(|error| match self.read_last_good()? {
            Some(last) => Ok(last.raw),
            None => Err(error),
        })
    }

    /// Reads the last good configuration, overridden by the environment; `None` if there is none.
    ///
    /// # Errors
    /// As [`Service::read`].
    pub(crate) fn read_last_good(&self) -> Result<Option<ServiceConfig>> {
        let path = self.last_good();
        if !path.exists() {
            return Ok(None);
        }
        let (known, text) = Known::read(&path)?;
        let known = known.overridden(std::env::vars_os())?;
        self.with_state(known, text).map(Some)
    }

    /// The settings, with the service's state folder if the file names none.
    fn with_state(&self, known: Known, text: String) -> Result<ServiceConfig> {
        let names_state = known.names("storage", "state");
        let unknown = known.unknown.clone();
        let mut raw = known.raw()?;
        if !names_state {
            raw.storage.state.clone_from(&self.state);
        }
        Ok(ServiceConfig { raw, unknown, text })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GOOD: &str = "[storage]\nstate = \"/state\"\n[model]\npublic_key = \"RWQ\"\n";

    struct Fixture {
        folder: tempfile::TempDir,
        service: Service,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let state = folder.path().join("state");
            Self {
                folder,
                service: Service::of(state),
            }
        }

        fn read(&self, text: &str) -> Result<ServiceConfig> {
            let path = self.folder.path().join("config.toml");
            fs::write(&path, text).unwrap();
            self.service.read(Some(&path))
        }

        fn keep(&self, text: &str) {
            fs::create_dir_all(&self.service.state).unwrap();
            fs::write(self.service.last_good(), text).unwrap();
        }

        fn error(&self, text: &str) -> String {
            format!("{:#}", self.read(text).unwrap_err())
        }
    }

    #[test]
    fn a_file_that_is_missing_or_has_no_settings_is_refused() {
        let fixture = Fixture::new();
        let missing = fixture.service.read(Some(Path::new("/no/config.toml")));
        let missing = format!("{:#}", missing.unwrap_err());
        assert!(
            missing.starts_with("/no/config.toml is missing; restore it"),
            "{missing}"
        );
        for text in ["", "\n\n", "# state = \"x\"\n[storage]\n"] {
            let error = fixture.error(text);
            assert!(
                error.contains("config.toml has no settings; restore it"),
                "{error}"
            );
        }
    }

    #[test]
    fn without_a_state_folder_in_the_file_the_services_own_is_used() {
        let fixture = Fixture::new();
        let state = |text: &str| fixture.read(text).unwrap().raw.storage.state;
        assert_eq!(state("board = \"sim\"\n"), fixture.service.state);
        assert_eq!(state(GOOD), Path::new("/state"));
        assert_eq!(state("[storage]\nstate = \"\"\n"), Path::new(""));
    }

    #[test]
    fn a_file_that_lost_what_protects_is_refused_and_an_explicit_change_is_not() {
        let fixture = Fixture::new();
        fixture.keep(GOOD);
        for (text, lost) in [
            ("board = \"pi\"\n", "lacks storage.state"),
            ("[storage]\nstate = \"/state\"\n", "lacks model.public_key"),
        ] {
            let error = fixture.error(text);
            assert!(error.contains(lost), "{error}");
            assert!(error.contains(LAST_GOOD), "{error}");
        }
        let explicit = "[storage]\nstate = \"\"\n[model]\npublic_key = \"\"\n";
        assert_eq!(fixture.read(explicit).unwrap().raw, Raw::default());
    }

    #[test]
    fn unknown_settings_are_ignored_at_a_start_and_refused_by_a_check() {
        let fixture = Fixture::new();
        let config = fixture
            .read("colour = 1\n[storage]\nstate = \"/s\"\n")
            .unwrap();
        assert_eq!(config.raw.storage.state, Path::new("/s"));
        assert_eq!(config.unknown.len(), 1);
        assert!(config.unknown[0].ends_with("config.toml: line 1: `colour` is not a setting"));
        assert!(config.strict().is_err());
    }
}
