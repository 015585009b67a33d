//! Button and LEDs on the GPIO header.

use std::time::Duration;

use rppal::gpio::{Gpio, InputPin, OutputPin, Trigger};

use super::PiConfig;
use crate::{Button, HardwareError, Light, Lights, PressSender, StatusLeds};

/// Contacts of a push-button bounce for some milliseconds; no finger presses twice so fast.
const DEBOUNCE: Duration = Duration::from_millis(30);
/// Blinks a second, and the lit share of each.
const BLINK_HERTZ: f64 = 2.0;
const BLINK_SHARE: f64 = 0.5;

pub(super) fn open(config: &PiConfig) -> Result<(PiButton, PiLeds), HardwareError> {
    let gpio = Gpio::new().map_err(|error| open_error("GPIO header", "/dev/gpiomem", error))?;
    let pin = |part, number: u8| {
        gpio.get(number)
            .map_err(|error| open_error(part, &format!("GPIO {number}"), error))
    };
    let led = |number| pin("LED", number).map(rppal::gpio::Pin::into_output_low);
    Ok((
        PiButton(pin("button", config.button_pin)?.into_input_pullup()),
        PiLeds {
            red: led(config.red_pin)?,
            amber: led(config.amber_pin)?,
            green: led(config.green_pin)?,
        },
    ))
}

fn open_error(part: &'static str, at: &str, error: rppal::gpio::Error) -> HardwareError {
    let remedy = match error {
        rppal::gpio::Error::UnknownModel => {
            "this machine is no Raspberry Pi; use the simulated bench with --board sim"
        }
        rppal::gpio::Error::PermissionDenied(_) => "add the user to the group gpio",
        _ => "check the pin numbers in the configuration, and that no other program uses them",
    };
    HardwareError::Open {
        part,
        at: at.into(),
        remedy: remedy.into(),
        source: Some(error.into()),
    }
}

/// A push-button to ground.
pub(super) struct PiButton(InputPin);

impl Button for PiButton {
    fn watch(&mut self, presses: PressSender) -> Result<(), HardwareError> {
        self.0
            .set_async_interrupt(Trigger::FallingEdge, Some(DEBOUNCE), move |_| {
                presses.press();
            })
            .map_err(|error| open_error("button", &format!("GPIO {}", self.0.pin()), error))
    }

    fn describe(&self) -> String {
        format!("GPIO {}", self.0.pin())
    }
}

/// Three LEDs to ground.
pub(super) struct PiLeds {
    red: OutputPin,
    amber: OutputPin,
    green: OutputPin,
}

impl StatusLeds for PiLeds {
    fn show(&mut self, lights: Lights) -> Result<(), HardwareError> {
        for (pin, light) in [
            (&mut self.red, lights.red),
            (&mut self.amber, lights.amber),
            (&mut self.green, lights.green),
        ] {
            drive(pin, light).map_err(|error| HardwareError::Lost {
                part: "LEDs",
                remedy: format!("restart the appliance (GPIO {})", pin.pin()),
                source: Some(error.into()),
            })?;
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!(
            "red GPIO {}, amber GPIO {}, green GPIO {}",
            self.red.pin(),
            self.amber.pin(),
            self.green.pin()
        )
    }
}

fn drive(pin: &mut OutputPin, light: Light) -> rppal::gpio::Result<()> {
    match light {
        Light::Blink => pin.set_pwm_frequency(BLINK_HERTZ, BLINK_SHARE),
        Light::Off => {
            pin.clear_pwm()?;
            pin.set_low();
            Ok(())
        }
        Light::Steady => {
            pin.clear_pwm()?;
            pin.set_high();
            Ok(())
        }
    }
}
