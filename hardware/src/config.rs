//! What a bench consists of and how its parts are set up, as the configuration says it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::screen::burn_in::BurnIn;
use crate::screen::canvas::ScreenSize;
use crate::screen::ssd1306::OledSetup;

/// A value that no bench can have; the message says what is possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value} is impossible; {possible}")]
pub struct Impossible {
    /// The key, with its section.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What to write instead.
    pub possible: String,
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<(), Impossible> {
    if range.contains(&value) {
        return Ok(());
    }
    let possible = format!("use {} to {}", range.start(), range.end());
    Err(impossible(key, value, possible))
}

fn impossible(key: &str, value: impl std::fmt::Display, possible: impl Into<String>) -> Impossible {
    Impossible {
        key: key.into(),
        value: value.to_string(),
        possible: possible.into(),
    }
}

/// Which parts a bench has, and how those are set up that every board connects in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Equipment {
    /// The display.
    pub display: Display,
    /// The three LEDs.
    pub leds: Wired,
    /// The push-button.
    pub button: Wired,
    /// The display's address and looks.
    pub oled: OledConfig,
    /// The camera.
    pub camera: CameraConfig,
}

/// Which display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Display {
    /// SSD1306 of 128×64 pixels.
    #[default]
    #[serde(rename = "128x64")]
    Rows64,
    /// SSD1306 of 128×32 pixels.
    #[serde(rename = "128x32")]
    Rows32,
    /// There is none.
    #[serde(rename = "none")]
    None,
}

impl Display {
    /// How large it is, if there is one.
    pub fn size(self) -> Option<ScreenSize> {
        match self {
            Self::Rows64 => Some(ScreenSize::Rows64),
            Self::Rows32 => Some(ScreenSize::Rows32),
            Self::None => None,
        }
    }
}

/// Whether a part is wired to the board's pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wired {
    /// To the pins that the board's section names.
    #[default]
    Gpio,
    /// There is none.
    None,
}

