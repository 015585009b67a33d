//! Settings of the hardware, as they appear in the configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::screen::canvas::ScreenSize;
use crate::settings::{InvalidValue, Settings};

/// The parts of a bench, and the settings of those that every board connects in the same way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Equipment {
    /// Size of the display, or that there is none.
    pub display: Display,
    /// Whether the LEDs are connected; their pins are in the section of the board.
    pub leds: Wired,
    /// Whether the button is connected; its pin is in the section of the board.
    pub button: Wired,
    /// How the display is connected and driven. Unused without a display.
    pub oled: OledConfig,
    /// Which camera is used, its mode and its controls.
    pub camera: CameraConfig,
    /// What only a ribbon camera has. Unused with a USB camera.
    pub rpicam: RpicamConfig,
}

/// Size of the display in pixels; [`OledController`] tells the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Display {
    /// 128 columns and 64 rows, 0.96 or 1.3 inches.
    #[default]
    #[serde(rename = "128x64")]
    Rows64,
    /// 128 columns and 32 rows, 0.91 inches.
    #[serde(rename = "128x32")]
    Rows32,
    /// The bench lacks the part: nothing is opened, and its absence is not a fault.
    #[serde(rename = "none")]
    None,
}

impl Display {
    /// Size of the display; `None` if not fitted.
    pub fn size(self) -> Option<ScreenSize> {
        match self {
            Self::Rows64 => Some(ScreenSize::Rows64),
            Self::Rows32 => Some(ScreenSize::Rows32),
            Self::None => None,
        }
    }
}

/// Whether a part is connected to GPIO pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wired {
    /// Connected to the pins in the section of the board.
    #[default]
    Gpio,
    /// The bench lacks the part: nothing is opened, and its absence is not a fault.
    None,
}

crate::settings! {
    /// OLED display of a real bench, on any board.
    pub struct OledConfig in "oled" {
        /// Chip on the module; "sh1106" if "ssd1306" shows the picture shifted, with noise at an edge.
        controller: OledController = OledController::Ssd1306;
        /// Number of the I2C bus: N of `/dev/i2c-N`.
        bus: u8 = 1;
        /// 7-bit I2C address: 60 (`0x3C`), on some modules 61 (`0x3D`).
        address: u8 = 0x3c, valid(8..=119, "0x08 to 0x77");
        /// Mounting rotation in degrees: 180 for a module that is mounted upside down.
        rotation: u16 = 0, valid(one of 0, 180);
        /// Contrast; 0 is dim.
        contrast: u8 = 0x5f, valid(0..=255);
        /// Idle seconds after which the display is dimmed, to prevent burn-in; 0: never.
        dim_after_s: u32 = 300;
        /// Seconds after which the picture shifts by one pixel, to prevent burn-in; 0: never.
        shift_every_s: u32 = 120;
    }
}

/// Chip that drives an OLED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OledController {
    /// On most modules of 0.91 and 0.96 inches.
    #[default]
    Ssd1306,
    /// On most modules of 1.3 inches, also on those sold as SSD1306. It acknowledges the commands of an SSD1306 but
    /// shows the picture shifted.
    Sh1106,
}

impl OledConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first invalid one. An invalid address is also shown in hexadecimal, as data sheets do.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        self.check_ranges().map_err(|mut error| {
            if error.key == "oled.address" {
                error.value = format!("{0} ({0:#04x})", self.address);
            }
            error
        })
    }

    /// The device file of the bus.
    pub fn bus_path(&self) -> PathBuf {
        format!("/dev/i2c-{}", self.bus).into()
    }
}

