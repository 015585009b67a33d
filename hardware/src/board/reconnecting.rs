//! Parts that may be missing at start or be unplugged and replugged at any moment.

use std::time::{Duration, Instant};

use crate::board::backoff::Backoff;
use crate::board::faults::Faults;
use crate::error::HardwareError;
use crate::leds::pattern::LedPatterns;
use crate::ports::{Screen, StatusLeds};
use crate::screen::canvas::{Canvas, ScreenSize};

/// Delays between attempts to reopen a part.
pub(crate) const FIRST_DELAY: Duration = Duration::from_millis(500);
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(30);

type Factory<T> = Box<dyn FnMut() -> Result<T, HardwareError> + Send>;

/// A part that is opened on first use and reopened after a failure, with growing delays between the
/// attempts.
pub(crate) struct Reconnecting<T> {
    part: &'static str,
    description: String,
    open: Factory<T>,
    opened: Option<T>,
    backoff: Backoff,
    /// When the next attempt is due; `None`: now.
    retry_at: Option<Instant>,
    faults: Faults,
}

impl<T> Reconnecting<T> {
    /// `part` is the name in [`HardwareError`] and `description` the text of [`Screen::describe`].
    pub(crate) fn new(
        part: &'static str,
        description: String,
        faults: &Faults,
        open: impl FnMut() -> Result<T, HardwareError> + Send + 'static,
    ) -> Self {
        Self {
            part,
            description,
            open: Box::new(open),
            opened: None,
            backoff: Backoff::new(FIRST_DELAY, MAX_DELAY),
            retry_at: None,
            faults: faults.clone(),
        }
    }

    /// Calls `work` with the opened part and reports the result to the board's [`Faults`].
    ///
    /// # Errors
    /// The error of opening or of `work`, or [`HardwareError::RetryPending`] during a delay.
    fn with_part<R>(
        &mut self,
        now: Instant,
        work: impl FnOnce(&mut T) -> Result<R, HardwareError>,
    ) -> Result<R, HardwareError> {
        if self.retry_at.is_some_and(|retry_at| now < retry_at) {
            return Err(HardwareError::RetryPending { part: self.part });
        }
        let opened = self.opened.take().map_or_else(&mut self.open, Ok);
        let result = opened.and_then(|mut part| {
            let result = work(&mut part)?;
            self.opened = Some(part);
            Ok(result)
        });
        self.retry_at = match &result {
            Ok(_) => {
                self.backoff.reset();
                None
            }
            Err(_) => Some(now + self.backoff.next_delay()),
        };
        self.faults.report(self.part, &result);
        result
    }
}

impl<T: StatusLeds> StatusLeds for Reconnecting<T> {
    fn show(&mut self, patterns: LedPatterns) -> Result<(), HardwareError> {
        self.with_part(Instant::now(), |leds| leds.show(patterns))
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

/// A [`Reconnecting`] screen; its size is known before it is opened.
pub(crate) struct ReconnectingScreen<T> {
    pub(crate) screen: Reconnecting<T>,
    pub(crate) size: ScreenSize,
}

impl<T: Screen> Screen for ReconnectingScreen<T> {
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError> {
        self.screen
            .with_part(Instant::now(), |screen| screen.show(picture))
    }

    fn size(&self) -> ScreenSize {
        self.size
    }

    fn wake(&mut self) {
        if let Some(screen) = &mut self.screen.opened {
            screen.wake();
        }
    }

    fn describe(&self) -> String {
        self.screen.description.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    /// A part that is connected while the flag is set, and a count of the attempts to open it.
    fn part(faults: &Faults) -> (Reconnecting<u32>, Arc<AtomicBool>, Arc<AtomicU32>) {
        let is_connected = Arc::new(AtomicBool::new(false));
        let attempts = Arc::new(AtomicU32::new(0));
        let reconnecting = Reconnecting::new("OLED", "test".into(), faults, {
            let (is_connected, attempts) = (Arc::clone(&is_connected), Arc::clone(&attempts));
            move || {
                let number = attempts.fetch_add(1, Ordering::Relaxed);
                is_connected
                    .load(Ordering::Relaxed)
                    .then_some(number)
                    .ok_or_else(|| HardwareError::Open {
                        part: "OLED",
                        at: "/dev/i2c-1".into(),
                        remedy: "check its four wires".into(),
                        source: None,
                    })
            }
        });
        (reconnecting, is_connected, attempts)
    }

    fn lost(_: &mut u32) -> Result<u32, HardwareError> {
        Err(HardwareError::Lost {
            part: "OLED",
            remedy: "check its four wires".into(),
            source: None,
        })
    }

    #[test]
    fn a_missing_part_is_retried_with_delays_until_it_is_connected() {
        let faults = Faults::default();
        let (mut oled, is_connected, attempts) = part(&faults);
        let start = Instant::now();
        let mut use_after = |ms| {
            let now = start + Duration::from_millis(ms);
            oled.with_part(now, |number| Ok(*number))
        };
        assert!(matches!(use_after(0), Err(HardwareError::Open { .. })));
        assert!(matches!(
            use_after(499),
            Err(HardwareError::RetryPending { .. })
        ));
        assert_eq!(
            attempts.load(Ordering::Relaxed),
            1,
            "no attempt during a delay"
        );
        assert!(matches!(use_after(500), Err(HardwareError::Open { .. })));
        assert!(faults.check()[0].contains("check its four wires"));
        is_connected.store(true, Ordering::Relaxed);
        assert!(use_after(1499).is_err());
        assert_eq!(use_after(1500).unwrap(), 2);
        assert_eq!(use_after(1500).unwrap(), 2, "stays open");
        assert_eq!(faults.check(), Vec::<String>::new());
    }

    #[test]
    fn a_lost_part_is_reopened() {
        let faults = Faults::default();
        let (mut oled, is_connected, attempts) = part(&faults);
        is_connected.store(true, Ordering::Relaxed);
        let now = Instant::now();
        oled.with_part(now, |number| Ok(*number)).unwrap();
        assert!(matches!(
            oled.with_part(now, lost),
            Err(HardwareError::Lost { .. })
        ));
        assert_eq!(faults.check().len(), 1);
        let later = now + Duration::from_secs(1);
        assert_eq!(oled.with_part(later, |number| Ok(*number)).unwrap(), 1);
        assert_eq!(attempts.load(Ordering::Relaxed), 2);
    }
}
