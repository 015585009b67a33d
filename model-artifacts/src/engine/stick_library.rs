//! Finds the older OpenVINO runtime that drives a Neural Compute Stick 2, and tells the bindings where it is.
//!
//! The bindings of that interface, crate `openvino` 0.6, take no path: they ask `openvino-finder`, which looks only at the environment
//! and at a few folders. So a path from the configuration goes into `LD_LIBRARY_PATH`, at the very start of the program, while it has one
//! thread. Of what the finder reads, this is the only variable that means a folder as it is, on every processor; the
//! dynamic linker read it before the program began, so that no other library comes from elsewhere for it. (After a reload, which
//! hands the environment on, it may; the libraries of the two versions have different names.) The
//! alternatives were worse: to write the bindings again, for a function that theirs keep to themselves, or to start the program anew
//! with another environment each time.

use std::ffi::OsString;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use super::{EngineChoice, EngineConfig, elf};
use crate::ArtifactError;

/// Names the library, or a folder that holds it, where the configuration does not.
const VARIABLE: &str = "SMEARSCOPE_NCS2";
/// The only name under which the bindings look for it.
const FILE: &str = "libopenvino_c.so";
const SEARCH_PATH: &str = "LD_LIBRARY_PATH";
/// What the finder looks at before.
const BEFORE: [&str; 3] = [
    "OPENVINO_BUILD_DIR",
    "OPENVINO_INSTALL_DIR",
    "INTEL_OPENVINO_DIR",
];

/// The functions that the engine calls, and what has them.
const FUNCTIONS: [&[u8]; 6] = [
    b"\0ie_c_api_version\0",
    b"\0ie_core_create\0",
    b"\0ie_core_read_network_from_memory\0",
    b"\0ie_core_load_network\0",
    b"\0ie_infer_request_infer\0",
    b"\0ie_blob_get_buffer\0",
];
const INTERFACE: &str = "OpenVINO's C library of version 1.0 of the interface";

/// Releases that may have the plugin for the stick: the last is 2022.3.1, which
/// <https://docs.openvino.ai/2023.3/_static/selector-tool/selector-6ad56e0.html> offers for that, and 2023.0 has it no more. Whether this one
/// really has it is seen when the network is loaded.
const RELEASES: [&str; 2] = ["2021.", "2022."];

const REMEDY: &str =
    "name libopenvino_c.so of OpenVINO 2022.3.1 or 2021.4, or its folder, in model.stick_library";

impl EngineConfig {
    /// Lets the bindings for the stick find the library that the configuration or the environment names, if either does. To
    /// be called at the start of a program: nothing happens once it has threads, and starting the
    /// engine then says what is missing.
    pub fn announce_stick_library(&self) {
        let may_use_stick = matches!(self.choice, EngineChoice::Auto | EngineChoice::Ncs2);
        let Some(Ok(library)) = named(self).filter(|_| may_use_stick) else {
            return;
        };
        let Some(folder) = library.parent().filter(|_| has_one_thread()) else {
            return;
        };
        let before = std::env::var_os(SEARCH_PATH).unwrap_or_default();
        let folders = std::env::split_paths(&before).filter(|other| other != folder);
        let joined = std::env::join_paths(std::iter::once(folder.to_owned()).chain(folders));
        if let Ok(path) = joined {
            set_search_path(&path);
        }
    }
}

#[allow(
    unsafe_code,
    reason = "the environment is not safe to change beside other threads"
)]
fn set_search_path(path: &OsString) {
    // SAFETY: the caller saw that this is the only thread, and only this one could start another.
    unsafe { std::env::set_var(SEARCH_PATH, path) };
}

/// Whether this thread is the only one of the process.
fn has_one_thread() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

/// The library that the configuration names, or else the environment; what is wrong with the name.
fn named(config: &EngineConfig) -> Option<Result<PathBuf, String>> {
    let path = config
        .stick_library
        .clone()
        .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from))?;
    let library = if path.is_dir() { path.join(FILE) } else { path };
    let library = std::path::absolute(&library).unwrap_or(library);
    if !library.is_file() {
        return Some(Err(format!("there is no {}", library.display())));
    }
    if library.file_name().is_none_or(|name| name != FILE) {
        return Some(Err(format!(
            "{} has another name than {FILE}, by which alone it is found; make a link of that name beside it",
            library.display()
        )));
    }
    Some(Ok(library))
}

