//! Mounted file systems: whether a folder outlasts a power cut, and whether its own file system is mounted.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::system::disk::DiskUsage;

/// The mounted file systems of this process, in the order of mounting.
const MOUNT_INFO: &str = "/proc/self/mountinfo";
/// The file systems that the system mounts.
const FSTAB: &str = "/etc/fstab";

/// File systems in memory.
const IN_MEMORY: [&str; 4] = ["tmpfs", "ramfs", "devtmpfs", "rootfs"];
/// Block devices in memory.
const MEMORY_DEVICES: [&str; 2] = ["/dev/zram", "/dev/ram"];
/// File systems that write to an upper layer.
const LAYERED: &str = "overlay";

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    /// Major and minor number of its device.
    device: String,
    folder: PathBuf,
    kind: String,
    source: PathBuf,
    /// The folder that a layered file system writes to.
    upper: Option<PathBuf>,
}

/// The mounted file systems, in the order of mounting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounts(Vec<Mount>);

/// The sizes by which an overlay's hidden upper layer is judged.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    file_system: u64,
    memory: u64,
}

impl Mounts {
    /// The file systems that are mounted now.
    ///
    /// # Errors
    /// If `/proc` is not available.
    pub(crate) fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read(MOUNT_INFO)?))
    }

    /// Parses `/proc/self/mountinfo` (proc(5)). Lines without the expected columns are skipped.
    fn parse(text: &[u8]) -> Self {
        Self(
            text.split(|byte| *byte == b'\n')
                .filter_map(mount)
                .collect(),
        )
    }

    /// The file system that holds `path`: of several at the same place, the one that was mounted last.
    fn holding(&self, path: &Path) -> Option<&Mount> {
        let above = self
            .0
            .iter()
            .filter(|mount| path.starts_with(&mount.folder));
        above.max_by_key(|mount| mount.folder.components().count())
    }

    /// Why a power cut would empty the folder `path`, which must be absolute and free of links; `None` if it would not.
    fn volatility(&self, path: &Path, sizes: Sizes) -> Option<String> {
        let mount = self.holding(path)?;
        let mut layer = mount;
        // An upper layer may itself be in an overlay, which the kernel allows twice.
        for _ in 0..=2 {
            if layer.is_in_memory() {
                let kind = &layer.kind;
                return Some(if layer.folder == mount.folder {
                    format!("it is in memory ({kind})")
                } else {
                    let folder = layer.folder.display();
                    format!("it is on an overlay whose changes go to memory ({kind} at {folder})")
                });
            }
            let upper = layer.upper.as_ref()?;
            let below = self.holding(upper)?;
            if below.device == layer.device {
                // The upper layer was mounted before the overlay became the root, so it is hidden.
                return (sizes.file_system <= sizes.memory).then(|| {
                    format!(
                        "it is on an overlay whose changes go to {}, which is hidden and no larger than the memory",
                        upper.display()
                    )
                });
            }
            layer = below;
        }
        None
    }

    /// The folder at or above `path` at which `fstab` mounts a file system, but none is mounted.
    fn missing(&self, path: &Path, fstab: &[u8]) -> Option<PathBuf> {
        let folders = fstab.split(|byte| *byte == b'\n').filter_map(|line| {
            let line = line.trim_ascii();
            if line.starts_with(b"#") {
                return None;
            }
            Some(unescaped(columns(line).nth(1)?))
        });
        folders
            .filter(|folder| folder.is_absolute() && path.starts_with(folder))
            .find(|folder| self.0.iter().all(|mount| mount.folder != *folder))
    }
}

impl Mount {
    fn is_in_memory(&self) -> bool {
        let source = self.source.as_os_str().as_bytes();
        IN_MEMORY.contains(&&*self.kind)
            || MEMORY_DEVICES
                .iter()
                .any(|device| source.starts_with(device.as_bytes()))
    }
}

/// Why a power cut would empty a folder; `None` if it would not, as far as that can be seen.
pub(crate) fn volatility(folder: &Path) -> Option<String> {
    let mounts = known(Mounts::read(), MOUNT_INFO)?;
    let sizes = Sizes {
        // A folder that cannot be examined is on no overlay of which more could be learned.
        file_system: DiskUsage::of(existing(folder)).map_or(u64::MAX, |disk| disk.total),
        memory: memory(),
    };
    mounts.volatility(&resolved(folder), sizes)
}

