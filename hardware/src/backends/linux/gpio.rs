//! Button and LEDs through the GPIO character device.

use std::path::PathBuf;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::chip::{Chip, chips};
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Offset, Value};

use crate::board::permissions;
use crate::button::contact::{Contact, instant};
use crate::button::gestures::Edge;
use crate::config::{Line, LinuxLines};
use crate::error::HardwareError;
use crate::leds::driver::{Lamp, Lamps};
use crate::leds::pattern::BLINK;
use crate::leds::pattern::Light;

/// Who uses a line, as `gpioinfo` shows it.
const CONSUMER: &str = "smearscope";
/// A pulse of an LED that breathes, too short to be seen.
const PULSE: Duration = Duration::from_millis(10);

pub(super) fn describe_button(lines: &LinuxLines) -> String {
    format!("{} line {}", lines.chip, lines.button)
}

pub(super) fn describe_leds(lines: &LinuxLines) -> String {
    format!(
        "{} lines {} (red), {} (amber), {} (green)",
        lines.chip, lines.red, lines.amber, lines.green
    )
}

/// The chip of a name, a path or a label.
fn open_chip(part: &'static str, wanted: &str) -> Result<Chip, HardwareError> {
    let chips = chips()
        .map_err(|error| open_error(part, wanted, "look for /dev/gpiochip*", Some(error)))?;
    let is_wanted = |path: &PathBuf| {
        path.ends_with(wanted)
            || Chip::from_path(path)
                .and_then(|chip| chip.info())
                .is_ok_and(|info| info.label == wanted)
    };
    let path = chips.iter().find(|path| is_wanted(path)).ok_or_else(|| {
        let names: Vec<_> = chips
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let remedy = if names.is_empty() {
            format!(
                "this machine has no GPIO chip, or you must {}",
                permissions::GPIO_CHIP.remedy()
            )
        } else {
            format!(
                "set linux.chip to one of {}, or to its label, or {}",
                names.join(", "),
                permissions::GPIO_CHIP.remedy()
            )
        };
        open_error(part, wanted, &remedy, None)
    })?;
    Chip::from_path(path)
        .map_err(|error| open_error(part, wanted, &permissions::GPIO_CHIP.remedy(), Some(error)))
}

fn find_line(part: &'static str, chip: &Chip, line: &Line) -> Result<Offset, HardwareError> {
    match line {
        Line::Offset(offset) => Ok(*offset),
        Line::Name(name) => chip
            .find_line_info(name)
            .map(|info| info.offset)
            .ok_or_else(|| {
                let at = format!("line {name} of {}", chip.path().display());
                let remedy = "choose a name or a number that `gpioinfo` shows";
                open_error(part, &at, remedy, None)
            }),
    }
}

fn open_error(
    part: &'static str,
    at: &str,
    remedy: &str,
    source: Option<gpiocdev::Error>,
) -> HardwareError {
    HardwareError::Open {
        part,
        at: at.into(),
        remedy: remedy.into(),
        source: source.map(Into::into),
    }
}

fn lost(part: &'static str, error: gpiocdev::Error) -> HardwareError {
    HardwareError::Lost {
        part,
        remedy: "see whether its GPIO chip is there with `gpiodetect`".into(),
        source: Some(error.into()),
    }
}

/// A push-button to ground.
pub(super) struct LineContact {
    request: Request,
    /// Room for one event. `Request::read_edge_event` of gpiocdev 0.8 takes up to eight out of the kernel's
    /// queue and forgets all but the first, so that a button might seem to be held that was let go.
    event: Vec<u64>,
}

impl LineContact {
    pub(super) fn open(lines: &LinuxLines) -> Result<Self, HardwareError> {
        let chip = open_chip("button", &lines.chip)?;
        let offset = find_line("button", &chip, &lines.button)?;
        let mut request = Request::builder();
        request
            .on_chip(chip.path())
            .with_consumer(CONSUMER)
            .with_line(offset)
            .as_input()
            .as_active_low()
            .with_edge_detection(EdgeDetection::BothEdges);
        if lines.button_pull_up {
            request.with_bias(Bias::PullUp);
        }
        let request = request.request().map_err(|error| {
            let remedy = "see with `gpioinfo` that no other program uses it; where the chip has no \
                          pull-up, wire one and set linux.button_pull_up = false";
            open_error("button", &describe_button(lines), remedy, Some(error))
        })?;
        let event = vec![0; request.edge_event_u64_size()];
        Ok(Self { request, event })
    }
}

