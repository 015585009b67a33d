//! Records are for the appliance's user alone: files have mode 0600 and folders 0700, whatever the umask.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use walkdir::WalkDir;

use crate::records::layout::{IMAGES, INCOMING};

/// Names of files beside the images begin so: the records, the API's tokens, and its certificate with its key.
const PREFIXES: [&str; 3] = ["records.", "tokens.", "tls"];
/// Such as that of `/tmp`, which belongs to everybody.
const STICKY: u32 = 0o1000;

/// Narrows the access to a state folder and to the files directly in it that may have been created by an earlier version
/// or by other programs. Failures are logged.
pub(super) fn narrow(folder: &Path) {
    narrow_one(folder);
    for name in [IMAGES, INCOMING] {
        narrow_one(&folder.join(name));
    }
    let entries = folder.read_dir().into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            narrow_one(&entry.path());
        }
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
    if mode & STICKY != 0 || mode.trailing_zeros() >= 6 {
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
        fs::write(folder.path().join("README"), "").unwrap();
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
        let readme = folder.path().join("README").display().to_string();
        assert_eq!(
            open(folder.path()),
            [readme],
            "only what belongs to the appliance"
        );
        drop(store);
    }

    #[test]
    fn a_folder_that_belongs_to_everybody_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        narrow(folder.path());
        assert_eq!(folder.path().metadata().unwrap().mode() & 0o7777, 0o1777);
    }
}
