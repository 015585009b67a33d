//! Finds and loads `libopenvino_c`.

use std::os::unix::fs::MetadataExt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::engine::elf;
use crate::engine::kind::EngineKind;
use crate::error::ArtifactError;

/// Environment variable that names the library or its folder, if the configuration does not.
const VARIABLE: &str = "SMEARSCOPE_OPENVINO";
/// Folder in which `scripts/setup` installs the libraries, relative to the workspace.
const BUNDLED: &str = ".runtime/openvino/libs";
const FILE_PREFIX: &str = "libopenvino_c.so";
/// Functions that identify the library, and its name for messages.
const FUNCTIONS: [&[u8]; 2] = [b"\0ov_get_openvino_version\0", b"\0ov_core_create\0"];
const INTERFACE: &str = "OpenVINO's C library with version 2.0 of the interface";

const REMEDY: &str = "run scripts/setup, or name an installed libopenvino_c in the configuration";

/// The library that this process loaded; it cannot be unloaded.
static LOADED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Whether a library is named, by the configuration or the environment, or is in a usual folder.
pub(in crate::engine) fn is_named_or_installed(configured: Option<&Path>) -> bool {
    named(configured).is_some()
        || usual_folders()
            .iter()
            .any(|folder| newest(folder).is_some())
}

fn named(configured: Option<&Path>) -> Option<PathBuf> {
    configured
        .map(Path::to_owned)
        .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from))
}

/// Loads the library at `configured`, or else from the first usual folder that contains it.
///
/// # Errors
/// [`ArtifactError::Engine`] if it is missing, if it is not OpenVINO's C library for this processor, or if
/// this process already loaded another one.
pub(super) fn load(configured: Option<&Path>) -> Result<(), ArtifactError> {
    let library = match named(configured) {
        Some(path) => resolve(&path)
            .ok_or_else(|| unusable(format!("there is no {FILE_PREFIX} at {}", path.display())))?,
        None => usual_folders()
            .iter()
            .find_map(|folder| newest(folder))
            .ok_or_else(|| unusable(format!("there is no {FILE_PREFIX} on this system")))?,
    };
    let library = library.canonicalize().unwrap_or(library);
    let invalid = |problem: String| unusable(format!("{}: {problem}", library.display()));

    elf::check(&library, &FUNCTIONS, INTERFACE).map_err(invalid)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*loaded {
        Some(other) if *other == library => return Ok(()),
        Some(other) => {
            return Err(invalid(format!(
                "this process already uses {}",
                other.display()
            )));
        }
        None => {}
    }
    catch_unwind(|| openvino_sys::library::load_from(&library))
        .unwrap_or_else(|_| Err("it is an unknown version of OpenVINO".into()))
        .map_err(invalid)?;
    *loaded = Some(library);
    Ok(())
}

fn resolve(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        newest(path)
    } else {
        path.exists().then(|| path.to_owned())
    }
}

/// The library of the highest version in a folder.
fn newest(folder: &Path) -> Option<PathBuf> {
    folder
        .read_dir()
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(FILE_PREFIX) && path.is_file()
        })
        .max()
}

fn usual_folders() -> Vec<PathBuf> {
    let executable = std::env::current_exe().ok();
    let working = std::env::current_dir().ok();
    let bundled = [executable, working]
        .into_iter()
        .flatten()
        .flat_map(|start| {
            start
                .ancestors()
                .map(|folder| folder.join(BUNDLED))
                .collect::<Vec<_>>()
        })
        .filter(|folder| is_trusted(folder));
    let system = ["/usr/local/lib", "/usr/lib", "/usr/lib64"].map(PathBuf::from);
    bundled
        .chain(system)
        .chain(children(Path::new("/usr/lib"), |name| {
            name.ends_with("-linux-gnu") || name.ends_with("-linux-gnueabihf")
        }))
        .chain(
            children(Path::new("/opt/intel"), |name| name.starts_with("openvino"))
                .flat_map(|install| children(&install.join("runtime/lib"), |_| true)),
        )
        .collect()
}

/// Whether a folder belongs to root, to this user or to the program's owner. A library is code, and any
/// user can put one into a folder above a working directory in `/tmp`.
fn is_trusted(folder: &Path) -> bool {
    let owner = |path: &Path| path.metadata().ok().map(|metadata| metadata.uid());
    let trusted = ["/proc/self", "/proc/self/exe"].map(|path| owner(Path::new(path)));
    owner(folder).is_some_and(|uid| uid == 0 || trusted.contains(&Some(uid)))
}

fn children(folder: &Path, wanted: fn(&str) -> bool) -> impl Iterator<Item = PathBuf> + use<> {
    folder
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(move |path| wanted(&path.file_name().unwrap_or_default().to_string_lossy()))
}

fn unusable(problem: String) -> ArtifactError {
    EngineKind::OpenVino.unusable(problem, REMEDY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(bytes: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        load(Some(file.path())).unwrap_err().to_string()
    }

    #[test]
    fn wrong_files_are_refused_before_they_are_loaded() {
        assert!(problem_of(b"").contains("not a shared library"));
        assert!(problem_of(b"MZ\x90\0").contains("not a shared library"));
        let mut foreign = b"\x7FELF\x02\x01\x01".to_vec();
        foreign.resize(18, 0);
        foreign.extend(22_u16.to_le_bytes()); // EM_S390
        assert!(problem_of(&foreign).contains("another processor"));
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(problem_of(&own[..4096]).contains("not OpenVINO's C library"));
    }

    #[test]
    fn a_missing_library_is_an_error_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("absent.so")] {
            let message = load(Some(&path)).unwrap_err().to_string();
            assert!(message.contains(&path.display().to_string()), "{message}");
            assert!(message.contains("scripts/setup"), "{message}");
        }
    }

    #[test]
    fn the_highest_version_in_a_folder_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "libopenvino_c.so",
            "libopenvino_c.so.2510",
            "libopenvino_c.so.2641",
            "libtbb.so.12",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(
            newest(folder.path()),
            Some(folder.path().join("libopenvino_c.so.2641"))
        );
    }
}
