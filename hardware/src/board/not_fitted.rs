//! What stands for parts that a bench does not have.

use crate::button::queue::PressSender;
use crate::error::HardwareError;
use crate::leds::pattern::Lights;
use crate::ports::{Button, Screen, StatusLeds};
use crate::screen::canvas::{Canvas, ScreenSize};

/// A part that is not there, by configuration: nothing is shown, and no press ever comes.
#[derive(Debug, Clone, Copy)]
pub struct Absent;

impl Button for Absent {
    fn watch(&mut self, _: PressSender) -> Result<(), HardwareError> {
        Ok(())
    }

    fn describe(&self) -> String {
        none()
    }
}

impl StatusLeds for Absent {
    fn show(&mut self, _: Lights) -> Result<(), HardwareError> {
        Ok(())
    }

    fn describe(&self) -> String {
        none()
    }
}

impl Screen for Absent {
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
