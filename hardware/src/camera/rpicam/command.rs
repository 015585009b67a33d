//! The command lines of `rpicam-vid`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sensor::Size;
use super::settling::FrameSettings;
use crate::config::{CameraConfig, ControlSetting, RpicamConfig};
use crate::error::HardwareError;

/// Names of the program, newest first.
const NAMES: [&str; 2] = ["rpicam-vid", "libcamera-vid"];
/// Quality of the preview, which is only looked at.
const PREVIEW_QUALITY: u8 = 80;
/// Frames of the preview per second: twice as many as are looked at.
const PREVIEW_RATE: u32 = 10;
/// Frames of a preview in the size of a capture per second: decoding one takes longer.
const FULL_PREVIEW_RATE: u32 = 5;

/// What is fixed of exposure and white balance; the rest is automatic.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FixedSettings {
    /// Exposure time in µs.
    pub(super) exposure_us: Option<f64>,
    /// Gain, analogue times digital.
    pub(super) gain: Option<f64>,
    /// Gains of red and blue relative to green.
    pub(super) colour_gains: Option<[f64; 2]>,
}

impl FixedSettings {
    pub(super) fn of(camera: &CameraConfig, config: &RpicamConfig) -> Self {
        Self {
            exposure_us: match camera.exposure {
                ControlSetting::Manual(units) => Some(units as f64 * 100.0),
                ControlSetting::Auto(_) => None,
            },
            gain: (config.gain > 0.0).then_some(config.gain),
            colour_gains: (config.red_gain > 0.0).then_some([config.red_gain, config.blue_gain]),
        }
    }

    pub(super) fn is_complete(self) -> bool {
        self.exposure_us.is_some() && self.gain.is_some() && self.colour_gains.is_some()
    }

    /// What is fixed, and of the rest what `other` fixes.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            exposure_us: self.exposure_us.or(other.exposure_us),
            gain: self.gain.or(other.gain),
            colour_gains: self.colour_gains.or(other.colour_gains),
        }
    }

    /// With these gains of red and blue, unless they are fixed.
    pub(super) fn with_colour_gains(self, colour_gains: Option<[f64; 2]>) -> Self {
        Self {
            colour_gains: self.colour_gains.or(colour_gains),
            ..self
        }
    }

    fn add_to(self, command: &mut Command) {
        if let Some(exposure) = self.exposure_us {
            command.args(["--shutter", &format!("{exposure:.0}")]);
        }
        if let Some(gain) = self.gain {
            command.args(["--gain", &format!("{gain:.6}")]);
        }
        if let Some([red, blue]) = self.colour_gains {
            command.args(["--awbgains", &format!("{red:.6},{blue:.6}")]);
        }
    }
}

impl From<FrameSettings> for FixedSettings {
    fn from(settings: FrameSettings) -> Self {
        Self {
            exposure_us: Some(settings.exposure_us),
            gain: Some(settings.gain),
            colour_gains: Some(settings.colour_gains),
        }
    }
}

/// The program: the configured one, or the first of [`NAMES`] on the path.
///
/// # Errors
/// [`HardwareError::Open`] if it is not installed.
pub(super) fn program(config: &RpicamConfig) -> Result<PathBuf, HardwareError> {
    let missing = |at: &str, remedy: &str| HardwareError::Open {
        part: "camera",
        at: at.into(),
        remedy: remedy.into(),
        source: None,
    };
    let names: &[&str] = match &*config.program {
        "" => &NAMES,
        program => &[program],
    };
    names.iter().find_map(|name| find(name)).ok_or_else(|| {
        if config.program.is_empty() {
            missing(
                NAMES[0],
                "the program is not installed; on Raspberry Pi OS, `sudo apt install rpicam-apps` installs it",
            )
        } else {
            missing(&config.program, "there is no such program; check rpicam.program")
        }
    })
}

/// The file of a program: a path as it is, a name in the folders of `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Path::new(name).is_file().then(|| name.into());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Lists the cameras.
///
/// # Errors
/// As [`program`].
pub(super) fn list(config: &RpicamConfig) -> Result<Command, HardwareError> {
    let mut command = Command::new(program(config)?);
    command.env("LC_ALL", "C").arg("--list-cameras");
    Ok(command)
}

/// Lets exposure and white balance settle, as far as they are not fixed, and writes the metadata of each frame.
///
/// # Errors
/// As [`program`].
pub(super) fn settle(
    config: &RpicamConfig,
    mode: Size,
    fixed: FixedSettings,
) -> Result<Command, HardwareError> {
    let mut command = stream(config, mode, fixed)?;
    command.args(["--framerate", "0"]);
    command.args(["--codec", "yuv420", "--output", "/dev/null"]);
    command.args(["--metadata", "-", "--metadata-format", "json"]);
    Ok(command)
}

/// Writes pictures with fixed exposure and white balance, which are not denoised and not sharpened: the network learned from
/// pictures as they are.
///
/// # Errors
/// As [`program`].
pub(super) fn capture(
    config: &RpicamConfig,
    mode: Size,
    size: Size,
    settings: FixedSettings,
) -> Result<Command, HardwareError> {
    // By default the frame rate is fixed, which limits the exposure.
    let command = stream(config, mode, settings)?;
    Ok(pictures(command, 0, size, config.quality))
}

/// Writes pictures for focusing.
///
/// # Errors
/// As [`program`].
pub(super) fn preview(
    config: &RpicamConfig,
    mode: Size,
    size: Size,
    settings: FixedSettings,
) -> Result<Command, HardwareError> {
    let command = stream(config, mode, settings)?;
    Ok(pictures(command, PREVIEW_RATE, size, PREVIEW_QUALITY))
}

