//! Exposure, white balance and gain of a V4L2 camera.
//!
//! The control numbers and menu items are from `linux/v4l2-controls.h`.

use std::io;

use crate::camera::frame::CaptureSettings;
use crate::config::{CameraConfig, ControlSetting};
use crate::error::HardwareError;

/// `V4L2_CID_EXPOSURE_AUTO`, a menu, and `V4L2_CID_EXPOSURE_ABSOLUTE`, in units of 100 µs.
const EXPOSURE_AUTO: u32 = 0x009a_0901;
const EXPOSURE: u32 = 0x009a_0902;
/// Items of that menu. A webcam offers `AUTO` or `APERTURE_PRIORITY` as automatic exposure.
const AUTO: i32 = 0;
const MANUAL: i32 = 1;
const APERTURE_PRIORITY: i32 = 3;
/// `V4L2_CID_AUTO_WHITE_BALANCE`, a switch, and `V4L2_CID_WHITE_BALANCE_TEMPERATURE`, in kelvin.
const AUTO_WHITE_BALANCE: u32 = 0x0098_090c;
const WHITE_BALANCE: u32 = 0x0098_091a;
/// `V4L2_CID_AUTOGAIN`, a switch, and `V4L2_CID_GAIN`.
const AUTO_GAIN: u32 = 0x0098_0912;
const GAIN: u32 = 0x0098_0913;

/// The controls of a device. They are asked for one by one: a list of all has types that are not known here.
pub(super) trait ControlDevice {
    /// The values of a control; `None` if the device lacks it.
    fn range(&self, control: u32) -> Option<ControlRange>;

    /// # Errors
    /// Those of the driver.
    fn set(&self, control: u32, value: i32) -> io::Result<()>;

    /// # Errors
    /// Those of the driver.
    fn value(&self, control: u32) -> io::Result<i32>;
}

/// The values that a control accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ControlRange {
    pub(super) min: i32,
    pub(super) max: i32,
    pub(super) step: i32,
    /// Whether it can never be set.
    pub(super) is_disabled: bool,
}

/// A control to set, and the values to try, best first.
type Step = (u32, Vec<i32>);

/// Applies the configuration to a camera.
///
/// # Errors
/// [`HardwareError::Unsupported`] if a value is outside the range of the camera or the camera lacks the control;
/// the driver's error if it refuses a value.
pub(super) fn apply(
    device: &impl ControlDevice,
    config: &CameraConfig,
    lost: impl Fn(io::Error) -> HardwareError,
) -> Result<(), HardwareError> {
    for (control, values) in steps(device, config)? {
        let mut refusal = None;
        for value in values {
            refusal = set(device, control, value).err();
            if refusal.is_none() {
                break;
            }
        }
        if let Some(error) = refusal {
            return Err(lost(error));
        }
    }
    Ok(())
}

/// Exposure, gain and white balance as they are now, as far as the camera tells.
pub(super) fn settings(device: &impl ControlDevice) -> CaptureSettings {
    let value = |control| {
        device.range(control).filter(|range| !range.is_disabled)?;
        device.value(control).ok()
    };
    CaptureSettings {
        exposure_us: value(EXPOSURE).map(|units| f64::from(units) * 100.0),
        gain: value(GAIN).map(f64::from),
        white_balance_k: value(WHITE_BALANCE).and_then(|kelvin| u32::try_from(kelvin).ok()),
        has_fixed_white_balance: value(AUTO_WHITE_BALANCE).map(|switch| switch == 0),
        ..CaptureSettings::default()
    }
}

/// Sets a value and checks that the camera took it.
fn set(device: &impl ControlDevice, control: u32, value: i32) -> io::Result<()> {
    device.set(control, value)?;
    let taken = device.value(control)?;
    if taken == value {
        Ok(())
    } else {
        let message = format!("control {control:#010x} is {taken} after it was set to {value}");
        Err(io::Error::other(message))
    }
}

