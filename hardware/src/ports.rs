//! The four ports. All are object-safe, so that a board is chosen at run time.

use crate::button::queue::PressSender;
use crate::camera::frame::{Frame, Pixels};
use crate::error::HardwareError;
use crate::leds::pattern::Lights;
use crate::screen::canvas::{Canvas, ScreenSize};

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

    /// What it sees now, for whoever turns the focus: soon, and not as sure to be whole as a
    /// [`Frame`], which is why it is none. It may leave the device open, so that the next one comes
    /// sooner, until [`Camera::rest`] or [`Camera::capture`].
    ///
    /// # Errors
    /// As [`Camera::capture`].
    fn glimpse(&mut self) -> Result<Pixels, HardwareError>;

    /// Nobody looks any more: closes what [`Camera::glimpse`] left open.
    fn rest(&mut self) {}

    /// Name and address in the operator's words, for the self-test and the log.
    fn describe(&self) -> String;
}

/// The push-button.
pub trait Button: Send {
    /// Starts to deliver what the operator means into `presses`, until the button is dropped; called
    /// once.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if it cannot be watched, now or later. A button that is missing and
    /// may come is no error: the board's [`Faults`](crate::Faults) tell of it.
    fn watch(&mut self, presses: PressSender) -> Result<(), HardwareError>;

    /// Looks whether it could be watched now: for the self-test.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if not.
    fn check(&mut self) -> Result<(), HardwareError> {
        Ok(())
    }

    /// Name and pin, for the self-test and the log.
    fn describe(&self) -> String;
}

/// The three status LEDs.
pub trait StatusLeds: Send {
    /// Shows `lights` until the next call.
    ///
    /// # Errors
    /// [`HardwareError::Open`] or [`HardwareError::Lost`] if a pin cannot be driven,
    /// [`HardwareError::Missing`] if it is too early to try it again.
    fn show(&mut self, lights: Lights) -> Result<(), HardwareError>;

    /// Names and pins, for the self-test and the log.
    fn describe(&self) -> String;
}

/// The monochrome screen.
pub trait Screen: Send {
    /// Shows `picture` until the next call. What is larger than the screen is cut off at the right
    /// and at the bottom.
    ///
    /// # Errors
    /// [`HardwareError::Open`] or [`HardwareError::Lost`] if the display does not acknowledge,
    /// [`HardwareError::Missing`] if it is too early to try it again.
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError>;

    /// How large its pictures are, whether it is there or not.
    fn size(&self) -> ScreenSize;

    /// Somebody acts, or there is news: a screen that dims when it is idle becomes bright with the
    /// next picture.
    fn wake(&mut self) {}

    /// Name and address, for the self-test and the log.
    fn describe(&self) -> String;
}
