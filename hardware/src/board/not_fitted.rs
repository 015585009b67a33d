//! The placeholder for parts that a bench does not have.

use crate::button::queue::PressSender;
use crate::error::HardwareError;
use crate::leds::pattern::LedPatterns;
use crate::ports::{Button, Screen, StatusLeds};
use crate::screen::canvas::{Canvas, ScreenSize};

/// A part that is absent by configuration: it accepts every call, shows nothing and is never pressed.
#[derive(Debug, Clone, Copy)]
pub struct NotFitted;

impl Button for NotFitted {
    fn watch(&mut self, _: PressSender) -> Result<(), HardwareError> {
        Ok(())
    }

    fn describe(&self) -> String {
        none()
    }
}

impl StatusLeds for NotFitted {
    fn show(&mut self, _: LedPatterns) -> Result<(), HardwareError> {
        Ok(())
    }

    fn describe(&self) -> String {
        none()
    }
}

impl Screen for NotFitted {
    fn show(&mut self, _: &Canvas) -> Result<(), HardwareError> {
        Ok(())
    }

    fn size(&self) -> ScreenSize {
        ScreenSize::default()
    }

    fn describe(&self) -> String {
        none()
    }
}

fn none() -> String {
    "none".into()
}
