//! What the simulated bench shows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::leds::pattern::LedPatterns;
use crate::screen::canvas::Canvas;
use crate::screen::virtual_ssd1306::VirtualDisplay;

/// What OLED and LEDs show, and which picture the camera took. Clones share it.
#[derive(Clone)]
pub(super) struct View {
    display: VirtualDisplay,
    leds: Arc<Mutex<LedPatterns>>,
    source: Arc<Mutex<String>>,
    /// The board was dropped, so nothing changes any more.
    closed: Arc<AtomicBool>,
}

impl View {
    pub(super) fn new(display: VirtualDisplay) -> Self {
        Self {
            display,
            leds: Arc::default(),
            source: Arc::default(),
            closed: Arc::default(),
        }
    }

    pub(super) fn picture(&self) -> Canvas {
        self.display.picture()
    }

    pub(super) fn leds(&self) -> LedPatterns {
        *lock(&self.leds)
    }

    /// Sets the LEDs; returns whether they changed.
    pub(super) fn set_leds(&self, patterns: LedPatterns) -> bool {
        std::mem::replace(&mut *lock(&self.leds), patterns) != patterns
    }

    /// File name of the last picture; empty before the first.
    pub(super) fn source(&self) -> String {
        lock(&self.source).clone()
    }

    pub(super) fn set_source(&self, source: &str) {
        source.clone_into(&mut lock(&self.source));
    }

    /// Marks the board as dropped.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
