//! Files that a power cut must not damage, and that nobody else may read.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, fchown};
use std::path::Path;

use tempfile::NamedTempFile;

/// Mode of a file that only its owner can access.
pub(crate) const PRIVATE: u32 = 0o600;

/// Creates a folder that only this user can access, and those above it, unless they exist.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a folder, and those above it, unless they exist. If an administrator does, it is given to the owner of the folder
/// that it is in, such as the service.
pub(crate) fn create_folder_for_owner(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let (owner, found) = (folder_of(path).metadata()?, path.metadata()?);
    if rustix::process::geteuid().is_root() && owner.uid() != found.uid() {
        chown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Syncs the names in a folder.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Replaces a file, or creates it with this mode; after a power cut, either the old or the new one exists. It belongs to
/// the owner of its folder, also if an administrator's command writes it.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    replace_prepared(path, folder, bytes, |file| {
        let owner = folder.metadata()?;
        if mode != PRIVATE {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        // The service must not call fchown: its system-call filter refuses that even where nothing would change.
        if owner.uid() != file.metadata()?.uid() {
            fchown(file, Some(owner.uid()), Some(owner.gid()))?;
        }
        Ok(())
    })
}

/// Replaces the contents of a file, or of the one that a link leads to, and keeps its owner and mode. Only this user can
/// read a new file. After a power cut, either the old or the new contents exist.
pub(crate) fn replace_contents(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    replace_prepared(path, folder_of(path), bytes, |file| {
        let Ok(old) = path.metadata() else {
            return Ok(());
        };
        file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(file, Some(old.uid()), Some(old.gid()))?;
        }
        Ok(())
    })
}

/// Replaces a file in `folder`. `prepare` changes mode and owner of the new one.
fn replace_prepared(
    path: &Path,
    folder: &Path,
    bytes: &[u8],
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    // `tempfile` creates files that only their owner can access.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    prepare(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

/// The folder of a file.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use smearscope_artifacts::testing::skip;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn a_replaced_file_has_the_wanted_mode_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a/b");
        create_private_folder(&folder).unwrap();
        create_private_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(folder.parent().unwrap()), 0o700);
        let path = folder.join("file");
        for (text, wanted) in [("old", 0o644), ("new", PRIVATE)] {
            replace(&path, text.as_bytes(), wanted).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(mode(&path), wanted);
        }
        // A folder cannot be replaced by a file.
        replace(&folder, b"", PRIVATE).unwrap_err();
        assert_eq!(folder.read_dir().unwrap().count(), 1);
        assert_eq!(folder.parent().unwrap().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn what_an_administrator_creates_belongs_to_the_owner_of_the_folder() {
        const OWNER: u32 = 4711;
        if !rustix::process::geteuid().is_root() {
            skip("only root can give files away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(OWNER), Some(OWNER)).unwrap();
        let models = folder.path().join("models");
        create_folder_for_owner(&models).unwrap();
        let path = models.join("file");
        replace(&path, b"", PRIVATE).unwrap();
        for path in [&models, &path] {
            let found = path.metadata().unwrap();
            assert_eq!((found.uid(), found.gid()), (OWNER, OWNER));
        }
    }

    #[test]
    fn replaced_contents_keep_mode_and_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        replace_contents(&path, b"old").unwrap();
        assert_eq!(mode(&path), PRIVATE);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        replace_contents(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(mode(&path), 0o640);
    }
}
