//! A simulated bench for desktops: images as camera, a terminal or plain lines as panel.

mod camera;
mod lines;
mod log_lines;
mod panel;
mod terminal;
mod view;

pub use camera::{FolderCamera, IsImage};
pub use log_lines::LogLines;
pub use panel::Panel;

use crate::board::Board;
use crate::board::faults::Faults;
use crate::ports::Camera;
use crate::screen::canvas::ScreenSize;
use crate::screen::oled::{OledScreen, OledSetup};
use crate::screen::virtual_ssd1306::VirtualSsd1306;
use panel::{PanelButton, PanelCamera, PanelLeds, PanelScreen};
use view::View;

/// Address of the simulated OLED on its simulated bus.
const OLED_ADDRESS: u8 = 0x3c;

/// Builds a simulated bench from a camera, such as a [`FolderCamera`]. `panel` shows OLED, LEDs and button; the OLED has
/// the size `screen`.
pub fn board(camera: Box<dyn Camera>, panel: Panel, screen: ScreenSize) -> Board {
    let (bus, display) = VirtualSsd1306::new(OLED_ADDRESS, screen);
    let view = View::new(display);
    let print = matches!(panel, Panel::Lines);
    Board {
        name: "sim",
        camera: Box::new(PanelCamera {
            camera,
            view: view.clone(),
        }),
        leds: Box::new(PanelLeds {
            view: view.clone(),
            print,
        }),
        screen: Box::new(PanelScreen {
            oled: OledScreen::new(
                bus,
                OledSetup::new(OLED_ADDRESS, screen),
                "simulated bus, address 0x3C",
            ),
            view: view.clone(),
            print,
        }),
        button: Box::new(PanelButton::new(panel, view)),
        faults: Faults::default(),
    }
}
