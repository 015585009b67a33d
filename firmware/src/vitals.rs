//! How the computer is: its temperature, and the room on its disk.

use std::io;
use std::path::Path;

/// The processor's sensor, on a Pi and most others.
const SENSOR: &str = "/sys/class/thermal/thermal_zone0/temp";

/// Room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    /// What the appliance may still write.
    pub(crate) free: u64,
    /// All of it.
    pub(crate) total: u64,
}

/// Of the processor, in degrees Celsius; `None` where there is no sensor.
pub(crate) fn temperature() -> Option<f32> {
    let text = std::fs::read_to_string(SENSOR).ok()?;
    Some(text.trim().parse::<f32>().ok()? / 1000.0)
}

/// Of the disk that holds `folder`.
///
/// # Errors
/// If there is no such folder.
pub(crate) fn disk(folder: &Path) -> io::Result<Disk> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(Disk {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        total: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_no_more_free_than_it_has() {
        let disk = disk(Path::new("/")).unwrap();
        assert!(disk.total > 0 && disk.free <= disk.total);
        assert!(super::disk(Path::new("/no/such/folder")).is_err());
    }
}
