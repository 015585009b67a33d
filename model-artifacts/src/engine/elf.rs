//! Inspects a shared library before it is loaded, because the bindings panic if functions are missing.

use std::path::Path;

use crate::files::read_bounded;

/// Largest inspected file; OpenVINO's C libraries have a few megabytes.
const MAX_BYTES: u64 = 64 << 20;

/// Requires a shared library for this processor that exports all `functions`, which are given as they
/// stand in the symbol table, between two NULs. `interface` names what exports them.
///
/// # Errors
/// What the file is instead, in words.
pub(super) fn check(library: &Path, functions: &[&[u8]], interface: &str) -> Result<(), String> {
    let bytes = read_bounded(library, MAX_BYTES).map_err(|error| error.to_string())?;
    // ELF header: magic, class at 4, byte order at 5, machine at 18 (System V ABI).
    let class = if cfg!(target_pointer_width = "64") {
        2
    } else {
        1
    };
    let machine: u16 = match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        "arm" => 40,
        _ => 0,
    };
    let header = bytes.get(..20).unwrap_or_default();
    if !header.starts_with(b"\x7FELF") {
        return Err("it is not a shared library".into());
    }
    if header[4] != class || header[5] != 1 || header[18..] != machine.to_le_bytes() {
        return Err(format!(
            "it is a shared library for another processor, not for {}",
            std::env::consts::ARCH
        ));
    }
    let has = |function: &&[u8]| {
        bytes
            .windows(function.len())
            .any(|bytes| bytes == *function)
    };
    if !functions.iter().all(has) {
        return Err(format!("it is not {interface}"));
    }
    Ok(())
}