crate::settings! {
    /// Camera of a real bench, on any board.
    pub struct CameraConfig in "camera" {
        /// How the camera is connected; "usb": a UVC camera; "rpicam": a ribbon camera of a Raspberry Pi; "auto": what `device`
        /// is.
        kind: CameraKind = CameraKind::default();
        /// Device file: `/dev/videoN`, its number N, or, better, a link in `/dev/v4l/by-id`. A ribbon camera is chosen by
        /// `rpicam.camera`.
        device: CameraDevice = CameraDevice::default();
        /// Pixel format of a USB camera; "auto": the one with the highest frame rate at the largest size.
        format: PixelFormat = PixelFormat::Auto;
        /// Width in pixels; 0: that of the largest mode within `max_megapixels`, or of the whole sensor of a ribbon camera,
        /// scaled down to them.
        width: u32 = 0, valid(0..=65_535);
        /// Height in pixels; 0: as for `width`.
        height: u32 = 0, valid(0..=65_535);
        /// Largest picture to choose, in megapixels.
        max_megapixels: u32 = 8, valid(1..=200);
        /// Exposure time in units of 100 µs.
        exposure: ControlSetting = ControlSetting::default();
        /// White balance of a USB camera in kelvin.
        white_balance: ControlSetting = ControlSetting::default();
        /// Gain of a USB camera in its own units; `v4l2-ctl --list-ctrls` shows the range.
        gain: ControlSetting = ControlSetting::default();
        /// Objective before the camera, such as "40x/0.65": calibrations are kept for each.
        objective: String = String::new();
        /// Size of a pixel in the plane of the specimen, for this objective and this `width` and `height`; 0: that of the
        /// calibration, and without one, a model that counts cells measures it by red cells, or says that it is unknown.
        um_per_pixel: f64 = 0.0, valid(0 or 0.005..=10.0, "µm");
        /// Frames to drop first, because many cameras damage the first ones.
        warm_up_frames: u32 = 2, valid(0..=100);
        /// Frames allowed for auto-exposure to settle before the capture is refused, at least 5 with a ribbon camera; 0: do not
        /// wait.
        settle_frames: u32 = 30, valid(0..=300);
    }
}

impl CameraConfig {
    /// Checks every value. Whether the camera supports it is checked when it is opened.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first invalid one.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        if self.device.path().as_os_str().is_empty() {
            let requirement = "must be /dev/videoN, N, or a link in /dev/v4l/by-id";
            return Err(InvalidValue::new("camera.device", "\"\"", requirement));
        }
        if self.kind == CameraKind::Rpicam {
            for (key, value, instead) in [
                ("camera.gain", self.gain, "rpicam.gain"),
                (
                    "camera.white_balance",
                    self.white_balance,
                    "rpicam.red_gain and rpicam.blue_gain",
                ),
            ] {
                if let ControlSetting::Manual(value) = value {
                    let requirement =
                        format!("must be \"auto\" for a ribbon camera, which has {instead}");
                    return Err(InvalidValue::new(key, value, requirement));
                }
            }
        }
        if let ControlSetting::Manual(exposure @ ..1) = self.exposure {
            let requirement = "must be \"auto\" or at least 1 (100 µs)";
            return Err(InvalidValue::new("camera.exposure", exposure, requirement));
        }
        self.check_ranges()
    }

    /// Largest number of pixels of a picture: `max_megapixels` as they are sold, which are rounded.
    pub(crate) fn max_pixels(&self) -> u64 {
        u64::from(self.max_megapixels) * 1_000_000 + 500_000
    }

    /// Checks that the scale, if one is set, is that of a certain mode: a camera may choose another one, whose pixels have
    /// another size.
    ///
    /// # Errors
    /// [`InvalidValue`] if `um_per_pixel` is set without `width` and `height`.
    pub fn check_scale(&self) -> Result<(), InvalidValue> {
        if self.um_per_pixel > 0.0 && (self.width == 0 || self.height == 0) {
            let requirement =
                "needs camera.width and camera.height, because it holds for one mode of the camera";
            let value = self.um_per_pixel.to_string();
            return Err(InvalidValue::new("camera.um_per_pixel", value, requirement));
        }
        Ok(())
    }
}

/// How a camera is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CameraKind {
    /// As the driver of `camera.device` says.
    #[default]
    Auto,
    /// A UVC camera, by V4L2.
    Usb,
    /// A ribbon camera of a Raspberry Pi, by the program `rpicam-vid`.
    Rpicam,
}

