//! Which driver a V4L2 device has, without opening it.

use std::path::Path;

/// Where Linux lists the devices `videoN`.
pub(super) const DEVICES: &str = "/sys/class/video4linux";

/// What a V4L2 device is, by its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum V4lDevice {
    /// The receiver of a ribbon camera of a Raspberry Pi, which delivers raw samples of the sensor.
    Ribbon {
        /// Name of the driver.
        driver: String,
    },
    /// A codec or an image processor of a Raspberry Pi, which has no sensor.
    Processor {
        /// Name of the driver.
        driver: String,
    },
    /// Any other camera, such as a UVC one. Also one whose driver is unknown.
    Camera,
}

impl V4lDevice {
    /// What `device` is, which may be a link to `/dev/videoN`. `devices` is [`DEVICES`].
    pub(super) fn of(device: &Path, devices: &Path) -> Self {
        let driver = device.canonicalize().ok().and_then(|device| {
            let name = device.file_name()?;
            let driver = devices
                .join(name)
                .join("device/driver")
                .canonicalize()
                .ok()?;
            Some(driver.file_name()?.to_string_lossy().into_owned())
        });
        match driver {
            // Until the Raspberry Pi 4, and since the Raspberry Pi 5.
            Some(driver) if matches!(&*driver, "unicam" | "rp1-cfe") => Self::Ribbon { driver },
            Some(driver)
                if [
                    "bcm2835-codec",
                    "bcm2835-isp",
                    "pispbe",
                    "rpivid",
                    "rpi-hevc-dec",
                ]
                .iter()
                .any(|name| driver.starts_with(name)) =>
            {
                Self::Processor { driver }
            }
            _ => Self::Camera,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_device_is_known_by_its_driver() {
        let root = tempfile::tempdir().unwrap();
        let devices = root.path().join("class");
        let of = |name: &str, driver: &str| {
            let device = root.path().join(name);
            fs::write(&device, "").unwrap();
            fs::create_dir_all(devices.join(name).join("device")).unwrap();
            let drivers = root.path().join("drivers").join(driver);
            fs::create_dir_all(&drivers).unwrap();
            symlink(drivers, devices.join(name).join("device/driver")).unwrap();
            let link = root.path().join(format!("link-to-{name}"));
            symlink(device, &link).unwrap();
            V4lDevice::of(&link, &devices)
        };
        for driver in ["unicam", "rp1-cfe"] {
            let driver = driver.to_owned();
            assert_eq!(of(&driver, &driver), V4lDevice::Ribbon { driver });
        }
        for driver in ["bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc-dec"] {
            let driver = driver.to_owned();
            assert_eq!(of(&driver, &driver), V4lDevice::Processor { driver });
        }
        for driver in ["uvcvideo", "bcm2835-v4l2"] {
            assert_eq!(of(driver, driver), V4lDevice::Camera);
        }
        assert_eq!(
            V4lDevice::of(Path::new("/dev/null"), &devices),
            V4lDevice::Camera,
            "unknown"
        );
    }
}
