//! The camera that is connected: a USB camera or a ribbon camera.

use std::path::Path;

use crate::board::faults::Faults;
use crate::camera::frame::Frame;
use crate::camera::preview::{Preview, PreviewMode};
use crate::camera::rpicam::{self, RpicamCamera};
use crate::camera::usb::{self, UsbCamera};
use crate::camera::v4l_driver::{self, V4lDevice};
use crate::config::{CameraConfig, CameraKind, Equipment};
use crate::error::HardwareError;
use crate::ports::Camera;

/// The camera of the configured kind. With [`CameraKind::Auto`], the kind is looked up for each picture, because another
/// camera may have been plugged in.
pub(crate) struct ConnectedCamera {
    config: CameraConfig,
    usb: UsbCamera,
    rpicam: RpicamCamera,
}

impl ConnectedCamera {
    /// A camera that may still be missing. `faults` gets a probe that checks for it.
    pub(crate) fn new(equipment: &Equipment, faults: &Faults) -> Self {
        let Equipment { camera, rpicam, .. } = equipment;
        faults.add_probe("camera", {
            let (camera, rpicam) = (camera.clone(), rpicam.clone());
            move || match kind(&camera, Path::new(v4l_driver::DEVICES))? {
                Kind::Usb => usb::probe(&camera),
                Kind::Rpicam => rpicam::probe(&rpicam),
            }
        });
        Self {
            config: camera.clone(),
            usb: UsbCamera::new(camera.clone()),
            rpicam: RpicamCamera::new(camera.clone(), rpicam.clone()),
        }
    }

    fn camera(&mut self) -> Result<&mut dyn Camera, HardwareError> {
        Ok(match kind(&self.config, Path::new(v4l_driver::DEVICES))? {
            Kind::Usb => &mut self.usb,
            Kind::Rpicam => &mut self.rpicam,
        })
    }
}

impl Camera for ConnectedCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        self.camera()?.capture()
    }

    fn preview(&mut self, mode: PreviewMode) -> Result<Preview, HardwareError> {
        self.camera()?.preview(mode)
    }

    fn stop_preview(&mut self) {
        self.usb.stop_preview();
        self.rpicam.stop_preview();
    }

    fn describe(&self) -> String {
        match kind(&self.config, Path::new(v4l_driver::DEVICES)) {
            Ok(Kind::Rpicam) => self.rpicam.describe(),
            Ok(Kind::Usb) | Err(_) => self.usb.describe(),
        }
    }
}

/// How a camera is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usb,
    Rpicam,
}

/// The kind of the configured camera. `devices` is [`v4l_driver::DEVICES`].
///
/// # Errors
/// [`HardwareError::Open`] if `camera.device` is a device that this kind cannot use.
fn kind(config: &CameraConfig, devices: &Path) -> Result<Kind, HardwareError> {
    if config.kind == CameraKind::Rpicam {
        return Ok(Kind::Rpicam);
    }
    let device = config.device.path();
    let unusable = |remedy: String| HardwareError::Open {
        part: "camera",
        at: device.display().to_string(),
        remedy,
        source: None,
    };
    match V4lDevice::of(&device, devices) {
        V4lDevice::Ribbon { .. } if config.kind == CameraKind::Auto => Ok(Kind::Rpicam),
        V4lDevice::Ribbon { driver } => Err(unusable(format!(
            "it is a ribbon camera (driver {driver}); set camera.kind to \"rpicam\" or \"auto\""
        ))),
        V4lDevice::Processor { driver } => Err(unusable(format!(
            "it is no camera but a video processor (driver {driver}); set camera.device to a link in /dev/v4l/by-id, or \
             camera.kind to \"rpicam\" for a ribbon camera"
        ))),
        V4lDevice::Camera => Ok(Kind::Usb),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::CameraDevice;

    #[test]
    fn the_driver_tells_a_ribbon_camera_from_a_usb_camera() {
        let root = tempfile::tempdir().unwrap();
        let kind_with = |driver: &str, kind: CameraKind| {
            let device = root.path().join(driver);
            fs::write(&device, "").unwrap();
            let entry = root.path().join("class").join(driver).join("device");
            fs::create_dir_all(&entry).unwrap();
            let drivers = root.path().join("drivers").join(driver);
            fs::create_dir_all(&drivers).unwrap();
            // It may be there from the last call.
            let _ = symlink(drivers, entry.join("driver"));
            let config = CameraConfig {
                kind,
                device: CameraDevice::Path(device),
                ..CameraConfig::default()
            };
            super::kind(&config, &root.path().join("class"))
        };
        for driver in ["unicam", "rp1-cfe"] {
            assert_eq!(kind_with(driver, CameraKind::Auto).unwrap(), Kind::Rpicam);
            assert_eq!(kind_with(driver, CameraKind::Rpicam).unwrap(), Kind::Rpicam);
            let error = kind_with(driver, CameraKind::Usb).unwrap_err().to_string();
            for word in ["ribbon camera", driver, "camera.kind"] {
                assert!(error.contains(word), "{error}");
            }
        }
        for kind in [CameraKind::Auto, CameraKind::Usb] {
            assert_eq!(kind_with("uvcvideo", kind).unwrap(), Kind::Usb);
            let error = kind_with("bcm2835-isp", kind).unwrap_err().to_string();
            assert!(error.contains("no camera"), "{error}");
        }
    }

    #[test]
    fn a_missing_camera_is_a_fault_before_the_first_press() {
        let faults = Faults::default();
        let config = CameraConfig {
            device: CameraDevice::Path("/dev/v4l/by-id/absent".into()),
            ..CameraConfig::default()
        };
        let equipment = Equipment {
            camera: config,
            ..Equipment::default()
        };
        let mut camera = ConnectedCamera::new(&equipment, &faults);
        let fault = faults.check().pop().unwrap();
        assert!(fault.contains("camera at /dev/v4l/by-id/absent"), "{fault}");
        assert!(matches!(camera.capture(), Err(HardwareError::Open { .. })));
    }
}