crate::settings! {
    /// Ribbon camera of a Raspberry Pi, which the program `rpicam-vid` drives.
    pub struct RpicamConfig in "rpicam" {
        /// Program; empty: `rpicam-vid`, or `libcamera-vid`, its name on older systems.
        program: String = String::new();
        /// Number of the camera, as `rpicam-vid --list-cameras` lists it.
        camera: u32 = 0, valid(0..=9);
        /// Tuning file of libcamera for the sensor; empty: that of the system.
        tuning_file: String = String::new();
        /// Gain, analogue times digital; 0: settled once, as is the exposure.
        gain: f64 = 0.0, valid(0 or 1..=64, "times");
        /// Gain of red relative to green; 0: white balance is settled once.
        red_gain: f64 = 0.0, valid(0 or 0.1..=32.0, "times");
        /// Gain of blue relative to green; 0: white balance is settled once.
        blue_gain: f64 = 0.0, valid(0 or 0.1..=32.0, "times");
        /// JPEG quality of the pictures.
        quality: u8 = 95, valid(1..=100);
        /// Time limit for the next frame. The program is then killed and started again.
        frame_s: f64 = 4.0, valid(0.1..=60.0, "seconds");
        /// Time limit for a picture with all attempts. Below `timing.capture_s`, so that the fault tells the cause.
        capture_s: f64 = 9.0, valid(0.1..=600.0, "seconds");
        /// Further arguments of the program, such as `["--autofocus-mode", "manual"]`.
        arguments: Vec<String> = Vec::new();
    }
}

impl RpicamConfig {
    /// Checks every value. Whether the program accepts it is checked when it is started.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first invalid one.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        self.check_ranges()?;
        if (self.red_gain > 0.0) != (self.blue_gain > 0.0) {
            let (key, value) = if self.red_gain > 0.0 {
                ("rpicam.blue_gain", self.blue_gain)
            } else {
                ("rpicam.red_gain", self.red_gain)
            };
            let requirement = "must be set too: white balance is either settled or fixed";
            return Err(InvalidValue::new(key, value, requirement));
        }
        Ok(())
    }
}

/// Address of a camera. Whether it exists is checked when it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "must be /dev/videoN, N, or a link in /dev/v4l/by-id"
)]
pub enum CameraDevice {
    /// N of `/dev/videoN`, which depends on the order in which cameras are plugged in.
    Index(u32),
    /// `/dev/videoN` or, better, a link in `/dev/v4l/by-id`, which always names the same camera.
    Path(PathBuf),
}

impl Default for CameraDevice {
    fn default() -> Self {
        Self::Path("/dev/video0".into())
    }
}

impl CameraDevice {
    /// Path of the device file or of a link to it.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Index(index) => format!("/dev/video{index}").into(),
            Self::Path(path) => path.clone(),
        }
    }
}

/// Pixel format of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// The format with the highest frame rate at the largest size.
    #[default]
    Auto,
    /// Compressed as JPEG, the `MJPG` of V4L2. It needs the least of the USB bus.
    Mjpeg,
    /// Raw, two bytes per pixel.
    Yuyv,
}

/// Value of a camera control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "must be \"auto\" or a whole number")]
pub enum ControlSetting {
    /// The camera chooses the value.
    Auto(Auto),
    /// A fixed value within the range of the camera.
    Manual(i64),
}

/// The word `auto` in the place of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    /// The camera chooses the value.
    Auto,
}

impl Default for ControlSetting {
    fn default() -> Self {
        Self::Auto(Auto::Auto)
    }
}

crate::settings! {
    /// Wiring of a Raspberry Pi. Pins are BCM numbers; see `hardware/wiring.svg`.
    // The defaults are pins that I2C, SPI and the serial console do not use.
    pub struct PiPins in "pi" {
        /// Pin of the push-button, which connects it to ground. The internal pull-up is used.
        button_pin: u8 = 17, valid(2..=27);
        /// Pin of the red LED, which has a resistor to ground.
        red_pin: u8 = 22, valid(2..=27);
        /// Pin of the amber LED, which has a resistor to ground.
        amber_pin: u8 = 27, valid(2..=27);
        /// Pin of the green LED, which has a resistor to ground.
        green_pin: u8 = 23, valid(2..=27);
    }
}

impl PiPins {
    /// Checks every pin.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first pin that is not on the header or is used twice.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        self.check_ranges()?;
        check_distinct(&[
            ("pi.button_pin", self.button_pin),
            ("pi.red_pin", self.red_pin),
            ("pi.amber_pin", self.amber_pin),
            ("pi.green_pin", self.green_pin),
        ])
    }
}

