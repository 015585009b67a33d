//! A board of parts that may be missing, whatever its pins are driven by.

use crate::config::{Equipment, Wired};
use crate::contact::{Contact, ContactButton};
use crate::i2c_oled;
use crate::lamps::Lamps;
use crate::reopening::Reopening;
use crate::usb_camera::UsbCamera;
use crate::{Absent, Board, Button, Faults, HardwareError, StatusLeds};

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
        screen: i2c_oled::screen(equipment, &faults),
        faults,
    }
}
