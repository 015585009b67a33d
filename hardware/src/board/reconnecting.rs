//! Parts that may be missing at start, or be lost and come back, at any moment.

use std::time::Instant;

use crate::board::backoff::Backoff;
use crate::board::faults::Faults;
use crate::error::HardwareError;
use crate::leds::pattern::Lights;
use crate::ports::{Screen, StatusLeds};
use crate::screen::canvas::{Canvas, ScreenSize};

type Factory<T> = Box<dyn FnMut() -> Result<T, HardwareError> + Send>;

/// A part that is opened when it is first used, and opened anew after it has failed, with growing
/// pauses between the tries.
pub(crate) struct Reopening<T> {
    part: &'static str,
    description: String,
    open: Factory<T>,
    opened: Option<T>,
    backoff: Backoff,
    faults: Faults,
}

impl<T> Reopening<T> {
    /// `part` as in [`HardwareError`], `description` as [`Screen::describe`] and the like give it.
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
            backoff: Backoff::default(),
            faults: faults.clone(),
        }
    }

    /// Does something with the part. How it went is reported to the board's [`Faults`].
    ///
    /// # Errors
    /// What opening or `work` failed with, or [`HardwareError::Missing`] in a pause.
    fn using<R>(
        &mut self,
        now: Instant,
        work: impl FnOnce(&mut T) -> Result<R, HardwareError>,
    ) -> Result<R, HardwareError> {
        if !self.backoff.is_over(now) {
            return Err(HardwareError::Missing { part: self.part });
        }
        let opened = self.opened.take().map_or_else(&mut self.open, Ok);
        let result = opened.and_then(|mut part| {
            let result = work(&mut part)?;
            self.opened = Some(part);
            Ok(result)
        });
        match &result {
            Ok(_) => self.backoff.succeeded(),
            Err(_) => {
                self.backoff.failed(now);
            }
        }
        self.faults.report(self.part, &result);
        result
    }
}

impl<T: StatusLeds> StatusLeds for Reopening<T> {
    fn show(&mut self, lights: Lights) -> Result<(), HardwareError> {
        self.using(Instant::now(), |leds| leds.show(lights))
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

/// A screen whose size is known before it is opened.
pub(crate) struct ReopeningScreen<T> {
    pub(crate) screen: Reopening<T>,
    pub(crate) size: ScreenSize,
}

impl<T: Screen> Screen for ReopeningScreen<T> {
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError> {
        self.screen
            .using(Instant::now(), |screen| screen.show(picture))
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
    use std::time::Duration;

    use super::*;

    /// A part that is there while `is_there`, and how often it was opened.
    fn part(faults: &Faults) -> (Reopening<u32>, Arc<AtomicBool>, Arc<AtomicU32>) {
        let is_there = Arc::new(AtomicBool::new(false));
        let tries = Arc::new(AtomicU32::new(0));
        let reopening = Reopening::new("OLED", "test".into(), faults, {
            let (is_there, tries) = (Arc::clone(&is_there), Arc::clone(&tries));
            move || {
                let number = tries.fetch_add(1, Ordering::Relaxed);
                is_there
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
        (reopening, is_there, tries)
    }

    fn lost(_: &mut u32) -> Result<u32, HardwareError> {
        Err(HardwareError::Lost {
            part: "OLED",
            remedy: "check its four wires".into(),
            source: None,
        })
    }

    #[test]
    fn a_missing_part_is_tried_with_pauses_until_it_is_there() {
        let faults = Faults::default();
        let (mut oled, is_there, tries) = part(&faults);
        let start = Instant::now();
        let mut use_after = |ms| {
            let now = start + Duration::from_millis(ms);
            oled.using(now, |number| Ok(*number))
        };
        assert!(matches!(use_after(0), Err(HardwareError::Open { .. })));
        assert!(matches!(use_after(499), Err(HardwareError::Missing { .. })));
        assert_eq!(tries.load(Ordering::Relaxed), 1, "left alone in a pause");
        assert!(matches!(use_after(500), Err(HardwareError::Open { .. })));
        assert!(faults.look()[0].contains("check its four wires"));
        is_there.store(true, Ordering::Relaxed);
        assert!(use_after(1499).is_err());
        assert_eq!(use_after(1500).unwrap(), 2);
        assert_eq!(use_after(1500).unwrap(), 2, "stays open");
        assert_eq!(faults.look(), Vec::<String>::new());
    }

    #[test]
    fn a_part_that_is_lost_is_opened_anew() {
        let faults = Faults::default();
        let (mut oled, is_there, tries) = part(&faults);
        is_there.store(true, Ordering::Relaxed);
        let now = Instant::now();
        oled.using(now, |number| Ok(*number)).unwrap();
        assert!(matches!(
            oled.using(now, lost),
            Err(HardwareError::Lost { .. })
        ));
        assert_eq!(faults.look().len(), 1);
        let later = now + Duration::from_secs(1);
        assert_eq!(oled.using(later, |number| Ok(*number)).unwrap(), 1);
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }
}
