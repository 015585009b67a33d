//! Finds the library of an older OpenVINO runtime that drives a Neural Compute Stick 2.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use crate::engine::config::EngineConfig;
use crate::engine::elf;
use crate::engine::kind::EngineKind;
use crate::error::ArtifactError;

/// Environment variable that names the library or its folder, if the configuration does not.
const VARIABLE: &str = "SMEARSCOPE_NCS2";
/// The only file name that the bindings search for.
const FILE: &str = "libopenvino_c.so";
/// Environment variable with the folders that the bindings search.
pub(super) const SEARCH_PATH: &str = "LD_LIBRARY_PATH";
/// Environment variables that the bindings read before [`SEARCH_PATH`].
const OVERRIDES: [&str; 3] = [
    "OPENVINO_BUILD_DIR",
    "OPENVINO_INSTALL_DIR",
    "INTEL_OPENVINO_DIR",
];

/// The functions that the engine calls, and the name of the library for messages.
const FUNCTIONS: [&[u8]; 6] = [
    b"\0ie_c_api_version\0",
    b"\0ie_core_create\0",
    b"\0ie_core_read_network_from_memory\0",
    b"\0ie_core_load_network\0",
    b"\0ie_infer_request_infer\0",
    b"\0ie_blob_get_buffer\0",
];
const INTERFACE: &str = "OpenVINO's C library with version 1.0 of the interface";

/// Releases that may have the plugin for the stick. The last one is 2022.3.1
/// (<https://docs.openvino.ai/2023.3/_static/selector-tool/selector-6ad56e0.html>); 2023.0 removed it. A
/// missing plugin is noticed when a network is loaded.
const RELEASES: [&str; 2] = ["2021.", "2022."];

const REMEDY: &str = "set model.stick_library to the libopenvino_c.so of OpenVINO 2022.3.1 or 2021.4, or to its folder";

/// The library that the configuration names, or else the environment; `Err` with what is wrong with that
/// name, and `None` if neither names one.
pub(super) fn configured(config: &EngineConfig) -> Option<Result<PathBuf, String>> {
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
            "{} is not named {FILE}, the only name that is searched for; create a link with that name beside it",
            library.display()
        )));
    }
    Some(Ok(library))
}

/// The version of the library that the bindings load.
///
/// # Errors
/// [`ArtifactError::Engine`] if there is no library, if it is not the configured one, or if it cannot drive
/// the stick.
pub(super) fn version(config: &EngineConfig) -> Result<String, ArtifactError> {
    let wanted = configured(config).transpose().map_err(unusable)?;
    let found = catch_unwind(|| openvino_finder_06::find("openvino_c")).unwrap_or_default();
    let library = match (found, wanted) {
        (Some(found), Some(wanted)) if !is_same(&found, &wanted) => {
            let overrides: Vec<_> = OVERRIDES
                .into_iter()
                .filter(|name| std::env::var_os(name).is_some())
                .collect();
            return Err(unusable(if overrides.is_empty() {
                not_in_search_path(&wanted)
            } else {
                format!(
                    "{} is found before {}; unset {}",
                    found.display(),
                    wanted.display(),
                    overrides.join(", ")
                )
            }));
        }
        (None, Some(wanted)) => return Err(unusable(not_in_search_path(&wanted))),
        (None, None) => return Err(unusable(format!("there is no {FILE} that drives it"))),
        (Some(found), _) => found,
    };
    let invalid = |problem: String| unusable(format!("{}: {problem}", library.display()));
    elf::check(&library, &FUNCTIONS, INTERFACE).map_err(invalid)?;
    // The bindings panic if the library does not load.
    let text =
        catch_unwind(openvino_06::version).map_err(|_| invalid("it does not load".into()))?;
    let version = release(&text).ok_or_else(|| {
        invalid(format!(
            "its version, `{text}`, does not contain a release number"
        ))
    })?;
    if !RELEASES.iter().any(|release| version.starts_with(release)) {
        return Err(invalid(format!(
            "OpenVINO {version} has no plugin for the stick; 2021.x and 2022.3.1 have one"
        )));
    }
    Ok(version.into())
}

fn not_in_search_path(library: &Path) -> String {
    format!(
        "the bindings do not find {}; start the program with its folder in {SEARCH_PATH}",
        library.display()
    )
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|one| Some(one) == real(other))
}

/// The release in a version such as `2022.3.1-9227-abc-releases/2022/3` or `2.1.2021.4`, which begins with
/// the version of the interface.
fn release(version: &str) -> Option<&str> {
    let start = version.find("202")?;
    let version = version[start..].split(['-', ' ']).next()?;
    let has_numbers = version
        .split('.')
        .all(|number| number.parse::<u32>().is_ok());
    (has_numbers && version.contains('.')).then_some(version)
}

fn unusable(problem: String) -> ArtifactError {
    EngineKind::Ncs2.unusable(problem, REMEDY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_found_in_versions_of_runtimes() {
        for (text, expected) in [
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
            assert_eq!(release(text), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_or_misnamed_library_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let problem = |path: PathBuf| {
            let config = EngineConfig {
                stick_library: Some(path),
                ..EngineConfig::default()
            };
            config.set_stick_library_path();
            version(&config).unwrap_err().to_string()
        };
        let message = problem(folder.path().to_owned());
        assert!(message.contains("there is no /"), "{message}");
        assert!(message.contains("model.stick_library"), "{message}");
        let other = folder.path().join("libinference_engine_c_api.so");
        std::fs::write(&other, "").unwrap();
        let message = problem(other);
        assert!(message.contains("create a link"), "{message}");
        // Tests run on several threads, so that the environment is not changed.
        let right = folder.path().join(FILE);
        std::fs::write(&right, "").unwrap();
        let message = problem(right);
        assert!(message.contains("LD_LIBRARY_PATH"), "{message}");
    }
}
