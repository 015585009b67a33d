//! Button and LEDs on the GPIO header.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use rppal::gpio::{Gpio, InputPin, OutputPin, Trigger};

use crate::board::permissions;
use crate::button::contact::{Contact, instant};
use crate::button::gestures::Edge;
use crate::config::PiPins;
use crate::error::HardwareError;
use crate::leds::driver::{Led, LedDriver};
use crate::leds::pattern::LedPattern;

/// The kernel filters most bounces out, which saves wake-ups; the gesture recogniser filters the rest.
const KERNEL_DEBOUNCE: Duration = Duration::from_millis(5);
/// PWM frequency of a breathing LED, too high to be visible.
const PWM_HERTZ: f64 = 100.0;
/// Time between two brightness steps of a breathing LED.
const BREATH_STEP: Duration = Duration::from_millis(30);
/// Frequency and duty cycle of a blinking LED.
const BLINK_HERTZ: f64 = 2.0;
const BLINK_DUTY_CYCLE: f64 = 0.5;

/// What to do on a machine that is not a Raspberry Pi.
const NO_PI: &str = "add `--board sim` for the simulated bench, or set `board = \"linux\"` for the GPIO of another board";

/// Checks that this machine is a Raspberry Pi.
///
/// # Errors
/// [`HardwareError::NoSuchBoard`] if it is not, because retrying cannot help.
pub(super) fn check_model() -> Result<(), HardwareError> {
    match Gpio::new() {
        Err(rppal::gpio::Error::UnknownModel) => Err(HardwareError::NoSuchBoard {
            board: "pi",
            problem: "this machine is not a Raspberry Pi".into(),
            remedy: NO_PI,
        }),
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
        rppal::gpio::Error::UnknownModel => NO_PI.into(),
        rppal::gpio::Error::PermissionDenied(ref path) => {
            permissions::refused_by_policy(Path::new(path))
                .unwrap_or_else(|| permissions::GPIO_MEMORY.remedy())
        }
        _ => "check the pin numbers in the configuration and that no other program uses the pins"
            .into(),
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
    /// Dropping it removes the interrupt.
    pin: InputPin,
}

impl PiContact {
    pub(super) fn open(pins: &PiPins) -> Result<Self, HardwareError> {
        let mut pin = pin("button", pins.button_pin)?.into_input_pullup();
        let (sender, edges) = mpsc::channel();
        pin.set_async_interrupt(Trigger::Both, Some(KERNEL_DEBOUNCE), move |event| {
            // The timestamp is that of the end of the bounces, for both edges of a press alike.
            let edge = Edge {
                at: instant(event.timestamp),
                is_closed: event.trigger == Trigger::FallingEdge,
            };
            // The receiver is gone once the button is dropped.
            let _ = sender.send(edge);
        })
        .map_err(|error| open_error("button", &format!("GPIO {}", pin.pin()), error))?;
        Ok(Self { edges, pin })
    }
}

impl Contact for PiContact {
    fn next_edge(&mut self, timeout: Duration) -> Result<Option<Edge>, HardwareError> {
        match self.edges.recv_timeout(timeout) {
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
pub(super) fn open_leds(pins: &PiPins) -> Result<LedDriver, HardwareError> {
    let led = |number| {
        pin("LEDs", number).map(|pin| PiLed {
            pin: pin.into_output_low(),
            shown: LedPattern::Off,
        })
    };
    LedDriver::start([
        led(pins.red_pin)?,
        led(pins.amber_pin)?,
        led(pins.green_pin)?,
    ])
}

/// An LED driven by the software PWM of rppal.
struct PiLed {
    pin: OutputPin,
    shown: LedPattern,
}

impl Led for PiLed {
    fn update(
        &mut self,
        pattern: LedPattern,
        elapsed: Duration,
    ) -> Result<Option<Duration>, HardwareError> {
        let pin = &mut self.pin;
        let is_unchanged = std::mem::replace(&mut self.shown, pattern) == pattern;
        if is_unchanged && pattern != LedPattern::Breathe {
            return Ok(None);
        }
        let (result, next_update) = match pattern {
            LedPattern::Off => (pin.clear_pwm().map(|()| pin.set_low()), None),
            LedPattern::On => (pin.clear_pwm().map(|()| pin.set_high()), None),
            LedPattern::Blink => (pin.set_pwm_frequency(BLINK_HERTZ, BLINK_DUTY_CYCLE), None),
            LedPattern::Breathe => {
                let duty_cycle = f64::from(pattern.brightness(elapsed));
                (
                    pin.set_pwm_frequency(PWM_HERTZ, duty_cycle),
                    Some(BREATH_STEP),
                )
            }
        };
        result.map_err(|error| HardwareError::Lost {
            part: "LEDs",
            remedy: format!("restart the appliance (GPIO {})", pin.pin()),
            source: Some(error.into()),
        })?;
        Ok(next_update)
    }
}
