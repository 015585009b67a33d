//! All parts of one bench.

#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod assembly;
pub mod backoff;
pub mod faults;
pub mod not_fitted;
pub mod permissions;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod reconnecting;

use crate::board::faults::Faults;
use crate::ports::{Button, Camera, Screen, StatusLeds};

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
