//! What the two kinds of panel share: OLED and LEDs as a person sees them, and the ports to them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{Panel, lines, terminal};
use crate::oled::Ssd1306Screen;
use crate::virtual_ssd1306::{Glass, VirtualSsd1306};
use crate::{Button, Canvas, HardwareError, Lights, PressSender, Screen, ScreenSize, StatusLeds};

/// OLED and LEDs as a person sees them; clones share it.
#[derive(Clone)]
pub(super) struct View {
    glass: Glass,
    lights: Arc<Mutex<Lights>>,
    /// The board is gone: nothing changes any more.
    closed: Arc<AtomicBool>,
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

pub(super) struct PanelLeds {
    pub(super) view: View,
    pub(super) print: bool,
}

impl StatusLeds for PanelLeds {
    fn show(&mut self, lights: Lights) -> Result<(), HardwareError> {
        let mut shown = self
            .view
            .lights
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.print && *shown != lights {
            lines::print_lights(lights);
        }
        *shown = lights;
        Ok(())
    }

    fn describe(&self) -> String {
        "red, amber, green (simulated)".into()
    }
}

pub(super) struct PanelScreen {
    pub(super) oled: Ssd1306Screen<VirtualSsd1306>,
    pub(super) view: View,
    pub(super) print: bool,
}

impl Screen for PanelScreen {
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError> {
        let before = self.view.picture();
        self.oled.show(picture)?;
        let now = self.view.picture();
        if self.print && now != before {
            lines::print_picture(&now);
        }
        Ok(())
    }

    fn size(&self) -> ScreenSize {
        self.oled.size()
    }

    fn describe(&self) -> String {
        self.oled.describe()
    }
}

pub(super) struct PanelButton {
    panel: Panel,
    view: View,
    /// Draws the terminal and must put it back before the program ends.
    terminal: Option<JoinHandle<()>>,
}

impl PanelButton {
    pub(super) fn new(panel: Panel, view: View) -> Self {
        Self {
            panel,
            view,
            terminal: None,
        }
    }
}

impl Button for PanelButton {
    fn watch(&mut self, presses: PressSender) -> Result<(), HardwareError> {
        match &self.panel {
            Panel::Terminal { log } => {
                let thread = terminal::start(presses, self.view.clone(), log.clone())?;
                self.terminal = Some(thread);
                Ok(())
            }
            Panel::Lines => lines::start(presses),
        }
    }

    fn describe(&self) -> String {
        match self.panel {
            Panel::Terminal { .. } => "space bar (simulated)".into(),
            Panel::Lines => "lines on standard input (simulated)".into(),
        }
    }
}

impl Drop for PanelButton {
    fn drop(&mut self) {
        self.view.closed.store(true, Ordering::Release);
        if let Some(thread) = self.terminal.take() {
            // A panic in the drawing thread has been reported and has put the terminal back.
            let _ = thread.join();
        }
    }
}
