//! Exposure, white balance and gain of a V4L2 camera.
//!
//! The control numbers and menu items are from `linux/v4l2-controls.h`.

use std::io;

use v4l::Device;
use v4l::control::{Control, Flags, Value};
use v4l::v4l_sys::v4l2_query_ext_ctrl;
use v4l::v4l2::{self, vidioc::VIDIOC_QUERY_EXT_CTRL};

use crate::config::{CameraConfig, ControlSetting};
use crate::error::HardwareError;

/// `V4L2_CID_EXPOSURE_AUTO`, a menu, and `V4L2_CID_EXPOSURE_ABSOLUTE`, in units of 100 µs.
const EXPOSURE_AUTO: u32 = 0x009a_0901;
const EXPOSURE: u32 = 0x009a_0902;
/// Items of that menu. A webcam offers `AUTO` or `APERTURE_PRIORITY` as automatic exposure.
const AUTO: i64 = 0;
const MANUAL: i64 = 1;
const APERTURE_PRIORITY: i64 = 3;
/// `V4L2_CID_AUTO_WHITE_BALANCE`, a switch, and `V4L2_CID_WHITE_BALANCE_TEMPERATURE`, in kelvin.
const AUTO_WHITE_BALANCE: u32 = 0x0098_090c;
const WHITE_BALANCE: u32 = 0x0098_091a;
/// `V4L2_CID_AUTOGAIN`, a switch, and `V4L2_CID_GAIN`.
const AUTO_GAIN: u32 = 0x0098_0912;
const GAIN: u32 = 0x0098_0913;
const ALL: [u32; 6] = [
    EXPOSURE_AUTO,
    EXPOSURE,
    AUTO_WHITE_BALANCE,
    WHITE_BALANCE,
    AUTO_GAIN,
    GAIN,
];
/// Values of a switch.
const OFF: i64 = 0;
const ON: i64 = 1;

/// A control of the camera and the values that it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offer {
    id: u32,
    min: i64,
    max: i64,
    step: i64,
}

/// A control to set.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    /// The setting that asks for it, such as `camera.gain = 3`.
    setting: String,
    id: u32,
    /// The values to try, best first.
    values: Vec<i64>,
}

/// Applies `config`. Controls that nobody configures are neither read nor changed.
///
/// # Errors
/// [`HardwareError::Unsupported`] if a value is outside the range of the camera or the camera lacks the control,
/// [`HardwareError::Refused`] if the camera does not accept a value within its range.
pub(super) fn apply(device: &Device, config: &CameraConfig) -> Result<(), HardwareError> {
    let offered: Vec<_> = ALL.into_iter().filter_map(|id| query(device, id)).collect();
    for Step {
        setting,
        id,
        values,
    } in steps(&offered, config)?
    {
        let mut rejection = None;
        for value in values {
            let value = Value::Integer(value);
            rejection = device.set_control(Control { id, value }).err();
            if rejection.is_none() {
                break;
            }
        }
        if let Some(error) = rejection {
            return Err(refused(setting, error));
        }
    }
    Ok(())
}

fn refused(setting: String, error: io::Error) -> HardwareError {
    let key = setting.split(' ').next().unwrap_or_default();
    HardwareError::Refused {
        part: "camera",
        remedy: format!("set {key} to another value"),
        request: setting,
        source: Some(error.into()),
    }
}

/// What the camera offers for the control `id`; `None` if it lacks it or does not let it be set.
///
/// `Device::query_controls` lists all controls, and panics if one of them has a type that v4l 0.14 does not know.
fn query(device: &Device, id: u32) -> Option<Offer> {
    let mut query = query_of(id);
    // SAFETY: VIDIOC_QUERY_EXT_CTRL reads and writes one `v4l2_query_ext_ctrl`, which `query` is for the whole call.
    #[expect(unsafe_code, reason = "a call of the kernel's V4L2 interface")]
    unsafe {
        v4l2::ioctl(
            device.handle().fd(),
            VIDIOC_QUERY_EXT_CTRL,
            (&raw mut query).cast(),
        )
    }
    .ok()?;
    let unusable = Flags::DISABLED | Flags::READ_ONLY;
    // A driver that answers with another control does not know this one.
    let is_usable = query.id == id && !Flags::from(query.flags).intersects(unusable);
    is_usable.then_some(Offer {
        id,
        min: query.minimum,
        max: query.maximum,
        step: query.step.try_into().unwrap_or(i64::MAX),
    })
}