/// What is to be set, in this order.
fn steps(device: &impl ControlDevice, config: &CameraConfig) -> Result<Vec<Step>, HardwareError> {
    let parts = [
        (
            ("camera.exposure", config.exposure, EXPOSURE),
            (EXPOSURE_AUTO, vec![APERTURE_PRIORITY, AUTO], MANUAL),
        ),
        (
            ("camera.white_balance", config.white_balance, WHITE_BALANCE),
            (AUTO_WHITE_BALANCE, vec![1], 0),
        ),
        (("camera.gain", config.gain, GAIN), (AUTO_GAIN, vec![1], 0)),
    ];
    let range = |control| device.range(control).filter(|range| !range.is_disabled);
    let mut steps = Vec::new();
    for ((key, setting, control), (automatic, on, off)) in parts {
        let value = match setting {
            ControlSetting::Auto(_) => None,
            ControlSetting::Manual(value) => Some(checked(key, value, range(control))?),
        };
        if range(automatic).is_some() {
            steps.push((automatic, if value.is_some() { vec![off] } else { on }));
        }
        if let Some(value) = value {
            steps.push((control, vec![value]));
        }
    }
    Ok(steps)
}

/// The value, if the camera accepts it.
fn checked(key: &str, value: i64, range: Option<ControlRange>) -> Result<i32, HardwareError> {
    let unsupported = |offers: String| HardwareError::Unsupported {
        part: "camera",
        wanted: format!("{key} = {value}"),
        offers,
    };
    let Some(ControlRange { min, max, step, .. }) = range else {
        return Err(unsupported(format!(
            "no such control; set {key} to \"auto\""
        )));
    };
    let step = step.max(1);
    i32::try_from(value)
        .ok()
        .filter(|value| (min..=max).contains(value) && (value - min) % step == 0)
        .ok_or_else(|| unsupported(format!("{min} to {max} in steps of {step}")))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Auto;

    /// A device that exists only here.
    #[derive(Default)]
    struct PretendDevice {
        ranges: BTreeMap<u32, ControlRange>,
        values: RefCell<BTreeMap<u32, i32>>,
        /// What was set, in order.
        set: RefCell<Vec<(u32, i32)>>,
        /// Values that it refuses, and one that it takes for another.
        refuses: Vec<(u32, i32)>,
        alters: Option<(u32, i32)>,
    }

    impl ControlDevice for PretendDevice {
        fn range(&self, control: u32) -> Option<ControlRange> {
            // V4L2_CTRL_FLAG_NEXT_CTRL and _COMPOUND: whoever lists controls meets types that are not known.
            assert_eq!(control & 0xc000_0000, 0, "controls must not be listed");
            self.ranges.get(&control).copied()
        }

        fn set(&self, control: u32, value: i32) -> io::Result<()> {
            self.set.borrow_mut().push((control, value));
            if self.refuses.contains(&(control, value)) {
                return Err(io::Error::other("refused"));
            }
            let is_altered = self.alters == Some((control, value));
            let value = value + i32::from(is_altered);
            self.values.borrow_mut().insert(control, value);
            Ok(())
        }

        fn value(&self, control: u32) -> io::Result<i32> {
            let values = self.values.borrow();
            values
                .get(&control)
                .copied()
                .ok_or(io::Error::other("unset"))
        }
    }

    fn range(min: i32, max: i32, step: i32) -> ControlRange {
        ControlRange {
            min,
            max,
            step,
            is_disabled: false,
        }
    }

    fn webcam() -> PretendDevice {
        let disabled = ControlRange {
            is_disabled: true,
            ..range(0, 1, 1)
        };
        PretendDevice {
            ranges: BTreeMap::from([
                (EXPOSURE_AUTO, range(0, 3, 1)),
                (EXPOSURE, range(3, 2047, 1)),
                (AUTO_WHITE_BALANCE, range(0, 1, 1)),
                (WHITE_BALANCE, range(2800, 6500, 10)),
                (AUTO_GAIN, disabled),
                (GAIN, range(0, 255, 1)),
            ]),
            ..PretendDevice::default()
        }
    }

    fn config(
        exposure: ControlSetting,
        white_balance: ControlSetting,
        gain: ControlSetting,
    ) -> CameraConfig {
        CameraConfig {
            exposure,
            white_balance,
            gain,
            ..CameraConfig::default()
        }
    }

    /// What the configuration sets on a device.
    fn set_on(device: &PretendDevice, config: &CameraConfig) -> Result<Vec<(u32, i32)>, String> {
        let lost = |error: io::Error| HardwareError::DamagedFrame {
            reason: error.to_string(),
        };
        apply(device, config, lost).map_err(|error| error.to_string())?;
        Ok(device.set.borrow().clone())
    }

    const AUTOMATIC: ControlSetting = ControlSetting::Auto(Auto::Auto);

    #[test]
    fn automatic_controls_are_enabled_if_available() {
        let config = config(AUTOMATIC, AUTOMATIC, AUTOMATIC);
        assert_eq!(
            set_on(&webcam(), &config).unwrap(),
            [(EXPOSURE_AUTO, APERTURE_PRIORITY), (AUTO_WHITE_BALANCE, 1)]
        );
        let other = PretendDevice {
            refuses: vec![(EXPOSURE_AUTO, APERTURE_PRIORITY)],
            ..webcam()
        };
        assert_eq!(
            set_on(&other, &config).unwrap(),
            [
                (EXPOSURE_AUTO, APERTURE_PRIORITY),
                (EXPOSURE_AUTO, AUTO),
                (AUTO_WHITE_BALANCE, 1)
            ]
        );
        assert_eq!(set_on(&PretendDevice::default(), &config).unwrap(), []);
    }

    #[test]
    fn a_value_is_set_after_the_automatic_control_is_disabled() {
        let config = config(
            ControlSetting::Manual(156),
            ControlSetting::Manual(4500),
            ControlSetting::Manual(10),
        );
        assert_eq!(
            set_on(&webcam(), &config).unwrap(),
            [
                (EXPOSURE_AUTO, MANUAL),
                (EXPOSURE, 156),
                (AUTO_WHITE_BALANCE, 0),
                (WHITE_BALANCE, 4500),
                (GAIN, 10),
            ]
        );
    }

    #[test]
    fn the_settings_of_a_picture_are_those_that_the_camera_tells() {
        let device = webcam();
        assert_eq!(
            settings(&device),
            CaptureSettings::default(),
            "none can be read"
        );
        let config = config(
            ControlSetting::Manual(156),
            ControlSetting::Manual(4500),
            ControlSetting::Manual(10),
        );
        set_on(&device, &config).unwrap();
        let expected = CaptureSettings {
            exposure_us: Some(15_600.0),
            gain: Some(10.0),
            white_balance_k: Some(4500),
            has_fixed_white_balance: Some(true),
            ..CaptureSettings::default()
        };
        assert_eq!(settings(&device), expected);
    }

    #[test]
    fn a_camera_that_takes_another_value_is_refused() {
        let config = config(ControlSetting::Manual(156), AUTOMATIC, AUTOMATIC);
        let device = PretendDevice {
            alters: Some((EXPOSURE, 156)),
            ..webcam()
        };
        let error = set_on(&device, &config).unwrap_err();
        assert!(error.contains("0x009a0902 is 157"), "{error}");
    }

    #[test]
    fn the_error_of_a_value_out_of_range_names_the_range() {
        for (exposure, white_balance, gain, offers) in [
            (ControlSetting::Manual(2), AUTOMATIC, AUTOMATIC, "3 to 2047"),
            (
                ControlSetting::Manual(i64::MAX),
                AUTOMATIC,
                AUTOMATIC,
                "3 to 2047",
            ),
            (
                AUTOMATIC,
                ControlSetting::Manual(4505),
                AUTOMATIC,
                "steps of 10",
            ),
            (
                AUTOMATIC,
                AUTOMATIC,
                ControlSetting::Manual(256),
                "0 to 255",
            ),
        ] {
            let config = config(exposure, white_balance, gain);
            let error = set_on(&webcam(), &config).unwrap_err();
            assert!(error.contains(offers), "{error}");
            let error = set_on(&PretendDevice::default(), &config).unwrap_err();
            assert!(error.contains("to \"auto\""), "{error}");
        }
    }
}
