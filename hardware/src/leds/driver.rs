//! Drives the three LEDs from a thread, because blinking and breathing change over time.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::HardwareError;
use crate::leds::pattern::{LedPattern, LedPatterns};
use crate::ports::StatusLeds;

/// One LED on a pin.
pub(crate) trait Led: Send + 'static {
    /// Sets the LED to what `pattern` shows `elapsed` after it began. Returns when to call again; `None`:
    /// the LED stays as it is.
    ///
    /// # Errors
    /// [`HardwareError::Lost`] if the pin cannot be driven.
    fn update(
        &mut self,
        pattern: LedPattern,
        elapsed: Duration,
    ) -> Result<Option<Duration>, HardwareError>;
}

/// The thread that drives three LEDs. Dropping it switches them off.
pub(crate) struct LedDriver {
    /// Dropped to end the thread.
    sender: Option<Sender<LedPatterns>>,
    shown: Option<LedPatterns>,
    /// Why the thread has ended.
    error: Arc<Mutex<Option<HardwareError>>>,
    thread: Option<JoinHandle<()>>,
}

impl LedDriver {
    /// Starts to drive the red, the amber and the green LED.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if no thread can be started.
    pub(crate) fn start<L: Led>(leds: [L; 3]) -> Result<Self, HardwareError> {
        let (sender, receiver) = mpsc::channel();
        let error = Arc::<Mutex<Option<HardwareError>>>::default();
        let thread = std::thread::Builder::new()
            .name("LEDs".into())
            .spawn({
                let slot = Arc::clone(&error);
                move || {
                    if let Err(error) = drive(leds, &receiver) {
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                }
            })
            .map_err(|error| HardwareError::Open {
                part: "LEDs",
                at: "their thread".into(),
                remedy: "free some memory".into(),
                source: Some(error.into()),
            })?;
        Ok(Self {
            sender: Some(sender),
            shown: None,
            error,
            thread: Some(thread),
        })
    }
}

impl StatusLeds for LedDriver {
    /// The error of a pin that cannot be driven is returned by a later call.
    fn show(&mut self, patterns: LedPatterns) -> Result<(), HardwareError> {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = error.take() {
            return Err(error);
        }
        // Sending the same patterns again would restart a breath.
        if self.shown.replace(patterns) != Some(patterns)
            && let Some(sender) = &self.sender
        {
            // If the thread has ended meanwhile, the next call returns its error.
            let _ = sender.send(patterns);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "three LEDs".into()
    }
}

impl Drop for LedDriver {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // The thread itself has already reported a panic.
            let _ = thread.join();
        }
    }
}

/// Shows the patterns that arrive, until the sender is dropped; then switches the LEDs off.
fn drive<L: Led>(mut leds: [L; 3], receiver: &Receiver<LedPatterns>) -> Result<(), HardwareError> {
    let mut patterns = LedPatterns::default();
    let mut began = Instant::now();
    loop {
        let next_update = update(&mut leds, patterns, began.elapsed())?;
        let message = match next_update {
            Some(delay) => receiver.recv_timeout(delay),
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(message) => {
                patterns = message;
                began = Instant::now();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    update(&mut leds, LedPatterns::default(), Duration::ZERO).map(drop)
}

/// Updates all LEDs; returns when the first of them must be updated again.
fn update<L: Led>(
    [red, amber, green]: &mut [L; 3],
    patterns: LedPatterns,
    elapsed: Duration,
) -> Result<Option<Duration>, HardwareError> {
    let delays = [
        red.update(patterns.red, elapsed)?,
        amber.update(patterns.amber, elapsed)?,
        green.update(patterns.green, elapsed)?,
    ];
    Ok(delays.into_iter().flatten().min())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends its updates to the test; fails once the test has dropped the receiver.
    struct RecordedLed(Sender<LedPattern>);

    impl Led for RecordedLed {
        fn update(
            &mut self,
            pattern: LedPattern,
            _: Duration,
        ) -> Result<Option<Duration>, HardwareError> {
            self.0
                .send(pattern)
                .map(|()| (pattern == LedPattern::Breathe).then_some(Duration::from_millis(1)))
                .map_err(|_| HardwareError::Lost {
                    part: "LEDs",
                    remedy: "check their wires".into(),
                    source: None,
                })
        }
    }

    fn driver() -> (LedDriver, [Receiver<LedPattern>; 3]) {
        let (leds, updates): (Vec<_>, Vec<_>) = (0..3)
            .map(|_| mpsc::channel())
            .map(|(sender, receiver)| (RecordedLed(sender), receiver))
            .unzip();
        let leds = leds.try_into().ok().unwrap();
        (LedDriver::start(leds).unwrap(), updates.try_into().unwrap())
    }

    const BREATHING: LedPatterns = LedPatterns {
        red: LedPattern::On,
        amber: LedPattern::Breathe,
        green: LedPattern::Off,
    };

    #[test]
    fn each_led_shows_its_pattern_and_is_off_in_the_end() {
        let (mut driver, [red, amber, green]) = driver();
        driver.show(BREATHING).unwrap();
        while amber.recv().unwrap() != LedPattern::Breathe {}
        assert_eq!(
            amber.recv().unwrap(),
            LedPattern::Breathe,
            "updated repeatedly"
        );
        driver.show(BREATHING).unwrap();
        drop(driver);
        let red: Vec<_> = red.iter().collect();
        assert_eq!(red.first(), Some(&LedPattern::Off), "off at first");
        assert!(red.contains(&LedPattern::On));
        assert_eq!(red.last(), Some(&LedPattern::Off));
        assert_eq!(amber.iter().last(), Some(LedPattern::Off));
        assert!(green.iter().all(|pattern| pattern == LedPattern::Off));
    }

    #[test]
    fn the_error_of_a_pin_is_returned_by_a_later_call() {
        let (mut driver, updates) = driver();
        drop(updates);
        let error = loop {
            if let Err(error) = driver.show(BREATHING) {
                break error;
            }
        };
        assert!(error.to_string().contains("check their wires"), "{error}");
    }
}