fn query_of(id: u32) -> v4l2_query_ext_ctrl {
    v4l2_query_ext_ctrl {
        id,
        type_: 0,
        name: [0; 32],
        minimum: 0,
        maximum: 0,
        step: 0,
        default_value: 0,
        flags: 0,
        elem_size: 0,
        elems: 0,
        nr_of_dims: 0,
        dims: [0; 4],
        reserved: [0; 32],
    }
}

/// The steps that apply `config` to a camera with the controls `offered`, in order.
fn steps(offered: &[Offer], config: &CameraConfig) -> Result<Vec<Step>, HardwareError> {
    let parts = [
        (
            "camera.exposure",
            config.exposure,
            EXPOSURE,
            EXPOSURE_AUTO,
            vec![APERTURE_PRIORITY, AUTO],
            MANUAL,
        ),
        (
            "camera.white_balance",
            config.white_balance,
            WHITE_BALANCE,
            AUTO_WHITE_BALANCE,
            vec![ON],
            OFF,
        ),
        ("camera.gain", config.gain, GAIN, AUTO_GAIN, vec![ON], OFF),
    ];
    let offer = |id| offered.iter().find(|offer| offer.id == id);
    let mut steps = Vec::new();
    for (key, setting, control, automatic, on, off) in parts {
        let (setting, value) = match setting {
            ControlSetting::Auto(_) => (format!("{key} = \"auto\""), None),
            ControlSetting::Manual(value) => {
                check(key, value, offer(control))?;
                (format!("{key} = {value}"), Some(value))
            }
        };
        if offer(automatic).is_some() {
            steps.push(Step {
                setting: setting.clone(),
                id: automatic,
                values: if value.is_some() { vec![off] } else { on },
            });
        }
        if let Some(value) = value {
            steps.push(Step {
                setting,
                id: control,
                values: vec![value],
            });
        }
    }
    Ok(steps)
}

fn check(key: &str, value: i64, offer: Option<&Offer>) -> Result<(), HardwareError> {
    let unsupported = |offers: String| HardwareError::Unsupported {
        part: "camera",
        wanted: format!("{key} = {value}"),
        offers,
    };
    let Some(&Offer { min, max, step, .. }) = offer else {
        return Err(unsupported(format!(
            "no such control; set {key} to \"auto\""
        )));
    };
    let step = step.max(1);
    if (min..=max).contains(&value) && value.saturating_sub(min) % step == 0 {
        Ok(())
    } else {
        Err(unsupported(format!("{min} to {max} in steps of {step}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Auto;

    fn range(id: u32, min: i64, max: i64, step: i64) -> Offer {
        Offer { id, min, max, step }
    }

    fn webcam() -> Vec<Offer> {
        vec![
            range(EXPOSURE_AUTO, 0, 3, 1),
            range(EXPOSURE, 3, 2047, 1),
            range(AUTO_WHITE_BALANCE, 0, 1, 1),
            range(WHITE_BALANCE, 2800, 6500, 10),
            range(GAIN, 0, 255, 1),
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

    /// Controls and values of the steps.
    fn values(offered: &[Offer], config: &CameraConfig) -> Vec<(u32, Vec<i64>)> {
        let steps = steps(offered, config).unwrap();
        steps
            .into_iter()
            .map(|step| (step.id, step.values))
            .collect()
    }

    const AUTOMATIC: ControlSetting = ControlSetting::Auto(Auto::Auto);

    #[test]
    fn automatic_controls_are_enabled_if_available() {
        let config = config(AUTOMATIC, AUTOMATIC, AUTOMATIC);
        assert_eq!(
            values(&webcam(), &config),
            [
                (EXPOSURE_AUTO, vec![APERTURE_PRIORITY, AUTO]),
                (AUTO_WHITE_BALANCE, vec![ON]),
            ]
        );
        assert_eq!(values(&[], &config), []);
    }

    #[test]
    fn a_value_is_set_after_the_automatic_control_is_disabled() {
        let config = config(
            ControlSetting::Manual(156),
            ControlSetting::Manual(4500),
            ControlSetting::Manual(10),
        );
        assert_eq!(
            values(&webcam(), &config),
            [
                (EXPOSURE_AUTO, vec![MANUAL]),
                (EXPOSURE, vec![156]),
                (AUTO_WHITE_BALANCE, vec![OFF]),
                (WHITE_BALANCE, vec![4500]),
                (GAIN, vec![10]),
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

    #[test]
    fn the_error_of_a_refused_value_names_the_setting() {
        let error = refused("camera.gain = 3".into(), io::ErrorKind::InvalidInput.into());
        assert_eq!(
            error.to_string(),
            "the camera refused camera.gain = 3; set camera.gain to another value"
        );
    }
}