crate::settings! {
    /// Wiring of another board with a GPIO character device. A line is a name or a number that `gpioinfo` shows.
    // The defaults are the default pins of a Raspberry Pi, by the names that its kernel gives them.
    pub struct LinuxLines in "linux" {
        /// GPIO chip: `gpiochipN`, its path, or the label that `gpiodetect` shows.
        chip: String = "gpiochip0".into();
        /// Line of the push-button, which connects it to ground.
        button: GpioLine = GpioLine::Name("GPIO17".into());
        /// Enable the internal pull-up of the button's line. Not every chip has one; false if you wire one.
        button_pull_up: bool = true;
        /// Line of the red LED.
        red: GpioLine = GpioLine::Name("GPIO22".into());
        /// Line of the amber LED.
        amber: GpioLine = GpioLine::Name("GPIO27".into());
        /// Line of the green LED.
        green: GpioLine = GpioLine::Name("GPIO23".into());
        /// LEDs are active-low: wired to the supply instead of to ground.
        leds_active_low: bool = false;
    }
}

impl LinuxLines {
    /// Checks every line. Whether the chip has it is checked when it is opened.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first line that is empty or used twice.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        if self.chip.is_empty() {
            let requirement = "must be gpiochipN or a label that `gpiodetect` shows";
            return Err(InvalidValue::new("linux.chip", "\"\"", requirement));
        }
        let lines = [
            ("linux.button", &self.button),
            ("linux.red", &self.red),
            ("linux.amber", &self.amber),
            ("linux.green", &self.green),
        ];
        for (key, line) in lines {
            if *line == GpioLine::Name(String::new()) {
                let requirement = "must be a name or a number that `gpioinfo` shows";
                return Err(InvalidValue::new(key, "\"\"", requirement));
            }
        }
        check_distinct(&lines)
    }
}

fn check_distinct<T: PartialEq + std::fmt::Display>(
    wires: &[(&str, T)],
) -> Result<(), InvalidValue> {
    for (index, (key, wire)) in wires.iter().enumerate() {
        if let Some((other, _)) = wires[..index].iter().find(|(_, other)| other == wire) {
            let requirement = format!("must differ from {other}");
            return Err(InvalidValue::new(key, wire, requirement));
        }
    }
    Ok(())
}

/// A line of a GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "must be the name or the number of a line")]
pub enum GpioLine {
    /// Number of the line on its chip.
    Offset(u32),
    /// Name of the line, as `gpioinfo` shows it.
    Name(String),
}

impl std::fmt::Display for GpioLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        OledConfig::default().validate().unwrap();
        CameraConfig::default().validate().unwrap();
        PiPins::default().validate().unwrap();
        LinuxLines::default().validate().unwrap();
    }

    #[test]
    fn invalid_values_name_key_value_and_requirement() {
        let message = |result: Result<(), InvalidValue>| result.unwrap_err().to_string();
        let pins = PiPins {
            red_pin: 17,
            ..PiPins::default()
        };
        assert_eq!(
            message(pins.validate()),
            "pi.red_pin = 17 is not valid: must differ from pi.button_pin"
        );
        let pins = PiPins {
            green_pin: 28,
            ..PiPins::default()
        };
        assert_eq!(
            message(pins.validate()),
            "pi.green_pin = 28 is not valid: must be between 2 and 27"
        );
        let oled = OledConfig {
            address: 3,
            ..OledConfig::default()
        };
        assert_eq!(
            message(oled.validate()),
            "oled.address = 3 (0x03) is not valid: must be between 8 and 119 (0x08 to 0x77)"
        );
        let oled = OledConfig {
            rotation: 90,
            ..OledConfig::default()
        };
        assert!(message(oled.validate()).contains("must be 0 or 180"));
        let lines = LinuxLines {
            green: GpioLine::Name("GPIO22".into()),
            ..LinuxLines::default()
        };
        assert!(message(lines.validate()).contains("must differ from linux.red"));
        let camera = CameraConfig {
            settle_frames: 1000,
            ..CameraConfig::default()
        };
        assert!(message(camera.validate()).contains("camera.settle_frames = 1000"));
    }
}
