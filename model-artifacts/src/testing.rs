//! What the tests of several crates share: skipping, and the files that tests compare with.
//!
//! Available with the feature `test-support`.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// With the value `all`, a test that cannot run fails instead of being skipped.
const REQUIRE: &str = "SMEARSCOPE_REQUIRE";
/// Names a folder of collections of real micrographs, which are not part of the repository.
const MICROGRAPHS: &str = "SMEARSCOPE_MICROGRAPHS";
/// Names a folder of everyday photographs, beside those of the Python environment.
const PHOTOGRAPHS: &str = "SMEARSCOPE_PHOTOGRAPHS";

/// Reports that a test cannot run here, and why. The caller returns from the test afterwards.
///
/// # Panics
/// If the environment variable `SMEARSCOPE_REQUIRE` is `all`.
pub fn skip(reason: impl Display) {
    assert!(
        std::env::var_os(REQUIRE).is_none_or(|required| required != "all"),
        "this test cannot run, and {REQUIRE} is `all`: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// The fields of the BCCD collection, the JPEG files in the folder `bccd` of the one that `SMEARSCOPE_MICROGRAPHS` names,
/// sorted by name; if there are none, [skips](skip) and returns an empty list.
///
/// # Panics
/// As [`skip`].
pub fn micrographs() -> Vec<PathBuf> {
    let Some(folder) = micrographs_in("bccd") else {
        return Vec::new();
    };
    let paths = jpegs_in(&folder);
    if paths.is_empty() {
        skip(format_args!(
            "{MICROGRAPHS}: {} contains no *.jpg files",
            folder.display()
        ));
    }
    paths
}

/// A collection of real micrographs, a folder in the one that `SMEARSCOPE_MICROGRAPHS` names; if it is missing,
/// [skips](skip) and returns `None`.
///
/// # Panics
/// As [`skip`].
pub fn micrographs_in(collection: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(MICROGRAPHS) else {
        skip(format_args!(
            "{MICROGRAPHS} is not set; set it to a folder that contains the collection {collection}"
        ));
        return None;
    };
    let folder = Path::new(&folder).join(collection);
    if !folder.is_dir() {
        skip(format_args!(
            "{MICROGRAPHS}: there is no folder {}",
            folder.display()
        ));
        return None;
    }
    Some(folder)
}

/// Pictures of other things than smears: those that scikit-learn and scikit-image bring into the Python environment of the
/// repository, and the JPEG and PNG files in the folder that `SMEARSCOPE_PHOTOGRAPHS` names; if there are none,
/// [skips](skip) and returns an empty list.
///
/// # Panics
/// As [`skip`].
pub fn photographs() -> Vec<PathBuf> {
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/lib");
    let versions = libraries.read_dir().into_iter().flatten().flatten();
    let folders = versions.flat_map(|version| {
        let packages = version.path().join("site-packages");
        ["sklearn/datasets/images", "skimage/data"].map(|folder| packages.join(folder))
    });
    let mut paths: Vec<PathBuf> = folders
        .flat_map(|folder| files_in(&folder, &["jpg", "png"]))
        .collect();
    if let Some(folder) = std::env::var_os(PHOTOGRAPHS) {
        paths.extend(files_in(Path::new(&folder), &["jpg", "png"]));
    }
    if paths.is_empty() {
        skip(format_args!(
            "there are no photographs in {}; run scripts/setup --python, or set {PHOTOGRAPHS} to a folder of some",
            libraries.display()
        ));
    }
    paths
}

/// The `*.jpg` files of a folder, sorted by name; none if the folder cannot be read.
pub fn jpegs_in(folder: &Path) -> Vec<PathBuf> {
    files_in(folder, &["jpg"])
}

/// The files of a folder with one of these extensions, sorted by name; none if the folder cannot be read.
fn files_in(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let extension = path.extension();
            extension.is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
        })
        .collect();
    paths.sort();
    paths
}

/// A program of the Python environment that `scripts/setup --python` installs into the repository,
/// such as `python`; if it is missing, [skips](skip) and returns `None`.
///
/// # Panics
/// As [`skip`].
pub fn venv(program: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../.venv/bin")
        .join(program);
    if path.exists() {
        return Some(path);
    }
    skip(format_args!(
        "{} is missing; run scripts/setup --python",
        path.display()
    ));
    None
}
