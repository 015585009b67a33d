//! A Raspberry Pi: button and LEDs on the GPIO header, SSD1306 on I2C, USB microscope camera.

mod gpio;

use crate::board::{Board, assembly};
use crate::config::{Equipment, PiPins, Wired};
use crate::error::HardwareError;

/// Makes the board of a Raspberry Pi. Its parts may be missing, now or later: the board's faults
/// tell of them until they come.
///
/// # Errors
/// [`HardwareError::Open`] if button or LEDs are wanted on a machine that is no Raspberry Pi.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Display;

    #[test]
    fn elsewhere_than_on_a_pi_the_error_says_so_and_a_bench_without_pins_is_made_all_the_same() {
        if std::path::Path::new("/dev/gpiomem").exists() {
            eprintln!("skipped: this is a Raspberry Pi");
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
