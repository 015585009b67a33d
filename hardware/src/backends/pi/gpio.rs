//! Button and LEDs on the GPIO header.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use rppal::gpio::{Gpio, InputPin, OutputPin, Trigger};

use crate::board::permissions;
use crate::button::contact::{Contact, instant};
use crate::button::gestures::Edge;
use crate::config::PiPins;
use crate::error::HardwareError;
use crate::leds::driver::{Lamp, Lamps};
use crate::leds::pattern::Light;

/// The kernel keeps the worst chatter from waking anybody up; the gestures take care of the rest.
const DEBOUNCE: Duration = Duration::from_millis(5);
/// Pulses a second of an LED that breathes, too many to be seen.
const PULSES_HERTZ: f64 = 100.0;
/// From one brightness of a breath to the next.
const BREATH_STEP: Duration = Duration::from_millis(30);
/// Blinks a second, and the lit share of each.
const BLINK_HERTZ: f64 = 2.0;
const BLINK_SHARE: f64 = 0.5;

/// Looks whether this is a Raspberry Pi.
///
/// # Errors
/// [`HardwareError::Open`] if not: nothing that may be plugged in later can mend that.
pub(super) fn check_model() -> Result<(), HardwareError> {
    match Gpio::new() {
        Err(error @ rppal::gpio::Error::UnknownModel) => {
            Err(open_error("GPIO header", "this machine", error))
        }
        _ => Ok(()),
    }
}

pub(super) fn describe_button(pins: &PiPins) -> String {
    format!("GPIO {}", pins.button_pin)
}

pub(super) fn describe_leds(pins: &PiPins) -> String {
    format!(
        "red GPIO {}, amber GPIO {}, green GPIO {}",
        pins.red_pin, pins.amber_pin, pins.green_pin
    )
}

fn pin(part: &'static str, number: u8) -> Result<rppal::gpio::Pin, HardwareError> {
    Gpio::new()
        .and_then(|gpio| gpio.get(number))
        .map_err(|error| open_error(part, &format!("GPIO {number}"), error))
}

fn open_error(part: &'static str, at: &str, error: rppal::gpio::Error) -> HardwareError {
    let remedy = match error {
        rppal::gpio::Error::UnknownModel => {
            "this machine is no Raspberry Pi; use another board's lines with --board linux, or the \
             simulated bench with --board sim"
                .into()
        }
        rppal::gpio::Error::PermissionDenied(_) => permissions::GPIO_MEMORY.remedy(),
        _ => {
            "check the pin numbers in the configuration, and that no other program uses them".into()
        }
    };
    HardwareError::Open {
        part,
        at: at.into(),
        remedy,
        source: Some(error.into()),
    }
}

/// A push-button to ground, watched by an interrupt.
pub(super) struct PiContact {
    edges: Receiver<Edge>,
    /// Dropping it ends the interrupt.
    pin: InputPin,
}

impl PiContact {
    pub(super) fn open(pins: &PiPins) -> Result<Self, HardwareError> {
        let mut pin = pin("button", pins.button_pin)?.into_input_pullup();
        let (sender, edges) = mpsc::channel();
        pin.set_async_interrupt(Trigger::Both, Some(DEBOUNCE), move |event| {
            // The kernel dates the end of the chatter that it takes away, of both edges of a press alike.
            let edge = Edge {
                at: instant(event.timestamp),
                is_closed: event.trigger == Trigger::FallingEdge,
            };
            // Nobody listens any more once the button is dropped.
            let _ = sender.send(edge);
        })
        .map_err(|error| open_error("button", &format!("GPIO {}", pin.pin()), error))?;
        Ok(Self { edges, pin })
    }
}

impl Contact for PiContact {
    fn next_edge(&mut self, patience: Duration) -> Result<Option<Edge>, HardwareError> {
        match self.edges.recv_timeout(patience) {
            Ok(edge) => Ok(Some(edge)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(HardwareError::Lost {
                part: "button",
                remedy: format!("restart the appliance (GPIO {})", self.pin.pin()),
                source: None,
            }),
        }
    }
}

/// The red, the amber and the green LED, each to ground.
pub(super) fn open_leds(pins: &PiPins) -> Result<Lamps, HardwareError> {
    let lamp = |number| {
        pin("LEDs", number).map(|pin| PiLamp {
            pin: pin.into_output_low(),
            shown: Light::Off,
        })
    };
    Lamps::start([
        lamp(pins.red_pin)?,
        lamp(pins.amber_pin)?,
        lamp(pins.green_pin)?,
    ])
}

/// An LED that rppal pulses in software.
struct PiLamp {
    pin: OutputPin,
    shown: Light,
}

impl Lamp for PiLamp {
    fn shine(
        &mut self,
        light: Light,
        elapsed: Duration,
    ) -> Result<Option<Duration>, HardwareError> {
        let pin = &mut self.pin;
        let is_shown = std::mem::replace(&mut self.shown, light) == light;
        if is_shown && light != Light::Breathe {
            return Ok(None);
        }
        let (driven, again) = match light {
            Light::Off => (pin.clear_pwm().map(|()| pin.set_low()), None),
            Light::Steady => (pin.clear_pwm().map(|()| pin.set_high()), None),
            Light::Blink => (pin.set_pwm_frequency(BLINK_HERTZ, BLINK_SHARE), None),
            Light::Breathe => {
                let share = f64::from(light.brightness(elapsed));
                (
                    pin.set_pwm_frequency(PULSES_HERTZ, share),
                    Some(BREATH_STEP),
                )
            }
        };
        driven.map_err(|error| HardwareError::Lost {
            part: "LEDs",
            remedy: format!("restart the appliance (GPIO {})", pin.pin()),
            source: Some(error.into()),
        })?;
        Ok(again)
    }
}
