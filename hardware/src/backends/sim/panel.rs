//! What the two kinds of panel share: OLED and LEDs as a person sees them, and the ports to them.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use super::log_lines::LogLines;
use super::view::View;
use super::{lines, terminal};
use crate::button::queue::PressSender;
use crate::error::HardwareError;
use crate::leds::pattern::Lights;
use crate::ports::{Button, Screen, StatusLeds};
use crate::screen::canvas::{Canvas, ScreenSize};
use crate::screen::ssd1306::Ssd1306Screen;
use crate::screen::virtual_ssd1306::VirtualSsd1306;

/// What stands for OLED, LEDs and button.
#[derive(Debug, Clone)]
pub enum Panel {
    /// Drawn in the terminal; keys are the button.
    Terminal {
        /// The program's log, whose last lines are shown below the panel.
        log: LogLines,
    },
    /// Lines on standard input and output, for pipes: `press`, `long`, `double`, `quit`.
    Lines,
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
