//! Exposure, white balance and gain of a V4L2 camera.
//!
//! The control numbers and menu items are from `linux/v4l2-controls.h`.

use nokhwa::utils::{
    CameraControl, ControlValueDescription, ControlValueSetter, KnownCameraControl,
};

use crate::config::{CameraConfig, ControlSetting};
use crate::error::HardwareError;

/// `V4L2_CID_EXPOSURE_AUTO`, a menu, and `V4L2_CID_EXPOSURE_ABSOLUTE`, in units of 100 µs.
const EXPOSURE_AUTO: KnownCameraControl = KnownCameraControl::Other(0x009a_0901);
const EXPOSURE: KnownCameraControl = KnownCameraControl::Other(0x009a_0902);
/// Items of that menu. A webcam offers `AUTO` or `APERTURE_PRIORITY` as automatic exposure.
const AUTO: i64 = 0;
const MANUAL: i64 = 1;
const APERTURE_PRIORITY: i64 = 3;
/// `V4L2_CID_AUTO_WHITE_BALANCE` and `V4L2_CID_AUTOGAIN`, switches.
const AUTO_WHITE_BALANCE: KnownCameraControl = KnownCameraControl::Other(0x0098_090c);
const AUTO_GAIN: KnownCameraControl = KnownCameraControl::Other(0x0098_0912);

/// Controls to set, in this order, each with the values to try, best first.
pub(super) type Steps = Vec<(KnownCameraControl, Vec<ControlValueSetter>)>;

/// The steps that apply `config` to a camera with the controls `offered`.
///
/// # Errors
/// [`HardwareError::Unsupported`] if a value is outside the range of the camera or the camera lacks the
/// control.
pub(super) fn steps(
    offered: &[CameraControl],
    config: &CameraConfig,
) -> Result<Steps, HardwareError> {
    let integer = ControlValueSetter::Integer;
    let switch = ControlValueSetter::Boolean;
    let parts = [
        (
            "camera.exposure",
            config.exposure,
            EXPOSURE,
            EXPOSURE_AUTO,
            vec![integer(APERTURE_PRIORITY), integer(AUTO)],
            integer(MANUAL),
        ),
        (
            "camera.white_balance",
            config.white_balance,
            KnownCameraControl::WhiteBalance,
            AUTO_WHITE_BALANCE,
            vec![switch(true)],
            switch(false),
        ),
        (
            "camera.gain",
            config.gain,
            KnownCameraControl::Gain,
            AUTO_GAIN,
            vec![switch(true)],
            switch(false),
        ),
    ];
    let mut steps = Steps::new();
    for (key, setting, control, automatic, on, off) in parts {
        let has_automatic = offered.iter().any(|offer| offer.control() == automatic);
        let value = match setting {
            ControlSetting::Auto(_) => None,
            ControlSetting::Manual(value) => {
                check(
                    key,
                    value,
                    offered.iter().find(|offer| offer.control() == control),
                )?;
                Some(value)
            }
        };
        if has_automatic {
            steps.push((automatic, if value.is_some() { vec![off] } else { on }));
        }
        if let Some(value) = value {
            steps.push((control, vec![integer(value)]));
        }
    }
    Ok(steps)
}

fn check(key: &str, value: i64, offer: Option<&CameraControl>) -> Result<(), HardwareError> {
    let unsupported = |offers: String| HardwareError::Unsupported {
        part: "camera",
        wanted: format!("{key} = {value}"),
        offers,
    };
    match offer.map(CameraControl::description) {
        Some(ControlValueDescription::IntegerRange { min, max, step, .. }) => {
            let step = (*step).max(1);
            if (*min..=*max).contains(&value) && (value - min) % step == 0 {
                Ok(())
            } else {
                Err(unsupported(format!("{min} to {max} in steps of {step}")))
            }
        }
        _ => Err(unsupported(format!(
            "no such control; set {key} to \"auto\""
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Auto;

    fn range(control: KnownCameraControl, min: i64, max: i64, step: i64) -> CameraControl {
        let description = ControlValueDescription::IntegerRange {
            min,
            max,
            value: min,
            step,
            default: min,
        };
        CameraControl::new(control, "test".into(), description, Vec::new(), true)
    }

    fn webcam() -> Vec<CameraControl> {
        vec![
            range(EXPOSURE_AUTO, 0, 3, 1),
            range(EXPOSURE, 3, 2047, 1),
            range(AUTO_WHITE_BALANCE, 0, 1, 1),
            range(KnownCameraControl::WhiteBalance, 2800, 6500, 10),
            range(KnownCameraControl::Gain, 0, 255, 1),
        ]
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

    const AUTOMATIC: ControlSetting = ControlSetting::Auto(Auto::Auto);
    use ControlValueSetter::{Boolean, Integer};

    #[test]
    fn automatic_controls_are_enabled_if_available() {
        let config = config(AUTOMATIC, AUTOMATIC, AUTOMATIC);
        assert_eq!(
            steps(&webcam(), &config).unwrap(),
            [
                (EXPOSURE_AUTO, vec![Integer(3), Integer(0)]),
                (AUTO_WHITE_BALANCE, vec![Boolean(true)]),
            ]
        );
        assert_eq!(steps(&[], &config).unwrap(), []);
    }

    #[test]
    fn a_value_is_set_after_the_automatic_control_is_disabled() {
        let config = config(
            ControlSetting::Manual(156),
            ControlSetting::Manual(4500),
            ControlSetting::Manual(10),
        );
        assert_eq!(
            steps(&webcam(), &config).unwrap(),
            [
                (EXPOSURE_AUTO, vec![Integer(1)]),
                (EXPOSURE, vec![Integer(156)]),
                (AUTO_WHITE_BALANCE, vec![Boolean(false)]),
                (KnownCameraControl::WhiteBalance, vec![Integer(4500)]),
                (KnownCameraControl::Gain, vec![Integer(10)]),
            ]
        );
    }

    #[test]
    fn the_error_of_a_value_out_of_range_names_the_range() {
        for (exposure, white_balance, gain, offers) in [
            (ControlSetting::Manual(2), AUTOMATIC, AUTOMATIC, "3 to 2047"),
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
            let error = steps(&webcam(), &config).unwrap_err().to_string();
            assert!(error.contains(offers), "{error}");
            let error = steps(&[], &config).unwrap_err().to_string();
            assert!(error.contains("to \"auto\""), "{error}");
        }
    }
}