/// The version of the library that the bindings load from now on.
///
/// # Errors
/// [`ArtifactError::Engine`] if there is none, if it is another than the one that was named, or if it cannot
/// drive the stick.
pub(super) fn version(config: &EngineConfig) -> Result<String, ArtifactError> {
    let wanted = named(config).transpose().map_err(unusable)?;
    let found = catch_unwind(|| openvino_finder_06::find("openvino_c")).unwrap_or_default();
    let library = match (found, wanted) {
        (Some(found), Some(wanted)) if !is_same(&found, &wanted) => {
            let culprits: Vec<_> = BEFORE
                .into_iter()
                .filter(|name| std::env::var_os(name).is_some())
                .collect();
            return Err(unusable(if culprits.is_empty() {
                not_announced(&wanted)
            } else {
                format!(
                    "{} is found before {}; unset {}",
                    found.display(),
                    wanted.display(),
                    culprits.join(", ")
                )
            }));
        }
        (None, Some(wanted)) => return Err(unusable(not_announced(&wanted))),
        (None, None) => return Err(unusable(format!("there is no {FILE} that drives it"))),
        (Some(found), _) => found,
    };
    let fault = |problem: String| unusable(format!("{}: {problem}", library.display()));
    elf::check(&library, &FUNCTIONS, INTERFACE).map_err(fault)?;
    // The bindings expect a library that loads.
    let said = catch_unwind(openvino_06::version).map_err(|_| fault("it does not load".into()))?;
    let version = release(&said)
        .ok_or_else(|| fault(format!("it says that its version is {said}, not which")))?;
    if !RELEASES.iter().any(|release| version.starts_with(release)) {
        return Err(fault(format!(
            "OpenVINO {version} has no plugin for the stick; 2021.x and 2022.3.1 have"
        )));
    }
    Ok(version.into())
}

fn not_announced(library: &Path) -> String {
    format!(
        "the bindings do not find {}; start the program with its folder in {SEARCH_PATH}",
        library.display()
    )
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|one| Some(one) == real(other))
}

/// The release in a version such as `2022.3.1-9227-abc-releases/2022/3`, before which the interface's own may stand.
fn release(version: &str) -> Option<&str> {
    let start = version.find("202")?;
    let version = version[start..].split(['-', ' ']).next()?;
    let has_numbers = version
        .split('.')
        .all(|number| number.parse::<u32>().is_ok());
    (has_numbers && version.contains('.')).then_some(version)
}

fn unusable(problem: String) -> ArtifactError {
    ArtifactError::Engine {
        engine: super::ncs2::NAME,
        problem,
        remedy: REMEDY.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_found_in_what_runtimes_say() {
        for (said, expected) in [
            (
                "2022.3.1-9227-cf2c7da5689-releases/2022/3",
                Some("2022.3.1"),
            ),
            (
                "2021.4.2-3974-e2a469a3450-releases/2021/4",
                Some("2021.4.2"),
            ),
            ("2.1.2021.4", Some("2021.4")),
            ("custom_master_abc", None),
            ("2021", None),
            ("", None),
        ] {
            assert_eq!(release(said), expected, "{said}");
        }
    }

    #[test]
    fn a_library_that_is_not_there_or_has_another_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let problem = |path: PathBuf| {
            let config = EngineConfig {
                stick_library: Some(path),
                ..EngineConfig::default()
            };
            config.announce_stick_library();
            version(&config).unwrap_err().to_string()
        };
        let message = problem(folder.path().to_owned());
        assert!(message.contains("there is no /"), "{message}");
        assert!(message.contains("model.stick_library"), "{message}");
        let other = folder.path().join("libinference_engine_c_api.so");
        std::fs::write(&other, "").unwrap();
        let message = problem(other);
        assert!(message.contains("make a link"), "{message}");
        // Tests run on several threads, so that the environment stays as it is.
        let right = folder.path().join(FILE);
        std::fs::write(&right, "").unwrap();
        let message = problem(right);
        assert!(message.contains("LD_LIBRARY_PATH"), "{message}");
    }
}