/// Writes pictures for focusing that show what those of [`capture`] would show.
///
/// # Errors
/// As [`program`].
pub(super) fn full_preview(
    config: &RpicamConfig,
    mode: Size,
    size: Size,
    settings: FixedSettings,
) -> Result<Command, HardwareError> {
    let command = stream(config, mode, settings)?;
    Ok(pictures(command, FULL_PREVIEW_RATE, size, config.quality))
}

/// What all that run the camera have in common.
fn stream(
    config: &RpicamConfig,
    mode: Size,
    fixed: FixedSettings,
) -> Result<Command, HardwareError> {
    let mut command = Command::new(program(config)?);
    command.env("LC_ALL", "C");
    command.args(["--camera", &config.camera.to_string()]);
    command.args(["--timeout", "0", "--nopreview", "--flush"]);
    command.args(["--mode", &format!("{}:{}", mode.0, mode.1)]);
    command.args(["--denoise", "off", "--sharpness", "0"]);
    if !config.tuning_file.is_empty() {
        command.args(["--tuning-file", &config.tuning_file]);
    }
    fixed.add_to(&mut command);
    command.args(&config.arguments);
    Ok(command)
}

/// Adds what all that write pictures have in common; a rate of 0 is none.
fn pictures(mut command: Command, rate: u32, (width, height): Size, quality: u8) -> Command {
    command.args(["--framerate", &rate.to_string()]);
    command.args(["--codec", "mjpeg", "--output", "-"]);
    command.args([
        "--width",
        &width.to_string(),
        "--height",
        &height.to_string(),
    ]);
    command.args(["--quality", &quality.to_string()]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments in one line.
    fn line(command: Result<Command, HardwareError>) -> String {
        let command = command.unwrap();
        let arguments: Vec<_> = command
            .get_args()
            .map(|argument| argument.to_string_lossy())
            .collect();
        arguments.join(" ")
    }

    fn config() -> RpicamConfig {
        RpicamConfig {
            program: "/bin/sh".into(),
            ..RpicamConfig::default()
        }
    }

    const FULL: Size = (4056, 3040);
    const STREAM: &str =
        "--camera 0 --timeout 0 --nopreview --flush --mode 4056:3040 --denoise off --sharpness 0";

    #[test]
    fn the_command_lines_are_those_of_rpicam_vid() {
        let config = config();
        assert_eq!(line(list(&config)), "--list-cameras");
        let free = FixedSettings::default();
        assert_eq!(
            line(settle(&config, FULL, free)),
            format!(
                "{STREAM} --framerate 0 --codec yuv420 --output /dev/null --metadata - --metadata-format json"
            )
        );
        let settings = FrameSettings {
            exposure_us: 9994.4,
            gain: 1.5,
            colour_gains: [2.25, 1.75],
        };
        assert_eq!(
            line(capture(&config, FULL, (2028, 1520), settings.into())),
            format!(
                "{STREAM} --shutter 9994 --gain 1.500000 --awbgains 2.250000,1.750000 \
                 --framerate 0 --codec mjpeg --output - --width 2028 --height 1520 --quality 95"
            )
        );
        assert_eq!(
            line(preview(&config, FULL, (2028, 1520), free)),
            format!(
                "{STREAM} --framerate 10 --codec mjpeg --output - --width 2028 --height 1520 --quality 80"
            )
        );
        assert_eq!(
            line(full_preview(&config, FULL, (3366, 2524), free)),
            format!(
                "{STREAM} --framerate 5 --codec mjpeg --output - --width 3366 --height 2524 --quality 95"
            )
        );
    }

    #[test]
    fn what_is_configured_is_not_settled() {
        let camera = CameraConfig {
            exposure: ControlSetting::Manual(150),
            ..CameraConfig::default()
        };
        let config = RpicamConfig {
            camera: 1,
            tuning_file: "/etc/imx477.json".into(),
            gain: 2.0,
            arguments: vec!["--autofocus-mode".into(), "manual".into()],
            ..config()
        };
        let fixed = FixedSettings::of(&camera, &config);
        assert!(!fixed.is_complete(), "white balance is settled");
        let settled = FrameSettings {
            exposure_us: 1.0,
            gain: 1.0,
            colour_gains: [2.0, 1.5],
        };
        let all = fixed.or(settled.into());
        assert_eq!((all.exposure_us, all.gain), (Some(15_000.0), Some(2.0)));
        assert_eq!(all.colour_gains, Some([2.0, 1.5]));
        assert!(all.is_complete());
        let line = line(settle(&config, FULL, fixed));
        for part in [
            "--camera 1 ",
            " --tuning-file /etc/imx477.json --shutter 15000 --gain 2.000000 --autofocus-mode manual ",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains("awbgains"), "{line}");
    }

    #[test]
    fn a_missing_program_is_named_with_its_remedy() {
        let config = RpicamConfig {
            program: "/opt/rpicam-vid".into(),
            ..RpicamConfig::default()
        };
        let error = program(&config).unwrap_err().to_string();
        assert!(
            error.contains("/opt/rpicam-vid") && error.contains("rpicam.program"),
            "{error}"
        );
        let named = RpicamConfig {
            program: "sh".into(),
            ..RpicamConfig::default()
        };
        assert!(program(&named).unwrap().ends_with("sh"));
    }
}
