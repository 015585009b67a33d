//! A Raspberry Pi: button and LEDs on the GPIO header, SSD1306 on I2C, USB microscope camera.

mod camera;
mod gpio;

use std::path::PathBuf;

use linux_embedded_hal::I2cdev;
use serde::{Deserialize, Serialize};

use crate::oled::Ssd1306Screen;
use crate::{Board, HardwareError};

/// How the parts are wired. Pins are BCM numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PiConfig {
    /// Push-button to ground; the Pi's own pull-up is used.
    pub button_pin: u8,
    /// Red LED, through a resistor to ground.
    pub red_pin: u8,
    /// Amber LED.
    pub amber_pin: u8,
    /// Green LED.
    pub green_pin: u8,
    /// Number N of `/dev/i2c-N`.
    pub i2c_bus: u8,
    /// 7-bit address of the OLED: `0x3C`, or `0x3D` on some modules.
    pub oled_address: u8,
    /// The camera's device: `/dev/videoN` or, better, its link in `/dev/v4l/by-id`.
    pub camera: PathBuf,
}

impl Default for PiConfig {
    /// Pins that leave I2C, SPI and the serial console alone.
    fn default() -> Self {
        Self {
            button_pin: 17,
            red_pin: 22,
            amber_pin: 27,
            green_pin: 23,
            i2c_bus: 1,
            oled_address: 0x3c,
            camera: "/dev/video0".into(),
        }
    }
}

/// Opens the parts of a Raspberry Pi.
///
/// # Errors
/// [`HardwareError::Open`] for the first part that is not there; also on any machine that is no
/// Raspberry Pi.
pub fn board(config: &PiConfig) -> Result<Board, HardwareError> {
    let (button, leds) = gpio::open(config)?;
    let bus_path = format!("/dev/i2c-{}", config.i2c_bus);
    let bus = I2cdev::new(&bus_path).map_err(|error| HardwareError::Open {
        part: "OLED",
        at: bus_path.clone(),
        remedy: "enable I2C with raspi-config and add the user to the group i2c".into(),
        source: Some(error.into()),
    })?;
    let place = format!("{bus_path}, address {:#04X}", config.oled_address);
    Ok(Board {
        name: "pi",
        camera: Box::new(camera::UsbCamera::open(config.camera.clone())?),
        button: Box::new(button),
        leds: Box::new(leds),
        screen: Box::new(Ssd1306Screen::new(bus, config.oled_address, place)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elsewhere_than_on_a_pi_the_error_says_so() {
        if std::path::Path::new("/dev/gpiomem").exists() {
            eprintln!("skipped: this is a Raspberry Pi");
            return;
        }
        let error = board(&PiConfig::default()).err().unwrap();
        assert!(error.to_string().contains("--board sim"), "{error}");
    }

    #[test]
    fn the_parts_list_names_the_default_pins() {
        let list = include_str!("../../README.md");
        let config = PiConfig::default();
        for (part, pin) in [
            ("push-button", config.button_pin),
            ("red LED", config.red_pin),
            ("amber LED", config.amber_pin),
            ("green LED", config.green_pin),
        ] {
            let row = format!("| {part} | GPIO {pin} |");
            assert!(list.contains(&row), "README.md lacks {row:?}");
        }
    }
}
