//! All parts of one bench.

use crate::{Button, Camera, Faults, Screen, StatusLeds};

/// The parts of one bench, each behind its port.
pub struct Board {
    /// Which backend made it: `pi`, `linux`, `sim` or `mock`.
    pub name: &'static str,
    /// The microscope camera.
    pub camera: Box<dyn Camera>,
    /// The push-button.
    pub button: Box<dyn Button>,
    /// The status LEDs.
    pub leds: Box<dyn StatusLeds>,
    /// The OLED.
    pub screen: Box<dyn Screen>,
    /// Which of these do not work now.
    pub faults: Faults,
}
