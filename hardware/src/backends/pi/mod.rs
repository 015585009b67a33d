//! A Raspberry Pi: button and LEDs on the GPIO header, SSD1306 on I2C, USB microscope camera.

mod gpio;

use crate::board::{Board, assembly};
use crate::config::{Equipment, PiPins, Wired};
use crate::error::HardwareError;

/// Builds the board of a Raspberry Pi. Parts may be missing now or later; they are listed in the board's
/// faults and reopened automatically.
///
/// # Errors
/// [`HardwareError::NoSuchBoard`] if button or LEDs are configured and the machine is not a Raspberry Pi.
pub fn board(equipment: &Equipment, pins: &PiPins) -> Result<Board, HardwareError> {
    if Wired::Gpio == equipment.button || Wired::Gpio == equipment.leds {
        gpio::check_model()?;
    }
    let (button, leds) = (pins.clone(), pins.clone());
    Ok(assembly::board(
        "pi",
        equipment,
        (gpio::describe_button(pins), move || {
            gpio::PiContact::open(&button)
        }),
        (gpio::describe_leds(pins), move || gpio::open_leds(&leds)),
    ))
}

/// Whether this machine is a Raspberry Pi.
pub fn is_raspberry_pi() -> bool {
    gpio::check_model().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Display;

    #[test]
    fn on_other_machines_only_a_board_without_pins_is_built() {
        if std::path::Path::new("/dev/gpiomem").exists() {
            // This is a Raspberry Pi.
            return;
        }
        let pins = PiPins::default();
        let error = board(&Equipment::default(), &pins).err().unwrap();
        assert!(error.to_string().contains("--board sim"), "{error}");
        let headless = Equipment {
            display: Display::None,
            leds: Wired::None,
            button: Wired::None,
            ..Equipment::default()
        };
        let board = board(&headless, &pins).unwrap();
        assert_eq!(board.leds.describe(), "none");
    }
}
