//! Builds the board of any backend whose camera and display are standard Linux devices.

use crate::board::Board;
use crate::board::faults::Faults;
use crate::board::not_fitted::NotFitted;
use crate::board::reconnecting::Reconnecting;
use crate::button::contact::{Contact, ContactButton};
use crate::camera::connected::ConnectedCamera;
use crate::config::{Equipment, Wired};
use crate::error::HardwareError;
use crate::leds::driver::LedDriver;
use crate::ports::{Button, StatusLeds};
use crate::screen::i2c;

/// Builds a board. `button` and `leds` are each a description and a function that opens the part.
pub(crate) fn board<C: Contact + 'static>(
    name: &'static str,
    equipment: &Equipment,
    button: (
        String,
        impl FnMut() -> Result<C, HardwareError> + Send + 'static,
    ),
    leds: (
        String,
        impl FnMut() -> Result<LedDriver, HardwareError> + Send + 'static,
    ),
) -> Board {
    let faults = Faults::default();
    let button: Box<dyn Button> = match equipment.button {
        Wired::Gpio => Box::new(ContactButton::new(button.0, &faults, button.1)),
        Wired::None => Box::new(NotFitted),
    };
    let leds: Box<dyn StatusLeds> = match equipment.leds {
        Wired::Gpio => Box::new(Reconnecting::new("LEDs", leds.0, &faults, leds.1)),
        Wired::None => Box::new(NotFitted),
    };
    Board {
        name,
        camera: Box::new(ConnectedCamera::new(equipment, &faults)),
        button,
        leds,
        screen: i2c::screen(equipment, &faults),
        faults,
    }
}
