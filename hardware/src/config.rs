//! Settings of the hardware, as they appear in the configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::screen::canvas::ScreenSize;

/// A setting with an invalid value. The message says what is valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value} is invalid: {requirement}")]
pub struct InvalidValue {
    /// The key with its section.
    pub key: String,
    /// The value.
    pub value: String,
    /// What the value must be.
    pub requirement: String,
}

fn check_range<T: PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<(), InvalidValue> {
    if range.contains(&value) {
        return Ok(());
    }
    let requirement = format!("must be between {} and {}", range.start(), range.end());
    Err(invalid(key, value, requirement))
}

fn invalid(
    key: &str,
    value: impl std::fmt::Display,
    requirement: impl Into<String>,
) -> InvalidValue {
    InvalidValue {
        key: key.into(),
        value: value.to_string(),
        requirement: requirement.into(),
    }
}

/// The parts of a bench, and the settings of those that every board connects in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Equipment {
    /// The display.
    pub display: Display,
    /// The three LEDs.
    pub leds: Wired,
    /// The push-button.
    pub button: Wired,
    /// Settings of the display.
    pub oled: OledConfig,
    /// Settings of the camera.
    pub camera: CameraConfig,
}

/// Type of display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Display {
    /// SSD1306 of 128×64 pixels.
    #[default]
    #[serde(rename = "128x64")]
    Rows64,
    /// SSD1306 of 128×32 pixels.
    #[serde(rename = "128x32")]
    Rows32,
    /// Not fitted.
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
    /// Not fitted.
    None,
}

/// Settings of the OLED display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OledConfig {
    /// Number of the I2C bus: N of `/dev/i2c-N`.
    pub bus: u8,
    /// 7-bit I2C address: `0x3C`, on some modules `0x3D`.
    pub address: u8,
    /// Mounting rotation in degrees: 0 or 180.
    pub rotation: u16,
    /// Contrast, 0 (dim) to 255.
    pub contrast: u8,
    /// Idle seconds after which the display is dimmed; 0: never.
    pub dim_after_s: u32,
    /// Seconds after which the picture shifts by one pixel against burn-in; 0: never.
    pub shift_every_s: u32,
}

impl Default for OledConfig {
    fn default() -> Self {
        Self {
            bus: 1,
            address: 0x3c,
            rotation: 0,
            contrast: 0x5f,
            dim_after_s: 300,
            shift_every_s: 120,
        }
    }
}

impl OledConfig {
    /// The device file of the bus.
    pub fn bus_path(&self) -> PathBuf {
        format!("/dev/i2c-{}", self.bus).into()
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first invalid one.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        if !(0x08..=0x77).contains(&self.address) {
            let address = format!("{:#04X}", self.address);
            let requirement = "must be between 0x08 and 0x77 (8 and 119), mostly 0x3C or 0x3D";
            return Err(invalid("oled.address", address, requirement));
        }
        if ![0, 180].contains(&self.rotation) {
            return Err(invalid("oled.rotation", self.rotation, "must be 0 or 180"));
        }
        Ok(())
    }
}

/// Settings of the USB camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CameraConfig {
    /// Device file: `/dev/videoN`, N, or a link in `/dev/v4l/by-id`.
    pub device: CameraDevice,
    /// Pixel format.
    pub format: PixelFormat,
    /// Width in pixels; 0: that of the largest mode within `max_megapixels`.
    pub width: u32,
    /// Height in pixels; 0: that of the largest mode within `max_megapixels`.
    pub height: u32,
    /// Largest mode to choose, in megapixels.
    pub max_megapixels: u32,
    /// Exposure time in units of 100 µs, or `"auto"`.
    pub exposure: ControlSetting,
    /// White balance in kelvin, or `"auto"`.
    pub white_balance: ControlSetting,
    /// Gain in the units of the camera, or `"auto"`.
    pub gain: ControlSetting,
    /// Frames to drop first, because many cameras damage the first ones.
    pub warm_up_frames: u32,
    /// Frames allowed for auto-exposure to settle before the capture is refused; 0: do not wait.
    pub settle_frames: u32,
}

