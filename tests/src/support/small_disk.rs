//! Disks of a few MiB for tests of full and read-only disks.
//!
//! They are mounted in a name space, which hides them from other processes and unmounts them at its end.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::name_space::unshare;

/// Set for a test that runs in a name space.
const INSIDE: &str = "SMEARSCOPE_TEST_NAME_SPACE";

/// Where the test's code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a name space: it may mount.
    Inside,
    /// Outside, after it has passed inside.
    Passed,
    /// Where a name space is not allowed.
    Nowhere,
}

/// Runs the test of this name in `module_path!()` in a name space.
pub(crate) fn enter(module: &str, test: &str) -> Place {
    if std::env::var_os(INSIDE).is_some() {
        return Place::Inside;
    }
    let Some(mut unshare) = unshare() else {
        return Place::Nowhere;
    };
    // The harness names tests without the crate.
    let (_, module) = module.split_once("::").unwrap();
    let status = unshare
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("{module}::{test}"),
            "--include-ignored",
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} in a name space");
    Place::Passed
}

/// A disk in memory.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts a disk of `mib` MiB; only [`Place::Inside`].
    pub(crate) fn of_mib(mib: u64) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        let size = format!("size={mib}m");
        mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], disk.path());
        disk
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("of-others")
    }

    /// Fills all free space.
    pub(crate) fn fill(&self) {
        let mut filler = File::options()
            .append(true)
            .create(true)
            .open(self.filler())
            .unwrap();
        let page = [1; 4096];
        let error = loop {
            if let Err(error) = filler.write_all(&page) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    /// Frees the space that [`SmallDisk::fill`] took.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// Resizes the disk to `mib` MiB, or to its contents, which leaves no free space.
    pub(crate) fn resize(&self, mib: Option<u64>) {
        let size = mib.map_or_else(
            || {
                let disk = rustix::fs::statvfs(self.path()).unwrap();
                (disk.f_blocks - disk.f_bfree) * disk.f_frsize
            },
            |mib| mib << 20,
        );
        mount(&["-o", &format!("remount,size={size}")], self.path());
    }

    /// Makes the disk read-only.
    pub(crate) fn seal(&self) {
        mount(&["-o", "remount,ro"], self.path());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // If this fails, the end of the name space unmounts it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status();
    assert!(status.unwrap().success(), "mount {arguments:?}");
}
