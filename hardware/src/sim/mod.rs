//! A bench on a desktop: a folder of images for a camera, a terminal or plain lines for a panel.

mod camera;
mod lines;
mod log_lines;
mod panel;
mod terminal;

use std::path::PathBuf;

pub use camera::FolderCamera;
pub use log_lines::LogLines;

use crate::oled::{OledSetup, Ssd1306Screen};
use crate::virtual_ssd1306::VirtualSsd1306;
use crate::{Board, Faults, HardwareError, ScreenSize};
use panel::{PanelButton, PanelLeds, PanelScreen, View};

/// Where the simulated OLED sits on its simulated bus.
const OLED_ADDRESS: u8 = 0x3c;

/// What the simulated bench is made of.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Folder of images that the camera plays in the order of their names, again and again.
    pub fields: PathBuf,
    /// What stands for OLED, LEDs and button.
    pub panel: Panel,
    /// Of the simulated OLED.
    pub screen: ScreenSize,
}

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

/// Makes a simulated bench.
///
/// # Errors
/// [`HardwareError::Open`] if the folder cannot be read, [`HardwareError::NoImages`] if it holds
/// none.
pub fn board(config: SimConfig) -> Result<Board, HardwareError> {
    let camera = FolderCamera::open(config.fields)?;
    let (bus, glass) = VirtualSsd1306::new(OLED_ADDRESS, config.screen);
    let view = View::new(glass);
    let print = matches!(config.panel, Panel::Lines);
    Ok(Board {
        name: "sim",
        camera: Box::new(camera),
        leds: Box::new(PanelLeds {
            view: view.clone(),
            print,
        }),
        screen: Box::new(PanelScreen {
            oled: Ssd1306Screen::new(
                bus,
                OledSetup::new(OLED_ADDRESS, config.screen),
                "simulated bus, address 0x3C",
            ),
            view: view.clone(),
            print,
        }),
        button: Box::new(PanelButton::new(config.panel, view)),
        faults: Faults::default(),
    })
}
