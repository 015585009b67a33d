//! Reference implementations in Python, for tests.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use smearscope_artifacts::testing::venv;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// The output of a script in this crate's `tests/` for `input`; `None`, with a message, if the Python
/// packages are not installed.
pub(crate) fn python(script: &str, input: &str) -> Option<String> {
    let mut child = Command::new(venv("python")?)
        .arg(Path::new(CRATE).join("tests").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Taken, so that the pipe is closed afterwards.
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}");
    Some(String::from_utf8(output.stdout).unwrap())
}
