//! File operations whose order matters, behind a trait so that tests can observe them and make them fail.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::system::files;

/// File operations.
pub(super) trait Files: Send {
    /// Creates a folder that only this user can access, unless it exists.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Writes a new file and syncs its contents.
    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Renames a file.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Syncs the names in a folder.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Deletes a file, if it exists.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The real file system.
pub(super) struct RealFiles;

impl Files for RealFiles {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        files::create_private_folder(path)
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(files::PRIVATE)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        files::sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// The real file system; lists the steps taken and fails at one of them.
    #[derive(Clone, Default)]
    pub(in crate::records) struct ScriptedFiles {
        pub(in crate::records) steps: Arc<Mutex<Vec<String>>>,
        /// The index of the step that fails.
        pub(in crate::records) failing_step: Option<usize>,
    }

    impl ScriptedFiles {
        fn step(&self, action: &str, path: &Path) -> io::Result<()> {
            let mut steps = self.steps.lock().unwrap();
            let name = path.file_name().unwrap().to_string_lossy();
            // Names contain random ids, so only their kind is listed.
            let kind = match name.rsplit_once('.') {
                _ if name.ends_with("-evidence.png") => "evidence",
                Some((_, extension)) => extension,
                None if name.len() == 36 => "slide",
                None => &name,
            };
            steps.push(format!("{action} {kind}"));
            if self.failing_step == Some(steps.len() - 1) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }
    }

    impl Files for ScriptedFiles {
        fn create_folder(&self, path: &Path) -> io::Result<()> {
            self.step("create", path)?;
            RealFiles.create_folder(path)
        }

        fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            // A full disk writes part of the file.
            self.step("write", path).inspect_err(|_| {
                fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
            })?;
            RealFiles.write_synced(path, bytes)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step("rename", to)?;
            RealFiles.rename(from, to)
        }

        fn sync_folder(&self, path: &Path) -> io::Result<()> {
            self.step("sync", path)?;
            RealFiles.sync_folder(path)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            RealFiles.remove(path)
        }
    }
}
