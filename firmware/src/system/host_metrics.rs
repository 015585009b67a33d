//! Processor, memory, disk and temperature of the machine.

use std::path::{Path, PathBuf};

use sysinfo::{Components, System};

use crate::system::disk::DiskUsage;

/// Temperature sensors of the processor, in order of preference: Raspberry Pi, Intel, AMD.
const SENSORS: [&str; 4] = ["cpu_thermal", "cpu-thermal", "Package id 0", "Tctl"];

/// Load and temperature of the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HostMetrics {
    /// Processor time used since the last measurement, 0 to 100 %.
    pub(crate) cpu: f64,
    /// Memory in use, 0 to 100 %.
    pub(crate) memory: f64,
    /// Disk space in use, 0 to 100 % of what this user may use.
    pub(crate) disk: f64,
    /// Temperature of the processor in degrees Celsius; `None` without a sensor.
    pub(crate) temperature: Option<f64>,
}

/// Measures the machine.
pub(crate) struct Probe {
    system: System,
    /// A folder on the disk to measure.
    folder: PathBuf,
}

impl Probe {
    /// Creates a probe that measures the disk of `folder`, which need not exist yet.
    pub(crate) fn new(folder: &Path) -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        Self {
            system,
            folder: folder.into(),
        }
    }

    /// Takes a measurement.
    pub(crate) fn measure(&mut self) -> HostMetrics {
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

/// Temperature of the processor in degrees Celsius; `None` without a sensor.
pub(crate) fn temperature() -> Option<f64> {
    let components = Components::new_with_refreshed_list();
    let sensor = |name: &str| {
        let found = components
            .iter()
            .find(|component| component.label().contains(name));
        found.and_then(sysinfo::Component::temperature)
    };
    let preferred = SENSORS.iter().find_map(|name| sensor(name));
    let any = || components.iter().find_map(sysinfo::Component::temperature);
    let celsius = preferred.or_else(any)?;
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
    fn metrics_of_this_machine_are_plausible() {
        let host_metrics = Probe::new(Path::new("/nowhere/yet")).measure();
        for share in [host_metrics.cpu, host_metrics.memory, host_metrics.disk] {
            assert!((0.0..=100.0).contains(&share), "{host_metrics:?}");
        }
        assert!(
            host_metrics.memory > 0.0 && host_metrics.disk > 0.0,
            "{host_metrics:?}"
        );
    }
}
