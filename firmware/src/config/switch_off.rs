//! The command that switches the machine off.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use smearscope_hardware::settings::InvalidValue;

/// Checks that the program of `switch_off` exists and can be executed: at its absolute path, or in a folder of `search`,
/// the value of `PATH`. An empty command is valid.
pub(super) fn check(command: &[String], search: Option<OsString>) -> Result<()> {
    let Some(program) = command.first() else {
        return Ok(());
    };
    let is_executable = |path: &Path| {
        let metadata = path.metadata();
        metadata.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let path = Path::new(program);
    let requirement = if path.is_absolute() {
        if is_executable(path) {
            return Ok(());
        }
        "its first text must be a program that exists and is executable"
    } else if program.contains('/') {
        "its first text must be an absolute path, or a name alone"
    } else {
        let search = search.unwrap_or_default();
        let mut folders = std::env::split_paths(&search);
        if !program.is_empty() && folders.any(|folder| is_executable(&folder.join(program))) {
            return Ok(());
        }
        "there is no such program; give its absolute path"
    };
    Err(InvalidValue::new("switch_off", format!("{command:?}"), requirement).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_that_can_be_started_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("poweroff");
        let absolute = path.to_str().unwrap();
        let check = |program: &str| {
            let command = [program.to_owned(), "-f".to_owned()];
            check(&command, Some(folder.path().into()))
                .err()
                .map(|error| error.to_string())
        };
        let missing = check(absolute).unwrap();
        assert!(missing.contains("exists and is executable"), "{missing}");
        std::fs::write(&path, "").unwrap();
        assert!(check(absolute).is_some() && check("poweroff").is_some());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!((check(absolute), check("poweroff")), (None, None));
        let unknown = check("powerof").unwrap();
        assert!(
            unknown.starts_with(
                "switch_off = [\"powerof\", \"-f\"] is not valid: there is no such program"
            ),
            "{unknown}"
        );
        assert!(check("bin/poweroff").unwrap().contains("absolute path"));
        assert!(check("").is_some());
        assert!(super::check(&[], None).is_ok());
    }
}
