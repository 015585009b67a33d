//! The four ports. All are object-safe, so that a board is chosen at run time.

use crate::{Canvas, Frame, HardwareError, PressSender};

/// A camera that takes one picture when asked.
///
/// Implementations may block, and a V4L2 driver may block for ever: call from a thread of its own
/// and give up waiting after a deadline.
pub trait Camera: Send {
    /// Takes a picture whose exposure begins after the call.
    ///
    /// # Errors
    /// [`HardwareError::Lost`] if the device is gone, [`HardwareError::DamagedFrame`] if what it
    /// delivered is not a whole frame.
    fn capture(&mut self) -> Result<Frame, HardwareError>;

    /// Name and address in the operator's words, for the self-test and the log.
    fn describe(&self) -> String;
}

/// The push-button.
pub trait Button: Send {
    /// Starts to deliver debounced presses into `presses`; called once.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if the pin cannot be watched.
    fn watch(&mut self, presses: PressSender) -> Result<(), HardwareError>;

    /// Name and pin, for the self-test and the log.
    fn describe(&self) -> String;
}

/// What one LED does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Light {
    /// Dark.
    #[default]
    Off,
    /// Lit.
    Steady,
    /// On and off twice a second.
    Blink,
}

/// What the three LEDs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lights {
    /// The red LED.
    pub red: Light,
    /// The amber LED.
    pub amber: Light,
    /// The green LED.
    pub green: Light,
}

/// The three status LEDs.
pub trait StatusLeds: Send {
    /// Shows `lights` until the next call.
    ///
    /// # Errors
    /// [`HardwareError::Lost`] if a pin cannot be driven.
    fn show(&mut self, lights: Lights) -> Result<(), HardwareError>;

    /// Names and pins, for the self-test and the log.
    fn describe(&self) -> String;
}

/// The monochrome screen.
pub trait Screen: Send {
    /// Shows `picture` until the next call.
    ///
    /// # Errors
    /// [`HardwareError::Lost`] if the display does not acknowledge.
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError>;

    /// Name and address, for the self-test and the log.
    fn describe(&self) -> String;
}