/// The folder at or above `folder` at which the system mounts a file system, but none is mounted now.
pub(crate) fn missing_mount(folder: &Path) -> Option<PathBuf> {
    // Most containers have no such file.
    let fstab = fs::read(FSTAB).ok()?;
    known(Mounts::read(), MOUNT_INFO)?.missing(&resolved(folder), &fstab)
}

fn known<T>(found: io::Result<T>, path: &str) -> Option<T> {
    found
        .inspect_err(|error| log::warn!("{path} cannot be read: {error}"))
        .ok()
}

/// The size of the memory in bytes.
fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit))
}

/// `folder` or the nearest folder above it that exists.
fn existing(folder: &Path) -> &Path {
    let mut above = folder.ancestors();
    above.find(|folder| folder.exists()).unwrap_or(folder)
}

/// `folder` without links, also if its last parts do not exist yet.
fn resolved(folder: &Path) -> PathBuf {
    let existing = existing(folder);
    match (existing.canonicalize(), folder.strip_prefix(existing)) {
        (Ok(found), Ok(rest)) => found.join(rest),
        _ => folder.into(),
    }
}

fn columns(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|column| !column.is_empty())
}

/// Parses a line of `/proc/self/mountinfo`.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut columns = columns(line).skip(2);
    let device = String::from_utf8_lossy(columns.next()?).into_owned();
    let folder = unescaped(columns.nth(1)?);
    // Optional fields end with a dash.
    columns.find(|column| *column == b"-")?;
    let kind = String::from_utf8_lossy(columns.next()?).into_owned();
    let source = unescaped(columns.next()?);
    let options = columns.next().unwrap_or_default();
    let upper = (kind == LAYERED).then(|| {
        options
            .split(|byte| *byte == b',')
            .find_map(|option| option.strip_prefix(b"upperdir="))
            .map(unescaped)
    });
    Some(Mount {
        device,
        folder,
        kind,
        source,
        upper: upper.flatten(),
    })
}

