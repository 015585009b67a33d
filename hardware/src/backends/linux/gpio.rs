//! Button and LEDs through the GPIO character device.

use std::path::PathBuf;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::chip::{Chip, chips};
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Offset, Value};

use crate::board::permissions;
use crate::button::contact::{Contact, instant};
use crate::button::gestures::Edge;
use crate::config::{GpioLine, LinuxLines};
use crate::error::HardwareError;
use crate::leds::driver::{Led, LedDriver};
use crate::leds::pattern::BLINK_INTERVAL;
use crate::leds::pattern::LedPattern;

/// Name of the consumer of a line, as `gpioinfo` shows it.
const CONSUMER: &str = "smearscope";
/// PWM period of a breathing LED, too short to be visible.
const PWM_PERIOD: Duration = Duration::from_millis(10);

pub(super) fn describe_button(lines: &LinuxLines) -> String {
    format!("{} line {}", lines.chip, lines.button)
}

pub(super) fn describe_leds(lines: &LinuxLines) -> String {
    format!(
        "{} lines {} (red), {} (amber), {} (green)",
        lines.chip, lines.red, lines.amber, lines.green
    )
}

/// Opens the chip with the given name, path or label.
fn open_chip(part: &'static str, wanted: &str) -> Result<Chip, HardwareError> {
    let chips = chips().map_err(|error| {
        open_error(
            part,
            wanted,
            "check that /dev/gpiochip* exists",
            Some(error),
        )
    })?;
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
        let refused = chips
            .iter()
            .find_map(|chip| permissions::refused_by_policy(chip));
        let remedy = if let Some(refused) = refused {
            refused
        } else if names.is_empty() {
            format!(
                "this machine has no GPIO chip, or its device file is not accessible: {}",
                permissions::GPIO_CHIP.remedy()
            )
        } else {
            format!(
                "set linux.chip to one of {} or to a label that `gpiodetect` shows, or {}",
                names.join(", "),
                permissions::GPIO_CHIP.remedy()
            )
        };
        open_error(part, wanted, &remedy, None)
    })?;
    Chip::from_path(path).map_err(|error| {
        let remedy =
            permissions::refused_by_policy(path).unwrap_or_else(|| permissions::GPIO_CHIP.remedy());
        open_error(part, wanted, &remedy, Some(error))
    })
}

fn find_line(part: &'static str, chip: &Chip, line: &GpioLine) -> Result<Offset, HardwareError> {
    match line {
        GpioLine::Offset(offset) => Ok(*offset),
        GpioLine::Name(name) => chip
            .find_line_info(name)
            .map(|info| info.offset)
            .ok_or_else(|| {
                let at = format!("line {name} of {}", chip.path().display());
                let remedy = "use a name or a number that `gpioinfo` shows";
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
        remedy: "check with `gpiodetect` that its GPIO chip is present".into(),
        source: Some(error.into()),
    }
}

/// A push-button to ground.
pub(super) struct LineContact {
    request: Request,
    /// Buffer for one event. `Request::read_edge_event` of gpiocdev 0.8 takes up to eight events from the
    /// kernel's queue and loses all but the first, so a released button could appear to be held.
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
            let remedy = "check with `gpioinfo` that no other program uses it; if the chip has no internal \
                          pull-up, wire one and set linux.button_pull_up = false";
            open_error("button", &describe_button(lines), remedy, Some(error))
        })?;
        let event = vec![0; request.edge_event_u64_size()];
        Ok(Self { request, event })
    }
}

impl Contact for LineContact {
    fn next_edge(&mut self, timeout: Duration) -> Result<Option<Edge>, HardwareError> {
        let mut next = || {
            if !self.request.wait_edge_event(timeout)? {
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
pub(super) fn open_leds(lines: &LinuxLines) -> Result<LedDriver, HardwareError> {
    let chip = open_chip("LEDs", &lines.chip)?;
    let led = |line: &GpioLine| {
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
            .map(|request| LineLed { request, offset })
            .map_err(|error| {
                let at = format!("line {line} of {}", lines.chip);
                let remedy = "check with `gpioinfo` that no other program uses it";
                open_error("LEDs", &at, remedy, Some(error))
            })
    };
    LedDriver::start([led(&lines.red)?, led(&lines.amber)?, led(&lines.green)?])
}

/// An LED on a line that is only high or low. Breathing is PWM in this thread.
struct LineLed {
    request: Request,
    offset: Offset,
}

impl Led for LineLed {
    fn update(
        &mut self,
        pattern: LedPattern,
        elapsed: Duration,
    ) -> Result<Option<Duration>, HardwareError> {
        let (is_lit, next_update) = switched(pattern, elapsed);
        self.request
            .set_value(self.offset, Value::from(is_lit))
            .map_err(|error| lost("LEDs", error))?;
        Ok(next_update)
    }
}

/// Whether an LED that can only be on or off is lit `elapsed` after its pattern began, and for how long it
/// stays so; `None`: until the pattern changes.
fn switched(pattern: LedPattern, elapsed: Duration) -> (bool, Option<Duration>) {
    let elapsed_ns = elapsed.as_nanos();
    // Elapsed and remaining time within the current period.
    let within = |period: Duration| {
        let passed = elapsed_ns % period.as_nanos();
        (passed, period.as_nanos() - passed)
    };
    let nanos = |ns: u128| Some(Duration::from_nanos(ns as u64));
    match pattern {
        LedPattern::Off => (false, None),
        LedPattern::On => (true, None),
        LedPattern::Blink => (
            pattern.brightness(elapsed) > 0.0,
            nanos(within(BLINK_INTERVAL).1),
        ),
        LedPattern::Breathe => {
            let (passed, left) = within(PWM_PERIOD);
            let start = Duration::from_nanos((elapsed_ns - passed) as u64);
            let lit = PWM_PERIOD.mul_f32(pattern.brightness(start)).as_nanos();
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

    /// Share of `whole` during which the LED is lit.
    fn lit_share(pattern: LedPattern, start: Duration, whole: Duration) -> f64 {
        let mut lit = Duration::ZERO;
        let mut at = start;
        while at < start + whole {
            let (is_lit, duration) = switched(pattern, at);
            let duration = duration.unwrap();
            assert!(!duration.is_zero(), "the thread would never sleep");
            if is_lit {
                lit += duration;
            }
            at += duration;
        }
        lit.as_secs_f64() / whole.as_secs_f64()
    }

    #[test]
    fn the_duty_cycle_equals_the_brightness() {
        for ms in [0, 700, 1500, 2900] {
            let start = Duration::from_millis(ms);
            let share = lit_share(LedPattern::Breathe, start, PWM_PERIOD);
            let brightness = f64::from(LedPattern::Breathe.brightness(start));
            assert!((share - brightness).abs() < 1e-3, "{ms} ms: {share}");
        }
        let second = Duration::from_secs(1);
        assert!((lit_share(LedPattern::Blink, Duration::ZERO, second) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_late_call_gets_the_remaining_time() {
        let late = Duration::from_millis(260);
        assert_eq!(
            switched(LedPattern::Blink, late),
            (false, Some(Duration::from_millis(240)))
        );
        assert_eq!(switched(LedPattern::Off, late), (false, None));
        assert_eq!(switched(LedPattern::On, late), (true, None));
    }

    #[test]
    fn the_error_of_a_missing_chip_has_its_name_and_a_remedy() {
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
