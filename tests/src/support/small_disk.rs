//! Disks of a few MiB, for tests of what happens when one is full or cannot be written to.
//!
//! They are mounted in a name space of the test's own, in which anybody may mount: they are gone with it, and
//! nobody else ever sees them.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Set for a test that runs in a name space of its own.
const INSIDE: &str = "SMEARSCOPE_TEST_NAME_SPACE";

/// Where a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a name space of its own: it may mount.
    Inside,
    /// Outside, and it has passed inside.
    Passed,
    /// Where there is no such name space.
    Nowhere,
}

/// Runs the test of this name once more, in a name space of its own.
pub(crate) fn enter(test: &str) -> Place {
    if std::env::var_os(INSIDE).is_some() {
        return Place::Inside;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]);
        command
    };
    let mount = ["mount", "-t", "tmpfs", "tmpfs", "/mnt"];
    if !unshare()
        .args(mount)
        .output()
        .is_ok_and(|o| o.status.success())
    {
        eprintln!("skipped: nothing can be mounted in a name space of one's own");
        return Place::Nowhere;
    }
    let status = unshare()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} in a name space of its own");
    Place::Passed
}

/// A disk in memory.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// One of so many MiB; only [`Place::Inside`].
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

    /// Takes every byte that is left.
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

    /// Gives back what [`SmallDisk::fill`] took.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// Makes it as small as what is on it, or larger again: as good as filled, whatever its size.
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

    /// Nothing can be written to it any more.
    pub(crate) fn seal(&self) {
        mount(&["-o", "remount,ro"], self.path());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Or else with the name space.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status();
    assert!(status.unwrap().success(), "mount {arguments:?}");
}
