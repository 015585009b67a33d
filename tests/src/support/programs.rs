//! The project's programs, built once, and what they print.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::Command;
use serde_json::Value;

use super::project::root;

/// The environment variable that disables the HTTP server.
pub(crate) const NO_SERVER: (&str, &str) = ("SMEARSCOPE__HTTP__LISTEN", "");
/// The environment variable that accepts state folders in memory, where temporary folders are on some machines.
pub(crate) const VOLATILE: (&str, &str) = ("SMEARSCOPE__STORAGE__VOLATILE", "true");

/// Builds the workspace's binaries once, so that no test runs an outdated one.
pub(crate) fn built(name: &str) -> PathBuf {
    static BUILD: LazyLock<PathBuf> = LazyLock::new(|| {
        let build = escargot::CargoBuild::new()
            .manifest_path(root().join("Cargo.toml"))
            .arg("--locked")
            .arg("--workspace")
            // With the features of the tests, so that cargo compiles nothing twice.
            .arg("--tests")
            .bins();
        // Cargo's variables for this package would make other build scripts run again.
        let told = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let messages = told
            .filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            .fold(build, escargot::CargoBuild::env_remove)
            .exec()
            .expect("the binaries build");
        // Reads all messages, because the last one reports a failed build.
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
    // Tests run in parallel, and only one could bind the port.
    let environment = [NO_SERVER, VOLATILE];
    command.current_dir(root()).envs(environment);
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

/// A record as lists have it: without its cells.
pub(crate) fn as_listed(mut record: Value) -> Value {
    record
        .as_object_mut()
        .expect("a record")
        .remove("cells")
        .expect("its cells");
    record
}

/// The JSON objects in a command's output, one per line.
pub(crate) fn json_lines(stdout: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect()
}