impl Contact for LineContact {
    fn next_edge(&mut self, patience: Duration) -> Result<Option<Edge>, HardwareError> {
        let mut next = || {
            if !self.request.wait_edge_event(patience)? {
                return Ok(None);
            }
            let length = self.request.read_edge_events_into_slice(&mut self.event)?;
            let event = self.event.get(..length).unwrap_or_default();
            self.request.edge_event_from_slice(event).map(Some)
        };
        let event = next().map_err(|error| lost("button", error))?;
        Ok(event.map(|event| Edge {
            at: instant(Duration::from_nanos(event.timestamp_ns)),
            is_closed: event.kind == EdgeKind::Rising,
        }))
    }
}

/// The red, the amber and the green LED.
pub(super) fn open_leds(lines: &LinuxLines) -> Result<Lamps, HardwareError> {
    let chip = open_chip("LEDs", &lines.chip)?;
    let lamp = |line: &Line| {
        let offset = find_line("LEDs", &chip, line)?;
        let mut request = Request::builder();
        request
            .on_chip(chip.path())
            .with_consumer(CONSUMER)
            .with_line(offset);
        if lines.leds_active_low {
            request.as_active_low();
        }
        request
            .as_output(Value::Inactive)
            .request()
            .map(|request| LineLamp { request, offset })
            .map_err(|error| {
                let at = format!("line {line} of {}", lines.chip);
                let remedy = "see with `gpioinfo` that no other program uses it";
                open_error("LEDs", &at, remedy, Some(error))
            })
    };
    Lamps::start([lamp(&lines.red)?, lamp(&lines.amber)?, lamp(&lines.green)?])
}

/// An LED on a line that is either high or low: it breathes by pulses of varying length.
struct LineLamp {
    request: Request,
    offset: Offset,
}

impl Lamp for LineLamp {
    fn shine(
        &mut self,
        light: Light,
        elapsed: Duration,
    ) -> Result<Option<Duration>, HardwareError> {
        let (is_lit, again) = switched(light, elapsed);
        self.request
            .set_value(self.offset, Value::from(is_lit))
            .map_err(|error| lost("LEDs", error))?;
        Ok(again)
    }
}

/// Whether an LED that can only be switched is lit `elapsed` after its light began, and for how long
/// it stays so, if not for ever.
fn switched(light: Light, elapsed: Duration) -> (bool, Option<Duration>) {
    let elapsed_ns = elapsed.as_nanos();
    // Within a period: what has passed, and what is left.
    let within = |period: Duration| {
        let passed = elapsed_ns % period.as_nanos();
        (passed, period.as_nanos() - passed)
    };
    let nanos = |ns: u128| Some(Duration::from_nanos(ns as u64));
    match light {
        Light::Off => (false, None),
        Light::Steady => (true, None),
        Light::Blink => (light.brightness(elapsed) > 0.0, nanos(within(BLINK).1)),
        Light::Breathe => {
            let (passed, left) = within(PULSE);
            let start = Duration::from_nanos((elapsed_ns - passed) as u64);
            let lit = PULSE.mul_f32(light.brightness(start)).as_nanos();
            if passed < lit {
                (true, nanos(lit - passed))
            } else {
                (false, nanos(left))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For how much of `whole` an LED is lit that is switched as told.
    fn lit_share(light: Light, start: Duration, whole: Duration) -> f64 {
        let mut lit = Duration::ZERO;
        let mut at = start;
        while at < start + whole {
            let (is_lit, again) = switched(light, at);
            let again = again.unwrap();
            assert!(!again.is_zero(), "the thread would never sleep");
            if is_lit {
                lit += again;
            }
            at += again;
        }
        lit.as_secs_f64() / whole.as_secs_f64()
    }

    #[test]
    fn pulses_are_as_bright_as_the_light() {
        for ms in [0, 700, 1500, 2900] {
            let start = Duration::from_millis(ms);
            let share = lit_share(Light::Breathe, start, PULSE);
            let brightness = f64::from(Light::Breathe.brightness(start));
            assert!((share - brightness).abs() < 1e-3, "{ms} ms: {share}");
        }
        let second = Duration::from_secs(1);
        assert!((lit_share(Light::Blink, Duration::ZERO, second) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_late_call_is_told_how_little_is_left() {
        let late = Duration::from_millis(260);
        assert_eq!(
            switched(Light::Blink, late),
            (false, Some(Duration::from_millis(240)))
        );
        assert_eq!(switched(Light::Off, late), (false, None));
        assert_eq!(switched(Light::Steady, late), (true, None));
    }

    #[test]
    fn a_chip_that_is_not_there_is_named_with_a_remedy() {
        let lines = LinuxLines {
            chip: "no-such-chip".into(),
            ..LinuxLines::default()
        };
        for error in [
            LineContact::open(&lines).err().unwrap(),
            open_leds(&lines).err().unwrap(),
        ] {
            let text = error.to_string();
            assert!(
                text.contains("no-such-chip") && text.contains("group gpio"),
                "{text}"
            );
        }
    }
}
