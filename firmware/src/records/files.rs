//! The few things that are done to files, so that tests can watch them and have them fail.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// A file system on which order matters.
pub(super) trait Files: Send {
    /// Makes a folder; one that is there already is right, too.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Writes a new file; once it returns, its contents are on the disk.
    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Gives a file its name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Once it returns, the names in a folder are on the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Deletes a file; one that is absent is right, too.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The real one.
pub(super) struct Disk;

impl Files for Disk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
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

    /// The real file system, which notes what is done, and fails at one step.
    #[derive(Clone, Default)]
    pub(in crate::records) struct Scripted {
        pub(in crate::records) done: Arc<Mutex<Vec<String>>>,
        /// Which step fails, from 0.
        pub(in crate::records) failing: Option<usize>,
    }

    impl Scripted {
        fn step(&self, what: &str, path: &Path) -> io::Result<()> {
            let mut done = self.done.lock().unwrap();
            let name = path.file_name().unwrap().to_string_lossy();
            // Names are new each time; their kinds are not.
            let kind = match name.rsplit_once('.') {
                _ if name.ends_with("-evidence.png") => "evidence",
                Some((_, extension)) => extension,
                None if name.len() == 36 => "slide",
                None => &name,
            };
            done.push(format!("{what} {kind}"));
            if self.failing == Some(done.len() - 1) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }
    }

    impl Files for Scripted {
        fn make_folder(&self, path: &Path) -> io::Result<()> {
            self.step("make", path)?;
            Disk.make_folder(path)
        }

        fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            // A disk that is full takes a part.
            self.step("write", path).inspect_err(|_| {
                fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
            })?;
            Disk.write_synced(path, bytes)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step("rename", to)?;
            Disk.rename(from, to)
        }

        fn sync_folder(&self, path: &Path) -> io::Result<()> {
            self.step("sync", path)?;
            Disk.sync_folder(path)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            Disk.remove(path)
        }
    }
}
