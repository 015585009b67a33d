//! With which configuration the service starts: its own, or the last good one. Without either it says so on the screen.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Result, anyhow};
use smearscope_hardware::sim::Panel;
use smearscope_hardware::with_causes;

use crate::appliance::checks::Check;
use crate::appliance::front_panel;
use crate::cli::board;
use crate::cli::exit::Failure;
use crate::config::service::Service;
use crate::config::{Config, Raw};
use crate::system::{files, systemd};

/// The part that a check of the configuration names.
pub(super) const PART: &str = "config";

/// A configuration to start with.
pub(super) struct Startup {
    /// The configuration.
    pub(super) config: Config,
    /// What the operator must know about it.
    pub(super) check: Option<Check>,
    /// Whether it is that of the service.
    pub(super) is_service: bool,
    /// The text to keep as last good configuration once model and records are loaded.
    pub(super) keep: Option<(Service, String)>,
}

impl Startup {
    /// A start with nothing to say about the configuration, of which no copy is kept.
    pub(super) fn of(config: Config) -> Self {
        Self {
            config,
            check: None,
            is_service: false,
            keep: None,
        }
    }
}

/// Chooses the configuration of the service: the one in `file` or, if that cannot be used, the last good one. `apply`
/// adds the arguments and validates.
///
/// # Errors
/// If neither can be used. The screen says so.
pub(super) fn choose(
    service: &Service,
    file: Option<&Path>,
    apply: impl Fn(Raw) -> Result<Config>,
) -> Result<Startup, Failure> {
    let (error, bench) = match service.read(file) {
        Ok(read) => match apply(read.raw.clone()) {
            Ok(config) => {
                let ignored = read.unknown.join("; ");
                let check = Check::passed(PART, format!("ignored: {ignored}")).detailed();
                return Ok(Startup {
                    config,
                    check: Some(check).filter(|_| !ignored.is_empty()),
                    is_service: true,
                    keep: Some((service.clone(), read.text)),
                });
            }
            Err(error) => (error, Some(read.raw.bench())),
        },
        Err(error) => (error, None),
    };
    let last_good = service.last_good();
    let last = service.read_last_good();
    let last = last.and_then(|last| last.map(|last| apply(last.raw)).transpose());
    let error = match last {
        Ok(Some(config)) => {
            let text = format!(
                "started with the last good configuration, {}: {error:#}",
                last_good.display()
            );
            return Ok(Startup {
                check: Some(Check::failed(PART, text)),
                is_service: true,
                ..Startup::of(config)
            });
        }
        Ok(None) => error,
        Err(cause) => anyhow!(
            "{error:#}; nor can the last good configuration, {}, be used: {cause:#}",
            last_good.display()
        ),
    };
    let mut benches = bench.into_iter().chain([Raw::from_environment().bench()]);
    show(
        &format!("{error:#}"),
        benches.find_map(|bench| apply(bench).ok()),
    );
    Err(Failure::configuration(error))
}

/// Keeps the text of a configuration that worked as the last good one.
///
/// # Errors
/// Those of the file system.
pub(super) fn keep(service: &Service, text: &str) -> io::Result<()> {
    let path = service.last_good();
    if fs::read(&path).is_ok_and(|kept| kept == text.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        files::create_private_folder(folder)?;
    }
    // Passwords may be in it.
    files::replace(&path, text.as_bytes(), files::PRIVATE)
}

/// Shows on the screen of a bench why the service does not start, and tells the service manager.
fn show(message: &str, bench: Option<Config>) {
    systemd::status(message);
    let Some(config) = bench else {
        return;
    };
    match board::build(&config, Panel::Lines) {
        Ok((board, _)) => front_panel::show_fault(board, message),
        Err(error) => {
            let text = with_causes(&error);
            let _ = writeln!(
                std::io::stderr(),
                "the screen cannot show the error: {text}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_configuration_is_kept_alone_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let service = Service::of(state.clone());
        assert!(service.read_last_good().unwrap().is_none());
        for text in ["board = \"pi\"\n", "board = \"sim\"\n"] {
            keep(&service, text).unwrap();
            keep(&service, text).unwrap();
            assert_eq!(service.read_last_good().unwrap().unwrap().text, text);
            assert_eq!(state.read_dir().unwrap().count(), 1);
        }
    }
}
