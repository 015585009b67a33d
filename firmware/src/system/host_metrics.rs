//! How the machine is: processor, memory, disk, temperature.

use std::path::{Path, PathBuf};

use sysinfo::{Components, System};

use crate::system::disk::DiskUsage;

/// Sensors whose temperature stands for the machine, best first: a Raspberry Pi's, an Intel's, an AMD's.
const SENSORS: [&str; 4] = ["cpu_thermal", "cpu-thermal", "Package id 0", "Tctl"];

/// How the machine is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HostMetrics {
    /// Processor time that was in use since the last look, 0 to 100 %.
    pub(crate) cpu: f64,
    /// Memory that is in use, 0 to 100 %.
    pub(crate) memory: f64,
    /// Disk space that is in use, 0 to 100 %, as far as this user may use it.
    pub(crate) disk: f64,
    /// Degrees Celsius, where there is a sensor.
    pub(crate) temperature: Option<f64>,
}

/// Looks how the machine is.
pub(crate) struct Probe {
    system: System,
    /// On the disk that counts.
    folder: PathBuf,
}

impl Probe {
    /// One that looks at the disk of `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        Self {
            system,
            folder: folder.into(),
        }
    }

    /// Looks.
    pub(crate) fn look(&mut self) -> HostMetrics {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let total = self.system.total_memory().max(1);
        HostMetrics {
            cpu: tenths(self.system.global_cpu_usage().into()),
            memory: percent(self.system.used_memory(), total),
            disk: self.disk(),
            temperature: temperature(),
        }
    }

    fn disk(&self) -> f64 {
        // A folder that does not exist yet will be on the disk of its parent.
        let existing = self.folder.ancestors().find(|folder| folder.exists());
        DiskUsage::of(existing.unwrap_or(Path::new("/")))
            .map_or(0.0, |disk| tenths(disk.used_share() * 100.0))
    }
}

/// Of the processor, in degrees Celsius; `None` where there is no sensor.
pub(crate) fn temperature() -> Option<f64> {
    let components = Components::new_with_refreshed_list();
    let of = |name: &str| {
        let found = components
            .iter()
            .find(|component| component.label().contains(name));
        found.and_then(sysinfo::Component::temperature)
    };
    let known = SENSORS.iter().find_map(|name| of(name));
    let any = || components.iter().find_map(sysinfo::Component::temperature);
    let celsius = known.or_else(any)?;
    celsius.is_finite().then(|| tenths(celsius.into()))
}

fn percent(part: u64, of: u64) -> f64 {
    tenths(part as f64 * 100.0 / of as f64)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_vitals() {
        let host_metrics = Probe::new(Path::new("/nowhere/yet")).look();
        for share in [host_metrics.cpu, host_metrics.memory, host_metrics.disk] {
            assert!((0.0..=100.0).contains(&share), "{host_metrics:?}");
        }
        assert!(
            host_metrics.memory > 0.0 && host_metrics.disk > 0.0,
            "{host_metrics:?}"
        );
    }
}
