//! OLED and LEDs of the simulated bench as a person sees them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::leds::pattern::Lights;
use crate::screen::canvas::Canvas;
use crate::screen::virtual_ssd1306::Glass;

/// OLED and LEDs as a person sees them; clones share it.
#[derive(Clone)]
pub(super) struct View {
    glass: Glass,
    pub(super) lights: Arc<Mutex<Lights>>,
    /// The board is gone: nothing changes any more.
    pub(super) closed: Arc<AtomicBool>,
}

impl View {
    pub(super) fn new(glass: Glass) -> Self {
        Self {
            glass,
            lights: Arc::default(),
            closed: Arc::default(),
        }
    }

    pub(super) fn picture(&self) -> Canvas {
        self.glass.picture()
    }

    pub(super) fn lights(&self) -> Lights {
        *self.lights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
