//! Python as an independent witness in tests.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use smearscope_artifacts::testing::venv;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// What a script of this crate's `tests/` answers to `input`; `None`, with a message, where the
/// Python peers were not fetched.
pub(crate) fn python(script: &str, input: &str) -> Option<String> {
    let mut child = Command::new(venv("python")?)
        .arg(Path::new(CRATE).join("tests").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Taken, so that the pipe is closed after it.
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
