//! What the simulated OLED and LEDs show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::leds::pattern::LedPatterns;
use crate::screen::canvas::Canvas;
use crate::screen::virtual_ssd1306::VirtualDisplay;

/// What OLED and LEDs show. Clones share it.
#[derive(Clone)]
pub(super) struct View {
    display: VirtualDisplay,
    leds: Arc<Mutex<LedPatterns>>,
    /// The board was dropped, so nothing changes any more.
    closed: Arc<AtomicBool>,
}

impl View {
    pub(super) fn new(display: VirtualDisplay) -> Self {
        Self {
            display,
            leds: Arc::default(),
            closed: Arc::default(),
        }
    }

    pub(super) fn picture(&self) -> Canvas {
        self.display.picture()
    }

    pub(super) fn leds(&self) -> LedPatterns {
        *self.lock_leds()
    }

    /// Sets the LEDs; returns whether they changed.
    pub(super) fn set_leds(&self, patterns: LedPatterns) -> bool {
        std::mem::replace(&mut *self.lock_leds(), patterns) != patterns
    }

    /// Marks the board as dropped.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn lock_leds(&self) -> MutexGuard<'_, LedPatterns> {
        self.leds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