/// The display's address and looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OledConfig {
    /// Number N of `/dev/i2c-N`.
    pub bus: u8,
    /// 7-bit address on the bus: `0x3C`, or `0x3D` on some modules.
    pub address: u8,
    /// How the module is turned: 0 or 180 degrees.
    pub rotation: u16,
    /// Contrast, 0 (dim) to 255.
    pub contrast: u8,
    /// Seconds without anybody after which it is dimmed; 0: never.
    pub dim_after_s: u32,
    /// Seconds after which the picture moves on by a pixel; 0: never.
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

    /// The set-up of a display of a size.
    pub fn setup(&self, size: ScreenSize) -> OledSetup {
        let seconds = |s: u32| (s > 0).then(|| Duration::from_secs(s.into()));
        OledSetup {
            address: self.address,
            size,
            is_upside_down: self.rotation == 180,
            contrast: self.contrast,
            burn_in: BurnIn {
                dim_after: seconds(self.dim_after_s),
                shift_every: seconds(self.shift_every_s),
            },
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Impossible`] for the first that is.
    pub fn check(&self) -> Result<(), Impossible> {
        if !(0x08..=0x77).contains(&self.address) {
            let address = format!("{:#04X}", self.address);
            let possible = "I2C addresses are 0x08 to 0x77 (8 to 119)";
            return Err(impossible("oled.address", address, possible));
        }
        if ![0, 180].contains(&self.rotation) {
            return Err(impossible("oled.rotation", self.rotation, "use 0 or 180"));
        }
        Ok(())
    }
}

/// The camera and how it takes pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CameraConfig {
    /// Where it is.
    pub device: Device,
    /// How it sends its pictures.
    pub format: Format,
    /// Width in pixels; 0: that of the largest picture within `max_megapixels`.
    pub width: u32,
    /// Height in pixels; 0: the same.
    pub height: u32,
    /// Largest picture to choose, in megapixels.
    pub max_megapixels: u32,
    /// Exposure time in units of 100 µs.
    pub exposure: Setting,
    /// White balance in kelvin.
    pub white_balance: Setting,
    /// Gain in units of the camera's own.
    pub gain: Setting,
    /// Frames that are dropped first: cameras damage some of them.
    pub warm_up_frames: u32,
    /// Frames within which the exposure must come to rest, else the picture is refused; 0: it is not
    /// waited for.
    pub settle_frames: u32,
}

impl Default for CameraConfig {
    fn default() -> Self {
        Self {
            device: Device::default(),
            format: Format::Auto,
            width: 0,
            height: 0,
            max_megapixels: 8,
            exposure: Setting::default(),
            white_balance: Setting::default(),
            gain: Setting::default(),
            warm_up_frames: 2,
            settle_frames: 30,
        }
    }
}

impl CameraConfig {
    /// Checks every value; what a camera offers is known only when it is there.
    ///
    /// # Errors
    /// [`Impossible`] for the first that is.
    pub fn check(&self) -> Result<(), Impossible> {
        if self.device.path().as_os_str().is_empty() {
            let possible = "name /dev/videoN, its number, or its link in /dev/v4l/by-id";
            return Err(impossible("camera.device", "\"\"", possible));
        }
        within("camera.width", self.width, 0..=65_535)?;
        within("camera.height", self.height, 0..=65_535)?;
        within("camera.max_megapixels", self.max_megapixels, 1..=200)?;
        within("camera.warm_up_frames", self.warm_up_frames, 0..=100)?;
        within("camera.settle_frames", self.settle_frames, 0..=300)
    }
}

/// Where a camera is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "use /dev/videoN, its number, or its link in /dev/v4l/by-id"
)]
pub enum Device {
    /// The N of `/dev/videoN`, which depends on the order in which cameras are plugged in.
    Index(u32),
    /// `/dev/videoN` or, better, its link in `/dev/v4l/by-id`.
    Path(PathBuf),
}

impl Default for Device {
    fn default() -> Self {
        Self::Path("/dev/video0".into())
    }
}

impl Device {
    /// The device file, or a link to it.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Index(index) => format!("/dev/video{index}").into(),
            Self::Path(path) => path.clone(),
        }
    }
}

/// How a camera sends its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As the largest picture comes fastest.
    #[default]
    Auto,
    /// Compressed as JPEG.
    Mjpeg,
    /// Raw, two bytes a pixel.
    Yuyv,
}

/// A control of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "use \"auto\" or a whole number")]
pub enum Setting {
    /// As the camera sees fit.
    Word(Auto),
    /// A value within the camera's range.
    Value(i64),
}

/// The one word of a [`Setting`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    /// As the camera sees fit.
    Auto,
}

impl Default for Setting {
    fn default() -> Self {
        Self::Word(Auto::Auto)
    }
}

/// How button and LEDs are wired to a Raspberry Pi. Pins are BCM numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PiPins {
    /// Push-button to ground; the Pi's own pull-up is used.
    pub button_pin: u8,
    /// Red LED, through a resistor to ground.
    pub red_pin: u8,
    /// Amber LED.
    pub amber_pin: u8,
    /// Green LED.
    pub green_pin: u8,
}

impl Default for PiPins {
    /// Pins that leave I2C, SPI and the serial console alone.
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
    /// [`Impossible`] for the first that is not on the header, or is another part's too.
    pub fn check(&self) -> Result<(), Impossible> {
        let pins = [
            ("pi.button_pin", self.button_pin),
            ("pi.red_pin", self.red_pin),
            ("pi.amber_pin", self.amber_pin),
            ("pi.green_pin", self.green_pin),
        ];
        for (key, pin) in pins {
            within(key, pin, 2..=27)?;
        }
        no_two_alike(&pins)
    }
}

/// How button and LEDs are wired to any board with a GPIO character device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinuxLines {
    /// The chip: `gpiochip0`, a path, or the label that `gpiodetect` shows.
    pub chip: String,
    /// Push-button to ground.
    pub button: Line,
    /// Whether the chip's own pull-up holds the button's line high; not every chip has one.
    pub button_pull_up: bool,
    /// Red LED, through a resistor to ground.
    pub red: Line,
    /// Amber LED.
    pub amber: Line,
    /// Green LED.
    pub green: Line,
    /// Whether the LEDs hang from the supply, so that they are lit by a low line.
    pub leds_active_low: bool,
}

impl Default for LinuxLines {
    /// The lines of a Raspberry Pi, as its kernel names them.
    fn default() -> Self {
        Self {
            chip: "gpiochip0".into(),
            button: Line::Name("GPIO17".into()),
            button_pull_up: true,
            red: Line::Name("GPIO22".into()),
            amber: Line::Name("GPIO27".into()),
            green: Line::Name("GPIO23".into()),
            leds_active_low: false,
        }
    }
}

impl LinuxLines {
    /// Checks every line; which of them a chip has is known only when it is opened.
    ///
    /// # Errors
    /// [`Impossible`] for the first that is empty, or is another part's too.
    pub fn check(&self) -> Result<(), Impossible> {
        if self.chip.is_empty() {
            let possible = "use gpiochipN or a label that `gpiodetect` shows";
            return Err(impossible("linux.chip", "\"\"", possible));
        }
        let lines = [
            ("linux.button", &self.button),
            ("linux.red", &self.red),
            ("linux.amber", &self.amber),
            ("linux.green", &self.green),
        ];
        for (key, line) in lines {
            if *line == Line::Name(String::new()) {
                let possible = "use a name or a number that `gpioinfo` shows";
                return Err(impossible(key, "\"\"", possible));
            }
        }
        no_two_alike(&lines)
    }
}

fn no_two_alike<T: PartialEq + std::fmt::Display>(wires: &[(&str, T)]) -> Result<(), Impossible> {
    for (index, (key, wire)) in wires.iter().enumerate() {
        if let Some((other, _)) = wires[..index].iter().find(|(_, other)| other == wire) {
            let possible = format!("{other} is that too, give each part one of its own");
            return Err(impossible(key, wire, possible));
        }
    }
    Ok(())
}

/// A line of a GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "use a line's name or its number")]
pub enum Line {
    /// By its number on the chip.
    Offset(u32),
    /// By the name that `gpioinfo` shows.
    Name(String),
}

impl std::fmt::Display for Line {
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
    fn defaults_are_possible() {
        OledConfig::default().check().unwrap();
        CameraConfig::default().check().unwrap();
        PiPins::default().check().unwrap();
        LinuxLines::default().check().unwrap();
    }

    #[test]
    fn impossible_values_name_key_value_and_remedy() {
        let said = |result: Result<(), Impossible>| result.unwrap_err().to_string();
        let pins = PiPins {
            red_pin: 17,
            ..PiPins::default()
        };
        assert_eq!(
            said(pins.check()),
            "pi.red_pin = 17 is impossible; pi.button_pin is that too, give each part one of its own"
        );
        let pins = PiPins {
            green_pin: 28,
            ..PiPins::default()
        };
        assert_eq!(
            said(pins.check()),
            "pi.green_pin = 28 is impossible; use 2 to 27"
        );
        let oled = OledConfig {
            address: 3,
            ..OledConfig::default()
        };
        assert!(said(oled.check()).contains("0x03"));
        let oled = OledConfig {
            rotation: 90,
            ..OledConfig::default()
        };
        assert!(said(oled.check()).contains("use 0 or 180"));
        let lines = LinuxLines {
            green: Line::Name("GPIO22".into()),
            ..LinuxLines::default()
        };
        assert!(said(lines.check()).contains("linux.red is that too"));
        let camera = CameraConfig {
            settle_frames: 1000,
            ..CameraConfig::default()
        };
        assert!(said(camera.check()).contains("camera.settle_frames = 1000"));
    }
}
