//! The simulated camera, button, LEDs and screen, for both kinds of panel.

use std::thread::JoinHandle;

use super::log_lines::LogLines;
use super::view::View;
use super::{lines, terminal};
use crate::button::queue::PressSender;
use crate::camera::frame::Frame;
use crate::camera::preview::{Preview, PreviewMode};
use crate::error::HardwareError;
use crate::leds::pattern::LedPatterns;
use crate::ports::{Button, Camera, Screen, StatusLeds};
use crate::screen::canvas::{Canvas, ScreenSize};
use crate::screen::oled::OledScreen;
use crate::screen::virtual_ssd1306::VirtualSsd1306;

/// How OLED, LEDs and button are shown.
#[derive(Debug, Clone)]
pub enum Panel {
    /// Drawn in the terminal; keys act as the button.
    Terminal {
        /// The log of the program; its last lines are shown below the panel.
        log: LogLines,
    },
    /// Lines on standard input and output, for pipes: `press`, `long`, `double` and `quit`.
    Lines,
}

/// A camera whose panel names the picture.
pub(super) struct PanelCamera {
    pub(super) camera: Box<dyn Camera>,
    pub(super) view: View,
}

impl Camera for PanelCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        let frame = self.camera.capture()?;
        self.view.set_source(&frame.source);
        Ok(frame)
    }

    fn preview(&mut self, mode: PreviewMode) -> Result<Preview, HardwareError> {
        self.camera.preview(mode)
    }

    fn stop_preview(&mut self) {
        self.camera.stop_preview();
    }

    fn describe(&self) -> String {
        self.camera.describe()
    }
}

pub(super) struct PanelLeds {
    pub(super) view: View,
    pub(super) print: bool,
}

impl StatusLeds for PanelLeds {
    fn show(&mut self, patterns: LedPatterns) -> Result<(), HardwareError> {
        if self.view.set_leds(patterns) && self.print {
            lines::print_leds(patterns);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "red, amber, green (simulated)".into()
    }
}

pub(super) struct PanelScreen {
    pub(super) oled: OledScreen<VirtualSsd1306>,
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
    /// The drawing thread, which must restore the terminal before the program ends.
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
        self.view.close();
        if let Some(thread) = self.terminal.take() {
            // A panic in the drawing thread has been reported and has restored the terminal.
            let _ = thread.join();
        }
    }
}
