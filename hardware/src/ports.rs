//! The four ports between the appliance and its hardware. All are object-safe, so that a board can be
//! chosen at run time.

use crate::button::queue::PressSender;
use crate::camera::frame::Frame;
use crate::camera::preview::{Preview, PreviewMode};
use crate::error::HardwareError;
use crate::leds::pattern::LedPatterns;
use crate::screen::canvas::{Canvas, ScreenSize};

/// A camera that takes one picture per call.
///
/// Calls may block, and a stalled V4L2 driver blocks for ever: call from a dedicated thread and give up
/// after a deadline.
pub trait Camera: Send {
    /// Takes a picture whose exposure begins after the call.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if the device cannot be opened, [`HardwareError::Lost`] if it stops
    /// answering, [`HardwareError::DamagedFrame`] if it delivers an incomplete frame,
    /// [`HardwareError::Unsupported`] if it lacks a configured mode or control,
    /// [`HardwareError::ExposureNotSettled`] if the brightness keeps changing.
    fn capture(&mut self) -> Result<Frame, HardwareError>;

    /// Returns what the camera sees now, for focusing, whole or in less detail. Faster than
    /// [`Camera::capture`], but with fewer checks, so the result must not be analysed. In
    /// [`PreviewMode::Full`], it has the size of a capture. The device may stay open for the next preview until
    /// [`Camera::stop_preview`] or [`Camera::capture`] is called.
    ///
    /// # Errors
    /// As [`Camera::capture`].
    fn preview(&mut self, mode: PreviewMode) -> Result<Preview, HardwareError>;

    /// Closes the device if [`Camera::preview`] left it open.
    fn stop_preview(&mut self) {}

    /// Name and address for the self-test and the log.
    fn describe(&self) -> String;
}

/// The push-button. A board without one has [`NotFitted`](crate::NotFitted), which is never pressed.
pub trait Button: Send {
    /// Starts to send recognised gestures into `presses`, until the button is dropped. Called once.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if the button can never be watched. A button that is missing now and may
    /// come back is not an error: it is reported through the board's [`Faults`](crate::Faults).
    fn watch(&mut self, presses: PressSender) -> Result<(), HardwareError>;

    /// Checks that the button can be watched now, for the self-test.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if it cannot.
    fn check(&mut self) -> Result<(), HardwareError> {
        Ok(())
    }

    /// Name and pin for the self-test and the log.
    fn describe(&self) -> String;
}

/// The three status LEDs: red, amber and green.
pub trait StatusLeds: Send {
    /// Shows `patterns` until the next call.
    ///
    /// # Errors
    /// [`HardwareError::Open`] or [`HardwareError::Lost`] if a pin cannot be driven,
    /// [`HardwareError::RetryPending`] while the next attempt is not due.
    fn show(&mut self, patterns: LedPatterns) -> Result<(), HardwareError>;

    /// Names and pins for the self-test and the log.
    fn describe(&self) -> String;
}

/// The monochrome screen. It keeps a picture until the next one.
pub trait Screen: Send {
    /// Shows `picture` until the next call. A picture larger than the screen is cut off at the right and
    /// at the bottom.
    ///
    /// # Errors
    /// [`HardwareError::Open`] or [`HardwareError::Lost`] if the display does not acknowledge,
    /// [`HardwareError::RetryPending`] while the next attempt is not due.
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError>;

    /// Size in pixels, known even while the display is missing.
    fn size(&self) -> ScreenSize;

    /// Reports activity: a screen that was dimmed when idle is bright again from the next picture on.
    fn wake(&mut self) {}

    /// Name and address for the self-test and the log.
    fn describe(&self) -> String;
}