/// Replaces the octal escapes of spaces, tabs, line breaks and backslashes, such as `\040`.
fn unescaped(column: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(column.len());
    let mut rest = column;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| byte == b'\\');
        let escaped = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(escaped) = escaped {
            path.push(escaped);
            rest = &after[3..];
        } else {
            path.push(byte);
            rest = after;
        }
    }
    OsString::from_vec(path).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    /// A Raspberry Pi of 2 GiB with a card of 32 GB, or with half of its memory as a disk.
    const CARD: Sizes = Sizes {
        file_system: 29 * GIB,
        memory: 2 * GIB,
    };
    const HALF_OF_MEMORY: Sizes = Sizes {
        file_system: GIB,
        memory: 2 * GIB,
    };

    /// Raspberry Pi OS on a card, with memory at /tmp and a stick at a folder with a space.
    const PLAIN: &str = "\
24 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw
25 24 0:21 / /proc rw - proc proc rw
30 24 0:27 / /tmp rw,nosuid shared:12 - tmpfs tmpfs rw,size=1048576k
31 24 8:1 / /media/my\\040stick rw shared:13 - ext4 /dev/sda1 rw
32 24 0:40 /@state /srv/state rw shared:14 - btrfs /dev/sdb1 rw,subvol=/@state
33 24 252:0 / /var/log rw - ext4 /dev/zram0 rw
34 24 8:1 /lab /var/lib/bound rw shared:13 - ext4 /dev/sda1 rw
35 30 179:2 / /tmp/disk rw - ext4 /dev/mmcblk0p2 rw
";

    /// The package overlayroot: the root's changes go to memory, which is mounted at /media/root-rw.
    const OVERLAYROOT: &str = "\
21 27 0:19 / /media/root-ro ro,relatime - ext4 /dev/mmcblk0p2 ro
22 27 0:20 / /media/root-rw rw,relatime - tmpfs tmpfs-root rw
27 0 0:23 / / rw,relatime - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay,workdir=/media/root-rw/overlay-workdir/_
40 27 0:23 /var/lib/smearscope /var/lib/smearscope rw - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay,workdir=/media/root-rw/overlay-workdir/_
41 27 8:1 / /data rw - ext4 /dev/sda1 rw
";

    /// An overlay whose upper layer was mounted before it became the root, as by raspi-config or in a container.
    const HIDDEN: &str = "\
27 0 0:23 / / rw,noatime - overlay overlay rw,lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work
41 27 8:1 / /data rw - ext4 /dev/sda1 rw
";

    fn volatility(mounts: &str, path: &str, sizes: Sizes) -> Option<String> {
        Mounts::parse(mounts.as_bytes()).volatility(Path::new(path), sizes)
    }

    #[test]
    fn memory_forgets_and_disks_do_not() {
        for (path, reason) in [
            ("/var/lib/smearscope", None),
            ("/tmp/state", Some("it is in memory (tmpfs)")),
            ("/tmp/disk/state", None),
            ("/tmpstate", None),
            ("/media/my stick/state", None),
            ("/srv/state", None),
            ("/var/lib/bound/state", None),
            ("/var/log/state", Some("it is in memory (ext4)")),
        ] {
            assert_eq!(volatility(PLAIN, path, CARD).as_deref(), reason, "{path}");
        }
    }

    #[test]
    fn a_file_system_mounted_over_another_counts() {
        let over =
            "24 1 8:1 / /data rw - tmpfs tmpfs rw\n25 1 8:2 / /data rw - ext4 /dev/sda1 rw\n";
        assert_eq!(volatility(over, "/data", CARD), None);
        let under: Vec<_> = over.lines().rev().collect();
        let under = under.join("\n");
        assert!(volatility(&under, "/data", CARD).is_some());
    }

    #[test]
    fn an_overlay_is_as_lasting_as_its_upper_layer() {
        let reason = "it is on an overlay whose changes go to memory (tmpfs at /media/root-rw)";
        for path in ["/home", "/var/lib/smearscope", "/var/lib/smearscope/models"] {
            assert_eq!(
                volatility(OVERLAYROOT, path, CARD).as_deref(),
                Some(reason),
                "{path}"
            );
        }
        assert_eq!(volatility(OVERLAYROOT, "/data/state", HALF_OF_MEMORY), None);
        let on_disk = OVERLAYROOT.replace("tmpfs tmpfs-root", "ext4 /dev/sda2");
        assert_eq!(volatility(&on_disk, "/home", HALF_OF_MEMORY), None);
        let nested = format!(
            "{OVERLAYROOT}50 27 0:50 / /home/lab rw - overlay lab rw,lowerdir=/home,upperdir=/srv/lab\\040a,workdir=/srv/work\n"
        );
        assert_eq!(
            volatility(&nested, "/home/lab", CARD).as_deref(),
            Some(reason)
        );
    }

    #[test]
    fn a_hidden_upper_layer_is_judged_by_its_size() {
        let reason = volatility(HIDDEN, "/var/lib/smearscope", HALF_OF_MEMORY).unwrap();
        assert!(
            reason.contains("go to /upper/data, which is hidden"),
            "{reason}"
        );
        assert_eq!(volatility(HIDDEN, "/var/lib/smearscope", CARD), None);
        assert_eq!(volatility(HIDDEN, "/data/state", HALF_OF_MEMORY), None);
    }

    #[test]
    fn a_file_system_that_should_be_mounted_is_missed() {
        let fstab = b"# a card and two sticks\n\
            PARTUUID=1-02 / ext4 defaults,noatime 0 1\n\
            proc\t/proc proc defaults 0 0\n\
            UUID=3 none swap sw 0 0\n\
            UUID=4 /media/my\\040stick ext4 nofail 0 2\n\
            UUID=5 /media/other\\040stick ext4 nofail 0 2\n\
            #UUID=6 /srv/old ext4 nofail 0 2\n\
            UUID=7 /srv/records/ ext4 nofail 0 2\n";
        let mounts = Mounts::parse(PLAIN.as_bytes());
        let missing = |path: &str| mounts.missing(Path::new(path), fstab);
        assert_eq!(
            missing("/media/other stick/state"),
            Some("/media/other stick".into())
        );
        assert_eq!(missing("/srv/records"), Some("/srv/records".into()));
        for path in [
            "/media/my stick/state",
            "/srv/old/state",
            "/var/lib/smearscope",
        ] {
            assert_eq!(missing(path), None, "{path}");
        }
    }

    #[test]
    fn damaged_lines_are_skipped() {
        let text = b"\n1 2\n24 1 8:1 / /data rw shared:1\n25 1 8:1 / /ok rw - tmpfs\n26 1 8:1 / /a\\04 rw - tmpfs \xff";
        let mounts = Mounts::parse(text);
        assert_eq!(mounts.0.len(), 1);
        assert_eq!(mounts.0[0].folder, Path::new("/a\\04"));
    }

    #[test]
    fn the_mounts_of_this_machine_are_read() {
        let mounts = Mounts::read().unwrap();
        assert!(mounts.holding(Path::new("/proc/self")).is_some());
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("a/b");
        assert_eq!(
            resolved(&missing),
            folder.path().canonicalize().unwrap().join("a/b")
        );
        assert!(memory() > 1 << 20);
    }
}