impl Default for CameraConfig {
    fn default() -> Self {
        Self {
            device: CameraDevice::default(),
            format: PixelFormat::Auto,
            width: 0,
            height: 0,
            max_megapixels: 8,
            exposure: ControlSetting::default(),
            white_balance: ControlSetting::default(),
            gain: ControlSetting::default(),
            warm_up_frames: 2,
            settle_frames: 30,
        }
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
            return Err(invalid("camera.device", "\"\"", requirement));
        }
        check_range("camera.width", self.width, 0..=65_535)?;
        check_range("camera.height", self.height, 0..=65_535)?;
        check_range("camera.max_megapixels", self.max_megapixels, 1..=200)?;
        check_range("camera.warm_up_frames", self.warm_up_frames, 0..=100)?;
        check_range("camera.settle_frames", self.settle_frames, 0..=300)
    }
}

/// Address of a camera.
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
    /// Compressed as JPEG.
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

/// The word `auto`.
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

/// Pins of button and LEDs on a Raspberry Pi, as BCM numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PiPins {
    /// Push-button to ground, with the internal pull-up.
    pub button_pin: u8,
    /// Red LED through a resistor to ground.
    pub red_pin: u8,
    /// Amber LED through a resistor to ground.
    pub amber_pin: u8,
    /// Green LED through a resistor to ground.
    pub green_pin: u8,
}

impl Default for PiPins {
    /// Pins that are not used by I2C, SPI or the serial console.
    fn default() -> Self {
        Self {
            button_pin: 17,
            red_pin: 22,
            amber_pin: 27,
            green_pin: 23,
        }
    }
}

impl PiPins {
    /// Checks every pin.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first pin that is not on the header or is used twice.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        let pins = [
            ("pi.button_pin", self.button_pin),
            ("pi.red_pin", self.red_pin),
            ("pi.amber_pin", self.amber_pin),
            ("pi.green_pin", self.green_pin),
        ];
        for (key, pin) in pins {
            check_range(key, pin, 2..=27)?;
        }
        check_distinct(&pins)
    }
}

/// Lines of button and LEDs on a board with a GPIO character device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinuxLines {
    /// GPIO chip: `gpiochipN`, its path, or the label that `gpiodetect` shows.
    pub chip: String,
    /// Line of the push-button, which connects it to ground: name or number as `gpioinfo` shows it.
    pub button: GpioLine,
    /// Whether to enable the internal pull-up of the button's line; not every chip has one.
    pub button_pull_up: bool,
    /// Line of the red LED.
    pub red: GpioLine,
    /// Line of the amber LED.
    pub amber: GpioLine,
    /// Line of the green LED.
    pub green: GpioLine,
    /// Whether the LEDs are active-low: wired to the supply instead of to ground.
    pub leds_active_low: bool,
}

impl Default for LinuxLines {
    /// The default pins of a Raspberry Pi, by the names that its kernel gives them.
    fn default() -> Self {
        Self {
            chip: "gpiochip0".into(),
            button: GpioLine::Name("GPIO17".into()),
            button_pull_up: true,
            red: GpioLine::Name("GPIO22".into()),
            amber: GpioLine::Name("GPIO27".into()),
            green: GpioLine::Name("GPIO23".into()),
            leds_active_low: false,
        }
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
            return Err(invalid("linux.chip", "\"\"", requirement));
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
                return Err(invalid(key, "\"\"", requirement));
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
            return Err(invalid(key, wire, requirement));
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
            "pi.red_pin = 17 is invalid: must differ from pi.button_pin"
        );
        let pins = PiPins {
            green_pin: 28,
            ..PiPins::default()
        };
        assert_eq!(
            message(pins.validate()),
            "pi.green_pin = 28 is invalid: must be between 2 and 27"
        );
        let oled = OledConfig {
            address: 3,
            ..OledConfig::default()
        };
        assert!(message(oled.validate()).contains("0x03"));
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
