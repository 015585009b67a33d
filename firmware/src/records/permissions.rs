//! Records are for the appliance's user alone: files have mode 0600 and folders 0700, whatever the umask.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use walkdir::WalkDir;

use crate::records::layout::{IMAGES, INCOMING};

/// Names of files beside the images begin so: the records, the API's tokens, its certificate with its key, the last good
/// configuration, and the last faults.
const PREFIXES: [&str; 5] = ["records.", "tokens.", "tls", "config.", "faults."];
/// The folder of installed models, which are no secret.
const MODELS: &str = "models";

/// Narrows the access to a state folder and to what is directly in it and may have been created by an earlier version. A
/// folder in which there are other things, too, such as a home directory, keeps its mode. Failures are logged.
pub(super) fn narrow(folder: &Path) {
    let mut is_shared = false;
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == IMAGES
            || name == INCOMING
            || PREFIXES.iter().any(|known| name.starts_with(known))
        {
            narrow_one(&entry.path());
        } else {
            is_shared |= name != MODELS;
        }
    }
    if !is_shared {
        narrow_one(folder);
    }
}

/// Narrows the access to every image, which takes long if there are many.
pub(super) fn narrow_images(folder: &Path) {
    for entry in WalkDir::new(folder.join(IMAGES)).into_iter().flatten() {
        narrow_one(entry.path());
    }
}

fn narrow_one(path: &Path) {
    match try_narrow(path) {
        Ok(false) => {}
        Ok(true) => log::warn!(
            "others could access {}; now only its owner can",
            path.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => log::warn!("others may access {}: {error}", path.display()),
    }
}

/// Returns whether the mode was changed.
fn try_narrow(path: &Path) -> io::Result<bool> {
    let found = path.symlink_metadata()?;
    let mask = match found.file_type() {
        kind if kind.is_dir() => 0o700,
        kind if kind.is_file() => 0o600,
        _ => return Ok(false),
    };
    let mode = found.mode() & 0o7777;
    if mode.trailing_zeros() >= 6 {
        return Ok(false);
    }
    fs::set_permissions(path, Permissions::from_mode(mode & mask))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::store::Store;
    use crate::records::testing::Records;

    /// Files and folders that others can access.
    fn open(folder: &Path) -> Vec<String> {
        let entries = WalkDir::new(folder).into_iter().map(Result::unwrap);
        entries
            .filter(|entry| entry.metadata().unwrap().mode() & 0o077 != 0)
            .map(|entry| entry.path().display().to_string())
            .collect()
    }

    #[test]
    fn wider_permissions_are_narrowed_when_records_are_opened() {
        let (records, _) = Records::of_days(2);
        assert_eq!(open(records.path()), Vec::<String>::new());
        let folder = records.close();
        fs::write(folder.path().join("tokens.json"), "[]").unwrap();
        fs::write(folder.path().join("tls.pem"), "").unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        for entry in WalkDir::new(folder.path()).into_iter().map(Result::unwrap) {
            let mode = if entry.file_type().is_dir() {
                0o755
            } else {
                0o644
            };
            fs::set_permissions(entry.path(), Permissions::from_mode(mode)).unwrap();
        }
        let store = Store::open(folder.path().into()).unwrap();
        narrow_images(folder.path());
        let models = folder.path().join("models").display().to_string();
        assert_eq!(open(folder.path()), [models], "models are no secret");
        drop(store);
    }

    #[test]
    fn a_folder_with_other_things_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (path, notes) = (folder.path(), folder.path().join("notes.txt"));
        for name in [notes.clone(), path.join("records.sqlite")] {
            fs::write(&name, "").unwrap();
            fs::set_permissions(&name, Permissions::from_mode(0o644)).unwrap();
        }
        fs::set_permissions(path, Permissions::from_mode(0o1777)).unwrap();
        narrow(path);
        let paths = [path, &notes].map(|path| path.display().to_string());
        assert_eq!(open(path), paths);
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o1777);
    }
}
