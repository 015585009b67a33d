//! A simulated bench for desktops: a folder of images as camera, a terminal or plain lines as panel.

mod camera;
mod lines;
mod log_lines;
mod panel;
mod terminal;
mod view;

use std::path::PathBuf;

pub use camera::{FolderCamera, IsImage};
pub use log_lines::LogLines;
pub use panel::Panel;

use crate::board::Board;
use crate::board::faults::Faults;
use crate::error::HardwareError;
use crate::screen::canvas::ScreenSize;
use crate::screen::ssd1306::{OledSetup, Ssd1306Screen};
use crate::screen::virtual_ssd1306::VirtualSsd1306;
use panel::{PanelButton, PanelLeds, PanelScreen};
use view::View;

/// Address of the simulated OLED on its simulated bus.
const OLED_ADDRESS: u8 = 0x3c;

/// Settings of the simulated bench.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Folder of images that the camera plays in a loop, sorted by name.
    pub fields: PathBuf,
    /// Tells images from other files in that folder.
    pub is_image: IsImage,
    /// How OLED, LEDs and button are shown.
    pub panel: Panel,
    /// Size of the simulated OLED.
    pub screen: ScreenSize,
}

/// Builds a simulated bench.
///
/// # Errors
/// [`HardwareError::Open`] if the folder cannot be read, [`HardwareError::NoImages`] if it holds
/// none.
pub fn board(config: SimConfig) -> Result<Board, HardwareError> {
    let camera = FolderCamera::open(config.fields, config.is_image)?;
    let (bus, display) = VirtualSsd1306::new(OLED_ADDRESS, config.screen);
    let view = View::new(display);
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
