//! What every test needs: the binaries, the shipped files, the real micrographs.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::Command;
use image::RgbImage;
use serde_json::Value;

/// A setting by which no server is started.
pub(crate) const NO_SERVER: (&str, &str) = ("SMEARSCOPE__HTTP__LISTEN", "");

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
}

/// The model that comes with the project.
pub(crate) fn demo_model() -> PathBuf {
    root().join("model-artifacts/smear-demo")
}

/// The synthetic fields that come with the project, sorted; names end in `_0` or `_1`.
pub(crate) fn demo_fields() -> Vec<PathBuf> {
    images(&root().join("hardware/fields"))
}

/// The real micrographs, sorted; none, with a message, where they are absent.
pub(crate) fn micrographs() -> Vec<PathBuf> {
    let folder = root().join("../shared/data/bccd");
    if !folder.is_dir() {
        eprintln!("skipped: {} is absent", folder.display());
        return Vec::new();
    }
    images(&folder)
}

fn images(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("folder of images")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "jpg"))
        .collect();
    paths.sort();
    paths
}

/// Builds the workspace's binaries once, so that no test runs an old one.
pub(crate) fn built(name: &str) -> PathBuf {
    static BUILD: LazyLock<PathBuf> = LazyLock::new(|| {
        let build = escargot::CargoBuild::new()
            .manifest_path(root().join("Cargo.toml"))
            .arg("--locked")
            .arg("--workspace")
            // With the features that tests have, so that nothing is compiled again for want of one.
            .arg("--tests")
            .bins();
        // What cargo tells a test of its package would have build scripts of others run again.
        let told = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let messages = told
            .filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            .fold(build, escargot::CargoBuild::env_remove)
            .exec()
            .expect("the binaries build");
        // All of them: the last tells whether the build failed.
        let executables: Vec<_> = messages
            .filter_map(|message| {
                let message = message.expect("the binaries build");
                let message: Value = message.decode_custom().expect("JSON");
                let is_test = message["profile"]["test"] == true;
                message["executable"]
                    .as_str()
                    .filter(|_| !is_test)
                    .map(PathBuf::from)
            })
            .collect();
        executables
            .first()
            .and_then(|path| path.parent().map(Path::to_path_buf))
            .expect("cargo names an executable")
    });
    BUILD.join(name)
}

fn command(name: &str) -> Command {
    let mut command = Command::new(built(name));
    // Many run at once, and only one could have the port.
    command.current_dir(root()).env(NO_SERVER.0, NO_SERVER.1);
    command
}

/// `smearscope` with `args`.
pub(crate) fn smearscope<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = command("smearscope");
    command.args(args);
    command
}

/// `smearscope-train` with `args`.
pub(crate) fn smearscope_train<S: AsRef<std::ffi::OsStr>>(
    args: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = command("smearscope-train");
    command.args(args);
    command
}

/// The JSON objects that a command printed, one a line.
pub(crate) fn json_lines(stdout: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect()
}

/// A copy of the shipped model that a test may damage.
pub(crate) fn copy_of_demo_model() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("temporary folder");
    copy_folder(&demo_model(), copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            std::fs::create_dir(&target).expect("folder");
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copy");
        }
    }
}

/// A field that the quality gate lets through, as pixels.
pub(crate) fn field_pixels() -> RgbImage {
    image::open(&demo_fields()[0])
        .expect("shipped field")
        .to_rgb8()
}
