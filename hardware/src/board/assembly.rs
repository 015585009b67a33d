//! A board of parts that may be missing, whatever its pins are driven by.

use crate::board::Board;
use crate::board::faults::Faults;
use crate::board::not_fitted::Absent;
use crate::board::reconnecting::Reopening;
use crate::button::contact::{Contact, ContactButton};
use crate::camera::usb::UsbCamera;
use crate::config::{Equipment, Wired};
use crate::error::HardwareError;
use crate::leds::driver::Lamps;
use crate::ports::{Button, StatusLeds};
use crate::screen::i2c;

/// Makes a board; `button` and `leds` are what to call them and how to open them.
pub(crate) fn board<C: Contact + 'static>(
    name: &'static str,
    equipment: &Equipment,
    button: (
        String,
        impl FnMut() -> Result<C, HardwareError> + Send + 'static,
    ),
    leds: (
        String,
        impl FnMut() -> Result<Lamps, HardwareError> + Send + 'static,
    ),
) -> Board {
    let faults = Faults::default();
    let button: Box<dyn Button> = match equipment.button {
        Wired::Gpio => Box::new(ContactButton::new(button.0, &faults, button.1)),
        Wired::None => Box::new(Absent),
    };
    let leds: Box<dyn StatusLeds> = match equipment.leds {
        Wired::Gpio => Box::new(Reopening::new("LEDs", leds.0, &faults, leds.1)),
        Wired::None => Box::new(Absent),
    };
    Board {
        name,
        camera: Box::new(UsbCamera::new(equipment.camera.clone(), &faults)),
        button,
        leds,
        screen: i2c::screen(equipment, &faults),
        faults,
    }
}
